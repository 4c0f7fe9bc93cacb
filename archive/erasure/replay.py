"""What the custody journal names as destroyed and an older database holds for kept: marked again, for a restore.

Promise: nothing is marked that an order keeps, and nothing that has its key still, but what has expired: footage of
which a part was to be destroyed goes by its mandate, which stands again, exact to the picture.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archive.erasure import store
from archive.erasure.beginning import Batch, begin
from archive.erasure.rules import BATCH, Step, in_turns
from archive.erasure.store import Erasure
from archive.erasure.tools import Tools
from archive.keys import store as buckets
from archive.mandates.rules import Cause
from archive.segments.rules import Segment
from vms_privacy.ids import BucketKeyId, ErasureId, SegmentId
from vms_privacy.journal.rules import JournalEntry, JournalKind, bucket_keys_in, ids_in

_ACTOR = "worker:replay"


@dataclass(slots=True)
class Marked:
    """What was marked again, whose keys went with the lost database, and what could not be settled.

    `kept`: named as destroyed, and kept by an order of the older database. `missing`: bucket keys that are not in the
    keyring, and of which the journal does not say that they were destroyed.
    """

    marked: int = 0
    lost: list[SegmentId] = field(default_factory=list)
    kept: list[SegmentId] = field(default_factory=list)
    missing: list[BucketKeyId] = field(default_factory=list)


def mark_again(tools: Tools, entries: Iterable[JournalEntry]) -> Marked:
    """Note the bucket keys that are destroyed, and mark what lies under them or was named; destroy nothing yet.

    May be repeated. Raises KeyringUnavailable, JournalUnavailable.
    """
    named: dict[SegmentId, Cause] = {}
    destroyed: set[BucketKeyId] = set()
    for entry in entries:
        if entry.kind is JournalKind.ERASURE:
            ids = map(SegmentId, ids_in(entry.facts, "ids"))
            named |= dict.fromkeys(ids, Cause(str(entry.facts["cause"])))
        elif entry.kind is JournalKind.KEY_DESTROYED:
            destroyed.update(map(BucketKeyId, bucket_keys_in(entry.facts)))
    done = Marked()
    gone = _note_lost_keys(tools, destroyed, done)
    doomed = _doomed(tools, named, gone)
    for cause, segments in doomed.items():
        for batch in in_turns(segments, BATCH):
            _mark(tools, cause, batch, done)
    return done


def _note_lost_keys(tools: Tools, told: set[BucketKeyId], done: Marked) -> frozenset[BucketKeyId]:
    """Note the keys that the journal says are destroyed and the keyring does not have; return all that are noted."""
    there = tools.buckets.there()
    with tools.db.writing() as session:
        absent = buckets.living(session) - there
        tools.buckets.note_lost(session, absent & told)
        done.missing.extend(sorted(absent - told))
        return buckets.destroyed(session)


def _doomed(tools: Tools, named: dict[SegmentId, Cause], gone: frozenset[BucketKeyId]) -> dict[Cause, list[Segment]]:
    found: dict[Cause, list[Segment]] = defaultdict(list)
    with tools.db.reading() as session:
        for segment, bucket in store.stored(session):
            cause = named.get(segment.id)
            if bucket in gone:
                found[cause or Cause.RESTORE].append(segment)
            elif cause is Cause.EXPIRY:
                found[cause].append(segment)
    return found


def _mark(tools: Tools, cause: Cause, batch: Sequence[Segment], done: Marked) -> None:
    erasure = Erasure(ErasureId(tools.randomness.uuid()), batch[0].operator_id, cause, _ACTOR, Step.JOURNALLED, 0)
    _, taken = begin(tools, Batch(erasure, batch))
    done.marked += len(taken)
    ids = {one.id for one in taken}
    done.kept += [one.id for one in batch if one.id not in ids]
    done.lost += [one.id for one in taken if cause is Cause.RESTORE]
