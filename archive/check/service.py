"""Going through everything there is, looking twice before accusing anybody."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy.orm import Session

from archive.blobs.store import BlobStore
from archive.check import store
from archive.check.accounts import Account, Growing, account
from archive.check.places import Places
from archive.check.rules import Depth, Finding, Kind, Row, is_forgotten
from archive.erasure.store import idle_buckets
from archive.keys.rules import hour_of
from archive.recorder.standing import micros
from archive.segments.rules import State
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import BucketKeyId, CameraId, SegmentId
from vms_privacy.keyring.port import Keyring

Again = Callable[[], list[Finding]]
MOST_FINDINGS: Final = 10_000
_NAMES_AT_ONCE: Final = 500


@dataclass(slots=True)
class CheckReport:
    """What was found, and how much was looked at. `totals` counts things, bytes and whole milliseconds."""

    findings: list[Finding] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Say whether everything is accounted for."""
        return not self.findings

    @property
    def counts(self) -> Mapping[Kind, int]:
        """How many findings there are of each kind."""
        return Counter(one.kind for one in self.findings)


@dataclass(frozen=True, slots=True)
class _Suspect:
    """What looked wrong, and how to look at it once more. `about` is the thing itself: it is looked at once only."""

    finding: Finding
    about: tuple[object, ...]
    again: Again


def _tell_nobody(_: str, __: int) -> None:
    """Keep the progress to oneself."""


