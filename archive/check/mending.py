"""Mending what a check found, where nothing can be lost by it; all else is left to people.

Promise: nothing that may hold a picture is removed unless the same bytes are where they should be, and what nobody
knows is moved away whole. Each finding is looked at anew before anything is done about it; each act is in the audit.
"""

import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from archive.blobs.quarantine import move_into, spool_quarantine
from archive.blobs.store import BlobStore
from archive.check import store
from archive.check.audited import CheckAudit
from archive.check.files import code_of
from archive.check.places import Places
from archive.check.rules import Finding, Kind, Row
from archive.erasure.unused_keys import UnusedKeys
from archive.segments import days
from archive.segments.rules import Place, State
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.durable_files import sync_folder
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId

SETTLED: Final = timedelta(minutes=10)
"""A spool file that was touched since then may be somebody's who is at work: it is left alone."""
_STEP: Final = 4 * 1024 * 1024
_ROWS_ARE_IN_DOUBT: Final = frozenset(
    {
        Kind.UNACCOUNTED,
        Kind.OVERLAPPING,
        Kind.WITHOUT_OPT_IN,
        Kind.OUTSIDE_TIMES,
        Kind.STUCK,
        Kind.UNPROVEN,
        Kind.STRANGER,
    }
)
"""Beside one of these, sums that disagree with the rows are evidence of what the rows were."""


@unique
class How(StrEnum):
    """What was done about a finding; stable codes, in the audit too."""

    REMOVED_COPY = "removed-copy"
    REMOVED_EMPTY = "removed-empty"
    NOTED_PLACE = "noted-place"
    QUARANTINED = "quarantined"
    DESTROYED_KEY = "destroyed-unused-key"
    RECOUNTED = "recounted"


@dataclass(frozen=True, slots=True)
class Mended:
    """A finding that is none any more."""

    finding: Finding
    how: How

    def __str__(self) -> str:
        return f"{self.finding}: {self.how}"


@dataclass(slots=True)
class MendReport:
    """What became of each finding: it is in exactly one of the two. `left` says why where it could not be mended."""

    mended: list[Mended] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)


