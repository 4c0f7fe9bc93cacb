"""Going through everything there is, looking twice before accusing anybody."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from archive.blobs.store import BlobStore
from archive.check import store
from archive.check.accounts import Account, Growing, account
from archive.check.audited import CheckAudit
from archive.check.bucket_keys import look_at_keys
from archive.check.files import Files, code_of
from archive.check.memory import EVERYTHING, Memory, Run, Wish
from archive.check.opening import Opening
from archive.check.places import Places
from archive.check.rules import Depth, Finding, Kind, Row, is_forgotten
from archive.recorder.standing import micros
from archive.segments.rules import State
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId
from vms_privacy.keyring.port import Keyring

Again = Callable[[], list[Finding]]
MOST_FINDINGS: Final = 10_000
_NAMES_AT_ONCE: Final = 500


@dataclass(slots=True)
class CheckReport:
    """What was found, and how much was looked at. `totals` counts things, bytes and whole milliseconds.

    `is_whole`: no file that was due is left; where it is not, a run that goes on begins there.
    """

    findings: list[Finding] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    depth: Depth = Depth.SEALS
    is_whole: bool = True

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


class Progress(Protocol):
    """Hears of each part of a check and how much of it is done; `of` is 0 where nobody knows how much there is."""

    def __call__(self, part: str, done: int, of: int = 0) -> None: ...


def tell_nobody(part: str, done: int, of: int = 0) -> None:
    """Keep the progress to oneself."""


def _never() -> bool:
    return False


class Checker:
    """Looks at everything once, then once more at what looked wrong.

    A segment on its way from spool to store, or in the middle of its erasure, is nobody's fault.
    `growing` says which segment of a camera is being written; without it (another process checks) a segment that grows
    for longer than any may is taken for stuck. With a `memory` it need not look at every file each time; an `audit`
    hears what came of it. `at_once` is how many files are asked about at a time; a store beyond a network makes
    everybody wait.
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
        progress: Progress = tell_nobody,
        opening: Opening | None = None,
        memory: Memory | None = None,
        audit: CheckAudit | None = None,
        at_once: int = 1,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._places = Places(spool, blobs)
        self._clock = clock
        self._sweep_us = sweep_every // timedelta(microseconds=1)
        self._growing = growing
        self._progress = progress
        self._memory = memory
        self._audit = audit
        self._suspects: list[_Suspect] = []
        self._totals: Counter[str] = Counter()
        self._files = Files(db, self._places, clock, opening, lambda: self._totals, at_once)

    def check(
        self, depth: Depth = Depth.SEALS, wish: Wish = EVERYTHING, stop: Callable[[], bool] = _never
    ) -> CheckReport:
        """Check everything, files last. No finding is an exception; what cannot be looked at is a finding itself.

        Time, names and keys are gone through in every run. Of the files those that the `wish` is about are looked at,
        until `stop` says so: it is asked before each.
        """
        if depth >= Depth.OPENS and not self._files.can_open:
            raise ValueError("nothing here opens files")
        self._suspects = []
        self._totals = Counter()
        run = None if self._memory is None else self._memory.begin(depth, wish)
        with self._db.reading() as session:
            cameras = store.cameras(session)
        for number, camera_id in enumerate(cameras):
            self._progress("cameras", number, len(cameras))
            self._check_time(camera_id)
        self._totals["cameras"] = len(cameras)
        self._look("spool", self._check_spool)
        self._look("store", self._check_store)
        self._look("registered ahead", self._check_registered)
        self._look("keyring", self._check_keys)
        self._look("quarantine", self._count_quarantine)
        is_whole = self._check_files(cameras, depth, run, stop)
        self._progress("second look", len(self._suspects))
        found = self._confirmed()
        if run is not None:
            run.was_wrong({one.segment_id for one in found if one.segment_id is not None})
            run.end(is_whole=is_whole)
            if run.failure:
                found.append(Finding(Kind.CANNOT_TELL, name="memory of what was looked at", detail=run.failure))
        report = CheckReport(found, dict(self._totals), depth, is_whole)
        if self._audit is not None:
            self._note_done(report, self._audit)
        return report

    def _note_done(self, report: CheckReport, audit: CheckAudit) -> None:
        detail: dict[str, str | int | bool | None] = {"depth": report.depth.word, "is_whole": report.is_whole}
        detail |= {"findings": len(report.findings), "files_looked_at": self._totals["files_looked_at"]}
        try:
            audit.done(detail, is_clean=report.is_clean)
        except SQLAlchemyError as error:
            # Of no use to whoever needs to know what was found, and a fault of its own.
            report.findings.append(Finding(Kind.CANNOT_TELL, name="audit", detail=type(error).__name__))

    def _check_time(self, camera_id: CameraId) -> None:
        found = self._account(camera_id)
        for finding in found.findings:
            self._suspect(finding, ("camera", camera_id), partial(self._account_again, camera_id))
        for name in ("opted_in", "recorded", "destroyed", "gaps", "unaccounted", "tolerated"):
            self._totals[f"{name}_ms"] += getattr(found, f"{name}_us") // 1000
        self._totals.update(found.counts)

    def _check_files(
        self, cameras: Sequence[CameraId], depth: Depth, run: Run | None, stop: Callable[[], bool]
    ) -> bool:
        """Look at the files that are due; say whether none is left."""
        of = sum(self._totals[f"segments_{state}"] for state in (State.WRITING, State.STORED))
        passed = 0
        for camera_id in cameras:
            for rows in self._pages(camera_id):
                due = rows if run is None else run.due(rows)
                self._totals["files_left_out"] += len(rows) - len(due)
                passed += len(rows) - len(due)
                looked = 0
                for row, found in self._files.look_at_each(due, depth, stop):
                    self._take(row, found, depth, run)
                    passed += 1
                    self._progress("files", min(passed, of), of)
                    looked += 1
                if looked < len(due):
                    return False
        return True

    def _take(self, row: Row, found: Sequence[Finding], depth: Depth, run: Run | None) -> None:
        self._totals["files_looked_at"] += 1
        for finding in found:
            self._suspect(finding, ("segment", row.id), partial(self._files.look_again, row.id, depth))
        # A growing file is another one at the next look.
        if run is not None and not found and row.state is State.STORED:
            run.was_in_order(row.id)

    def _account(self, camera_id: CameraId) -> Account:
        with self._db.reading() as session:
            return account(session, camera_id, micros(self._clock.now()), self._sweep_us, self._growing)

    def _account_again(self, camera_id: CameraId) -> list[Finding]:
        return self._account(camera_id).findings

    def _pages(self, camera_id: CameraId) -> Iterator[list[Row]]:
        """Go through the rows of a camera that have a file."""
        last: Row | None = None
        while True:
            with self._db.reading() as session:
                rows = store.page(session, camera_id, last, living=True)
            yield rows
            if len(rows) < store.PAGE:
                return
            last = rows[-1]

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
            expected = store.as_expected(session, names, in_spool=in_spool)
            if in_spool:
                expected |= self._begun(session)
            odd = [name for name in names if name not in expected]
            rows = store.by_names(session, odd)
        for name in odd:
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

    def _count_quarantine(self) -> None:
        self._totals.update(self._places.quarantine_totals())

    def _check_keys(self) -> None:
        for finding in self._keys():
            self._suspect(finding, ("keys",), self._keys)

    def _keys(self) -> list[Finding]:
        return look_at_keys(self._db, self._keyring, self._clock, self._sweep_us, self._totals)

    def _look(self, part: str, look: Callable[[], None]) -> None:
        try:
            look()
        except (Refusal, OSError) as error:
            finding = Finding(Kind.CANNOT_TELL, name=part, detail=code_of(error))
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


def _look_again(suspect: _Suspect) -> list[Finding]:
    try:
        return suspect.again()
    except (Refusal, OSError) as error:
        return [replace(suspect.finding, kind=Kind.CANNOT_TELL, span=None, detail=code_of(error))]
