"""Queries over manifests and their lines. Nothing here decides; nothing here commits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Table, case, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from vms_privacy.db import changed
from vms_privacy.ids import CameraId, ManifestId, OffBoardingId, OperatorId, SegmentId
from vms_privacy.off_boarding.manifest import Entry
from vms_privacy.off_boarding.rules import Step
from vms_privacy.off_boarding.tables import ManifestEntryRow, ManifestRow, OffBoardingRow

_ENTRIES: Final = cast("Table", ManifestEntryRow.__table__)
_IN_ORDER: Final = (_ENTRIES.c.camera_id, _ENTRIES.c.starts_us, _ENTRIES.c.segment_id)
_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that is being made, or is signed. `listed` counts the segments it has so far."""

    id: ManifestId
    off_boarding_id: OffBoardingId
    number: int
    operator_id: OperatorId
    asked_by: str
    asked_at: datetime
    listed: int
    attempts: int
    last_failure: str
    signed_at: datetime | None
    digest: str
    head: bytes | None


@dataclass(frozen=True, slots=True)
class Totals:
    """What a manifest lists, added up; sizes of what could not be read are what its rows say."""

    segments: int
    size_bytes: int
    cameras: int
    unreadable: int
    kept_by_orders: int


def add(session: Session, new: Manifest) -> None:
    """Keep a manifest that is to be made."""
    session.execute(
        insert(ManifestRow).values(
            id=new.id,
            off_boarding_id=new.off_boarding_id,
            number=new.number,
            operator_id=new.operator_id,
            asked_by=new.asked_by,
            asked_at=new.asked_at,
            listed=0,
            attempts=0,
            last_failure="",
            digest="",
        )
    )


def newest(session: Session, off_boarding_id: OffBoardingId) -> Manifest | None:
    """Return the manifest that was asked for last."""
    wanted = select(ManifestRow).where(ManifestRow.off_boarding_id == off_boarding_id)
    found = _found(session, wanted.order_by(ManifestRow.number.desc()).limit(1))
    return found[0] if found else None


def to_make(session: Session) -> list[Manifest]:
    """Return the newest manifest of each off-boarding that begins, where it is not signed."""
    begins = select(OffBoardingRow.id).where(OffBoardingRow.step == Step.BEGUN, OffBoardingRow.taken_back_at.is_(None))
    found = [newest(session, OffBoardingId(one)) for one in session.scalars(begins.order_by(OffBoardingRow.id))]
    return [one for one in found if one is not None and one.signed_at is None]


def add_entries(session: Session, manifest_id: ManifestId, entries: Iterable[Entry]) -> None:
    """List some segments, with how many that makes."""
    rows = [
        {
            "manifest_id": manifest_id,
            "camera_id": one.camera_id,
            "starts_us": one.starts_us,
            "segment_id": one.segment_id,
            "ends_us": one.ends_us,
            "size_bytes": one.size_bytes,
            "file_digest": one.sha256,
            "flaw": one.flaw,
            "is_kept": one.is_kept,
        }
        for one in entries
    ]
    session.execute(insert(ManifestEntryRow), rows)
    counted = {"listed": ManifestRow.listed + len(rows), "attempts": 0, "last_failure": ""}
    session.execute(update(ManifestRow).where(ManifestRow.id == manifest_id).values(counted))


def last_listed(session: Session, manifest_id: ManifestId) -> tuple[CameraId, int, SegmentId] | None:
    """Return the last place in the order of a manifest that it has something at."""
    wanted = select(*_IN_ORDER).where(_ENTRIES.c.manifest_id == manifest_id)
    row = session.execute(wanted.order_by(*(one.desc() for one in _IN_ORDER)).limit(1)).one_or_none()
    return None if row is None else (CameraId(row.camera_id), row.starts_us, SegmentId(row.segment_id))