class Checker:
    """Looks at everything once, then once more at what looked wrong.

    A segment on its way from spool to store, or in the middle of its erasure, is nobody's fault.
    `growing` says which segment of a camera is being written; without it (another process checks) a segment that grows
    for longer than any may is taken for stuck. `progress` hears of each part and how much of it is done.
    """

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        blobs: BlobStore,
        spool: Path,
        clock: Clock,
        sweep_every: timedelta,
        growing: Growing | None = None,
        progress: Callable[[str, int], None] = _tell_nobody,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._places = Places(spool, blobs)
        self._clock = clock
        self._sweep_us = sweep_every // timedelta(microseconds=1)
        self._growing = growing
        self._progress = progress
        self._suspects: list[_Suspect] = []
        self._totals: Counter[str] = Counter()

    def check(self, depth: Depth = Depth.SEALS) -> CheckReport:
        """Check everything. No finding is an exception; what cannot be looked at is a finding itself."""
        self._suspects = []
        self._totals = Counter()
        with self._db.reading() as session:
            cameras = store.cameras(session)
        for number, camera_id in enumerate(cameras):
            self._progress("cameras", number)
            self._check_camera(camera_id, depth)
        self._totals["cameras"] = len(cameras)
        self._look("spool", self._check_spool)
        self._look("store", self._check_store)
        self._look("registered ahead", self._check_registered)
        self._look("keyring", self._check_keys)
        self._progress("second look", len(self._suspects))
        return CheckReport(self._confirmed(), dict(self._totals))

    def _check_camera(self, camera_id: CameraId, depth: Depth) -> None:
        found = self._account(camera_id)
        for finding in found.findings:
            self._suspect(finding, ("camera", camera_id), partial(self._account_again, camera_id))
        for name in ("opted_in", "recorded", "destroyed", "gaps", "unaccounted", "tolerated"):
            self._totals[f"{name}_ms"] += getattr(found, f"{name}_us") // 1000
        for row in self._rows(camera_id):
            self._totals[f"segments_{row.state}"] += 1
            self._totals["segment_bytes"] += (row.size_bytes or 0) if row.state is not State.ERASED else 0
            for finding in self._look_at_row(row, depth):
                self._suspect(finding, ("segment", row.id), partial(self._again, row.id, depth))

    def _account(self, camera_id: CameraId) -> Account:
        with self._db.reading() as session:
            return account(session, camera_id, micros(self._clock.now()), self._sweep_us, self._growing)

    def _account_again(self, camera_id: CameraId) -> list[Finding]:
        return self._account(camera_id).findings

    def _rows(self, camera_id: CameraId) -> Iterator[Row]:
        last: Row | None = None
        while True:
            with self._db.reading() as session:
                rows = store.page(session, camera_id, last)
            yield from rows
            if len(rows) < store.PAGE:
                return
            last = rows[-1]

    def _look_at_row(self, row: Row, depth: Depth) -> list[Finding]:
        if row.state in {State.ERASING, State.ERASED}:
            return []
        try:
            kind = self._places.judge(row, depth)
        except (Refusal, OSError) as error:
            return [row.finding(Kind.CANNOT_TELL, _code(error))]
        return [] if kind is None else [row.finding(kind)]

    def _again(self, segment_id: SegmentId, depth: Depth) -> list[Finding]:
        with self._db.reading() as session:
            row = store.by_id(session, segment_id)
        return [] if row is None else self._look_at_row(row, depth)

    def _check_spool(self) -> None:
        self._check_names("spool_files", self._places.spooled(), in_spool=True)

    def _check_store(self) -> None:
        self._check_names("blobs", self._places.stored(), in_spool=False)

    def _check_names(self, what: str, names: Iterator[str], *, in_spool: bool) -> None:
        """Rows are asked for after the names: whatever was there by then had its row before its first byte."""
        batch: list[str] = []
        for name in names:
            batch.append(name)
            if len(batch) == _NAMES_AT_ONCE:
                self._check_batch(what, batch, in_spool=in_spool)
                batch = []
        self._check_batch(what, batch, in_spool=in_spool)

    def _check_batch(self, what: str, names: list[str], *, in_spool: bool) -> None:
        self._totals[what] += len(names)
        self._progress(what, self._totals[what])
        with self._db.reading() as session:
            rows = store.by_names(session, names)
            begun = self._begun(session) if in_spool else frozenset()
        for name in names:
            if name in begun:
                continue
            for finding in self._places.look_at(name, rows.get(name), in_spool=in_spool):
                again = partial(self._name_again, name, in_spool=in_spool)
                self._suspect(finding, (what, name), again)

    def _name_again(self, name: str, *, in_spool: bool) -> list[Finding]:
        with self._db.reading() as session:
            row = store.by_names(session, [name]).get(name)
            begun = self._begun(session) if in_spool else frozenset()
        if name in begun:
            return []
        return self._places.look_at(name, row, in_spool=in_spool)

    def _begun(self, session: Session) -> frozenset[str]:
        """Files that began while the database was away have no segment's row yet."""
        return frozenset(one.blob_name for one in store.registered(session))

    def _check_registered(self) -> None:
        for finding in self._registered():
            self._suspect(finding, ("registered", finding.segment_id), self._registered)

    def _registered(self) -> list[Finding]:
        now_us = micros(self._clock.now())
        with self._db.reading() as session:
            forgotten = [one for one in store.registered(session) if is_forgotten(one.registered_us, now_us)]
        detail = "registered ahead, and neither begun nor given back"
        return [Finding(Kind.STUCK, one.camera_id, one.id, one.blob_name, None, detail) for one in forgotten]

    def _check_keys(self) -> None:
        found = self._keys()
        for finding in found:
            self._suspect(finding, ("keys",), self._keys)

    def _keys(self) -> list[Finding]:
        there = self._keyring.bucket_keys()
        self._totals["bucket_keys"] = len(there)
        now = self._clock.now()
        late = timedelta(microseconds=2 * self._sweep_us) + timedelta(hours=1)
        with self._db.reading() as session:
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

    def _look(self, part: str, look: Callable[[], None]) -> None:
        try:
            look()
        except (Refusal, OSError) as error:
            finding = Finding(Kind.CANNOT_TELL, name=part, detail=_code(error))
            self._suspect(finding, (part,), lambda: [finding])

    def _suspect(self, finding: Finding, about: tuple[object, ...], again: Again) -> None:
        if len(self._suspects) < MOST_FINDINGS:
            self._suspects.append(_Suspect(finding, about, again))
        elif len(self._suspects) == MOST_FINDINGS:
            more = Finding(Kind.CANNOT_TELL, name="findings", detail="there are more than are listed")
            self._suspects.append(_Suspect(more, ("findings",), lambda: [more]))

    def _confirmed(self) -> list[Finding]:
        """Look again, at each thing once, and keep what is found the second time too, or cannot be looked at then."""
        confirmed: dict[Finding, None] = {}
        looked: dict[tuple[object, ...], list[Finding]] = {}
        for suspect in self._suspects:
            if suspect.about not in looked:
                looked[suspect.about] = _look_again(suspect)
            again = looked[suspect.about]
            same = [one for one in again if one.kind is Kind.CANNOT_TELL or one.is_same(suspect.finding)]
            confirmed |= dict.fromkeys(same[:1])
        return list(confirmed)


class CheckedSettings(Protocol):
    """What a check needs of the settings."""

    @property
    def spool(self) -> Path:
        """The folder of files on their way to the store."""
        ...

    @property
    def sweep_every(self) -> timedelta:
        """How often what has expired is destroyed."""
        ...


class CheckedParts(Protocol):
    """What a check needs of a service's parts; it writes to none of them."""

    @property
    def db(self) -> Database: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def keyring(self) -> Keyring: ...

    @property
    def store(self) -> BlobStore: ...

    @property
    def settings(self) -> CheckedSettings: ...


def check(parts: CheckedParts, depth: Depth = Depth.SEALS) -> CheckReport:
    """Check a whole installation, from its own process or beside it."""
    settings = parts.settings
    return Checker(parts.db, parts.keyring, parts.store, settings.spool, parts.clock, settings.sweep_every).check(depth)


def _look_again(suspect: _Suspect) -> list[Finding]:
    try:
        return suspect.again()
    except (Refusal, OSError) as error:
        return [replace(suspect.finding, kind=Kind.CANNOT_TELL, span=None, detail=_code(error))]


def _key(kind: Kind, key: BucketKeyId) -> Finding:
    return Finding(kind, name=f"bucket key {key}")


def _code(error: Exception) -> str:
    return error.code if isinstance(error, Refusal) else type(error).__name__