class Mender:
    """Mends findings one after the other, beside a running service.

    `unused_keys` destroys bucket keys that nothing needs, as a start of the service does; None while one runs, since a
    key may just have been made whose row is not committed yet.
    """

    def __init__(
        self,
        db: Database,
        blobs: BlobStore,
        spool: Path,
        audit: CheckAudit,
        clock: Clock,
        unused_keys: Callable[[], UnusedKeys] | None,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._spool = spool
        self._places = Places(spool, blobs)
        self._audit = audit
        self._clock = clock
        self._unused_keys = unused_keys

    def mend(self, findings: Iterable[Finding]) -> MendReport:
        """Mend what can be; what fails is left, with the code of why, and keeps nothing else from being mended."""
        report = MendReport()
        found = list(findings)
        is_evidence = any(one.kind in _ROWS_ARE_IN_DOUBT for one in found)
        keys = []
        for finding in found:
            if finding.kind in {Kind.STRANGER_KEY, Kind.OVERDUE} and finding.segment_id is None:
                keys.append(finding)
                continue
            if finding.kind is Kind.WRONG_SUM and is_evidence:
                report.left.append(finding)
                continue
            try:
                how = self._mend(finding)
            except (Refusal, OSError, SQLAlchemyError) as error:
                report.left.append(replace(finding, detail=f"{finding.detail} ({code_of(error)})".strip()))
                continue
            if how is None:
                report.left.append(finding)
            else:
                report.mended.append(Mended(finding, how))
        # Last: whether a key is unused is told by the files that are there, and in quarantine.
        self._mend_keys(keys, report)
        return report

    def _mend(self, finding: Finding) -> How | None:
        match finding:
            case Finding(kind=Kind.LEFT_BEHIND):
                return self._remove_copy(finding)
            case Finding(kind=Kind.MISPLACED):
                return self._note_place(finding)
            case Finding(kind=Kind.STRANGER, place=Place.SPOOL):
                return self._take_from_spool(finding)
            case Finding(kind=Kind.STRANGER, place=Place.STORE):
                return self._take_from_store(finding)
            case Finding(kind=Kind.WRONG_SUM, camera_id=camera_id) if camera_id is not None:
                return self._recount(camera_id, finding.detail)
        return None

    def _remove_copy(self, finding: Finding) -> How | None:
        """Remove from the spool what the store has byte for byte, under the seal of its row."""
        row = self._row_of(finding)
        if row is None or row.state is not State.STORED or row.place is not Place.STORE:
            return None
        path = self._spool / row.blob_name
        if not self._places.is_whole_at(row, Place.STORE) or not self._is_same(path, row):
            return None
        path.unlink()
        sync_folder(self._spool)
        self._audit.mended(How.REMOVED_COPY, row.blob_name, row.camera_id)
        return How.REMOVED_COPY

    def _is_same(self, path: Path, row: Row) -> bool:
        size = row.size_bytes or 0
        if path.stat().st_size != size:
            return False
        with path.open("rb", buffering=0) as file:
            for at in range(0, size, _STEP):
                file.seek(at)
                if file.read(_STEP) != self._blobs.read(row.blob_name, at, _STEP):
                    return False
        return True

    def _note_place(self, finding: Finding) -> How | None:
        """Note where the bytes are, if they are there as long as they should be and under their seal."""
        row = self._row_of(finding)
        if row is None or row.state is not State.STORED:
            return None
        other = Place.STORE if row.place is Place.SPOOL else Place.SPOOL
        if self._places.is_whole_at(row, row.place) or not self._places.is_whole_at(row, other):
            return None
        with self._db.writing() as session:
            is_noted = store.note_place(session, row.id, row.place, other)
        if not is_noted:
            return None
        self._audit.mended(How.NOTED_PLACE, row.blob_name, row.camera_id)
        return How.NOTED_PLACE

    def _recount(self, camera_id: CameraId, why: str) -> How:
        """Make the sums anew from the rows. Noted before: what they said may be all that tells of a row."""
        self._audit.recounted(How.RECOUNTED, camera_id, why)
        with self._db.writing() as session:
            days.recount(session, camera_id)
        return How.RECOUNTED

    def _take_from_spool(self, finding: Finding) -> How | None:
        path = self._spool / finding.name
        seen = path.stat(follow_symlinks=False)
        settled_until = (self._clock.now() - SETTLED).timestamp()
        if seen.st_mtime > settled_until or self._is_known(finding.name):
            return None
        if stat.S_ISREG(seen.st_mode) and not seen.st_size:
            path.unlink()
            sync_folder(self._spool)
            self._audit.mended(How.REMOVED_EMPTY, finding.name, None)
            return How.REMOVED_EMPTY
        if not move_into(spool_quarantine(self._spool), path):
            return None
        self._audit.quarantined(Place.SPOOL, finding.name)
        return How.QUARANTINED

    def _take_from_store(self, finding: Finding) -> How | None:
        """Move a blob away. Its row would have been there before its first byte was."""
        if self._is_known(finding.name) or not self._blobs.quarantine(finding.name):
            return None
        self._audit.quarantined(Place.STORE, finding.name)
        return How.QUARANTINED

    def _mend_keys(self, keys: Iterable[Finding], report: MendReport) -> None:
        destroyed: frozenset[str] = frozenset()
        found = list(keys)
        if found and self._unused_keys is not None:
            try:
                destroyed = frozenset(f"bucket key {key}" for key in self._unused_keys().destroyed)
            except (Refusal, OSError) as error:
                found = [replace(one, detail=f"{one.detail} ({code_of(error)})".strip()) for one in found]
        for one in found:
            if one.name in destroyed:
                report.mended.append(Mended(one, How.DESTROYED_KEY))
            else:
                report.left.append(one)

    def _row_of(self, finding: Finding) -> Row | None:
        if finding.segment_id is None:
            return None
        with self._db.reading() as session:
            return store.by_id(session, finding.segment_id)

    def _is_known(self, name: str) -> bool:
        with self._db.reading() as session:
            # A file that began while the database was away has no segment's row yet.
            is_registered = any(one.blob_name == name for one in store.registered(session))
            return is_registered or bool(store.by_names(session, [name]))
