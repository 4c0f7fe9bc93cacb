"""The keyring's bucket keys, compared with the rows that rest on them."""

from collections import Counter
from datetime import timedelta

from archive.check import store
from archive.check.rules import Finding, Kind
from archive.erasure.store import idle_buckets
from archive.keys.rules import hour_of
from archive.recorder.standing import micros
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.port import Keyring


def look_at_keys(db: Database, keyring: Keyring, clock: Clock, sweep_us: int, totals: Counter[str]) -> list[Finding]:
    """Return what is wrong with bucket keys. Raises KeyringUnavailable."""
    there = keyring.bucket_keys()
    totals["bucket_keys"] = len(there)
    now = clock.now()
    late = timedelta(microseconds=2 * sweep_us) + timedelta(hours=1)
    with db.reading() as session:
        living = store.living_buckets(session)
        # A replaced key wraps nothing living: it is missing from its destruction until that is noted.
        in_use = {key for key, replaced_at in living.items() if replaced_at is None}
        undestroyed = [key for key, at in living.items() if at is not None and now > at + late]
        # Of an hour that is over, without a segment: the next start destroys it.
        undestroyed += sorted(in_use & there & idle_buckets(session, hour_of(micros(now - late))))
        lost = sorted(in_use - there)
        found = [_key(Kind.LOST_KEY, key) for key in lost] + [_key(Kind.OVERDUE, key) for key in undestroyed]
        for key in sorted(there - living.keys()):
            known = store.is_registered(session, key)
            found.append(_key(Kind.UNDEAD_KEY if known else Kind.STRANGER_KEY, key))
        keyless = store.keyless(session)
    return found + [row.finding(Kind.KEYLESS) for row in keyless]


def _key(kind: Kind, key: BucketKeyId) -> Finding:
    return Finding(kind, name=f"bucket key {key}")
