"""The gaps of an opted-in camera: from when to when it was not recorded, and why. Nothing here commits.

Promise: with the segments they account for every moment of an opt-in. At most one gap of a camera is open.
"""

from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from archive.segments.rules import Span
from archive.segments.tables import GapRow
from vms_privacy.ids import CameraId, OperatorId, Randomness


def begin(
    session: Session, randomness: Randomness, operator_id: OperatorId, camera_id: CameraId, from_us: int, why: str
) -> None:
    """Begin a gap, unless one is open already: the first reason stands."""
    if open_since(session, camera_id) is None:
        session.add(
            GapRow(id=randomness.uuid(), operator_id=operator_id, camera_id=camera_id, from_us=from_us, why=why)
        )
        session.flush()


def end(session: Session, camera_id: CameraId, until_us: int) -> None:
    """End the open gap, if there is one. One that would have no length never was."""
    is_open = (GapRow.camera_id == camera_id, GapRow.until_us.is_(None))
    session.execute(delete(GapRow).where(*is_open, GapRow.from_us >= until_us))
    session.execute(update(GapRow).where(*is_open).values(until_us=until_us))


def cut(session: Session, randomness: Randomness, camera_id: CameraId, at_us: int, why: str) -> None:
    """End the open gap at a moment and go on with another of another reason; one with that reason already goes on."""
    row = session.scalars(select(GapRow).where(GapRow.camera_id == camera_id, GapRow.until_us.is_(None))).one()
    if row.why == why:
        return
    operator_id, at_us = OperatorId(row.operator_id), max(at_us, row.from_us)
    end(session, camera_id, at_us)
    begin(session, randomness, operator_id, camera_id, at_us, why)


def rename(session: Session, camera_id: CameraId, why: str, unless: str) -> None:
    """Give the open gap another reason, but for one that stays."""
    session.execute(
        update(GapRow)
        .where(GapRow.camera_id == camera_id, GapRow.until_us.is_(None), GapRow.why.not_in((why, unless)))
        .values(why=why)
    )


def reach_back(session: Session, camera_id: CameraId, since_us: int) -> None:
    """Let the first of the gaps behind `since_us` begin there: the one that is open, or those that it was cut from."""
    mine = (GapRow.camera_id == camera_id, or_(GapRow.until_us.is_(None), GapRow.until_us > since_us))
    first = session.scalars(select(GapRow.id).where(*mine).order_by(GapRow.from_us).limit(1)).one_or_none()
    if first is not None:
        session.execute(update(GapRow).where(GapRow.id == first).values(from_us=since_us))


def pull_to(session: Session, camera_id: CameraId, after_us: int, from_us: int) -> None:
    """Let the first gap that begins at or after `after_us` begin at `from_us`: less was kept than was thought."""
    first = session.scalar(
        select(func.min(GapRow.from_us)).where(GapRow.camera_id == camera_id, GapRow.from_us >= after_us)
    )
    if first is not None and first > from_us:
        session.execute(
            update(GapRow).where(GapRow.camera_id == camera_id, GapRow.from_us == first).values(from_us=from_us)
        )


def open_since(session: Session, camera_id: CameraId) -> int | None:
    """Return when the open gap of a camera began, or None where none is open."""
    return session.scalar(select(GapRow.from_us).where(GapRow.camera_id == camera_id, GapRow.until_us.is_(None)))


def last_end_us(session: Session, camera_id: CameraId) -> int | None:
    """Return when the newest gap of a camera that is over ended."""
    return session.scalar(select(func.max(GapRow.until_us)).where(GapRow.camera_id == camera_id))


def cameras_with_open_ones(session: Session) -> list[CameraId]:
    """Return every camera with an open gap."""
    return [CameraId(one) for one in session.scalars(select(GapRow.camera_id).where(GapRow.until_us.is_(None)))]


def touching(session: Session, camera_id: CameraId, span: Span) -> Sequence[GapRow]:
    """Return the gaps of a camera that touch a span, by time."""
    return session.scalars(
        select(GapRow)
        .where(
            GapRow.camera_id == camera_id,
            GapRow.from_us < span.until_us,
            or_(GapRow.until_us.is_(None), GapRow.until_us > span.from_us),
        )
        .order_by(GapRow.from_us)
    ).all()