def entries_after(
    session: Session, manifest_id: ManifestId, after: tuple[CameraId, int, SegmentId] | None
) -> list[Entry]:
    """Return a page of a manifest's lines, in order, behind a place."""
    wanted = select(_ENTRIES).where(_ENTRIES.c.manifest_id == manifest_id)
    if after is not None:
        wanted = wanted.where(tuple_(*_IN_ORDER) > tuple_(*after))
    return [
        Entry(
            CameraId(row.camera_id),
            SegmentId(row.segment_id),
            row.starts_us,
            row.ends_us,
            row.size_bytes,
            row.file_digest,
            row.flaw,
            row.is_kept,
        )
        for row in session.execute(wanted.order_by(*_IN_ORDER).limit(_PAGE))
    ]


def entries(session: Session, manifest_id: ManifestId) -> Iterator[Entry]:
    """Go through all lines of a manifest, in order, a page in memory at a time."""
    after = None
    while page := entries_after(session, manifest_id, after):
        yield from page
        after = page[-1].place


def totals(session: Session, manifest_id: ManifestId) -> Totals:
    """Add up what a manifest lists."""
    row = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(_ENTRIES.c.size_bytes), 0),
            func.count(_ENTRIES.c.camera_id.distinct()),
            func.coalesce(func.sum(case((_ENTRIES.c.flaw != "", 1), else_=0)), 0),
            func.coalesce(func.sum(case((_ENTRIES.c.is_kept, 1), else_=0)), 0),
        ).where(_ENTRIES.c.manifest_id == manifest_id)
    ).one()
    return Totals(*(int(one) for one in row))


def sign(session: Session, manifest_id: ManifestId, head: bytes, digest: str, at: datetime) -> None:
    """Keep the head of a manifest that is whole."""
    wanted = update(ManifestRow).where(ManifestRow.id == manifest_id, ManifestRow.signed_at.is_(None))
    session.execute(wanted.values(head=head, digest=digest, signed_at=at, attempts=0, last_failure=""))


def note_failure(session: Session, manifest_id: ManifestId, code: str) -> None:
    """Count a round of making one that failed."""
    wanted = update(ManifestRow).where(ManifestRow.id == manifest_id, ManifestRow.signed_at.is_(None))
    session.execute(wanted.values(attempts=ManifestRow.attempts + 1, last_failure=code[:80]))


def of_off_boarding(session: Session, off_boarding_id: OffBoardingId) -> list[ManifestId]:
    """Return every manifest of an off-boarding, oldest first."""
    wanted = select(ManifestRow.id).where(ManifestRow.off_boarding_id == off_boarding_id)
    return [ManifestId(one) for one in session.scalars(wanted.order_by(ManifestRow.number))]


def to_forget(session: Session) -> list[ManifestId]:
    """Return the manifests with lines that nobody needs: a newer one was asked for, or it was taken back."""
    newer = aliased(ManifestRow)
    is_replaced = exists().where(
        newer.off_boarding_id == ManifestRow.off_boarding_id, newer.number > ManifestRow.number
    )
    has_lines = exists().where(ManifestEntryRow.manifest_id == ManifestRow.id)
    wanted = select(ManifestRow.id).join(OffBoardingRow, OffBoardingRow.id == ManifestRow.off_boarding_id)
    found = session.scalars(wanted.where(has_lines, is_replaced | OffBoardingRow.taken_back_at.is_not(None)))
    return [ManifestId(one) for one in found]


def forget_entries(session: Session, manifest_id: ManifestId, most: int) -> int:
    """Forget some lines of a manifest; return how many."""
    of_it = ManifestEntryRow.manifest_id == manifest_id
    some = select(ManifestEntryRow.segment_id).where(of_it).limit(most)
    return changed(session, delete(ManifestEntryRow).where(of_it, ManifestEntryRow.segment_id.in_(some)))


def _found(session: Session, wanted: Any) -> list[Manifest]:
    rows = session.scalars(wanted.execution_options(populate_existing=True))
    return [
        Manifest(
            id=ManifestId(row.id),
            off_boarding_id=OffBoardingId(row.off_boarding_id),
            number=row.number,
            operator_id=OperatorId(row.operator_id),
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            listed=row.listed,
            attempts=row.attempts,
            last_failure=row.last_failure,
            signed_at=row.signed_at,
            digest=row.digest,
            head=row.head,
        )
        for row in rows
    ]
