"""Queries over recording times."""

from collections.abc import Sequence
from datetime import UTC

from sqlalchemy import select
from sqlalchemy.orm import Session

from vms_privacy.ids import CameraId
from vms_privacy.recording_times.errors import RecordingTimesUnreadable
from vms_privacy.recording_times.rules import ALWAYS, Plan, judge_plan, read_stretch
from vms_privacy.recording_times.tables import RecordingTimesRow
from vms_privacy.recording_times.zones import zone_named


def history(session: Session, camera_id: CameraId) -> tuple[Plan, ...]:
    """Return every plan of a camera, oldest first; none where nobody set one.

    An older one that cannot be read is told as one that allowed nothing, and so it was. Raises RecordingTimesUnreadable
    where the one that decides cannot be read.
    """
    found = rows(session, camera_id)
    return (*(_as_it_was(row) for row in found[:-1]), *(_plan(row) for row in found[-1:]))


def current(session: Session, camera_id: CameraId) -> Plan:
    """Return the plan that decides. Raises RecordingTimesUnreadable."""
    newest = rows(session, camera_id)[-1:]
    return _plan(newest[0]) if newest else ALWAYS


def every(session: Session) -> dict[CameraId, Plan]:
    """Return the plan that decides of every camera that has one; one that cannot be read records nothing."""
    found = session.scalars(select(RecordingTimesRow).order_by(RecordingTimesRow.version))
    return {CameraId(camera_id): _as_it_was(row) for camera_id, row in {row.camera_id: row for row in found}.items()}


def rows(session: Session, camera_id: CameraId) -> Sequence[RecordingTimesRow]:
    """Return every version of a camera's recording times as it is kept, oldest first."""
    return session.scalars(
        select(RecordingTimesRow).where(RecordingTimesRow.camera_id == camera_id).order_by(RecordingTimesRow.version)
    ).all()


def _as_it_was(row: RecordingTimesRow) -> Plan:
    try:
        return _plan(row)
    except RecordingTimesUnreadable:
        return Plan(row.version, row.zone, UTC, (), row.set_at)


def _plan(row: RecordingTimesRow) -> Plan:
    zone = zone_named(row.zone)
    if zone is None:
        raise RecordingTimesUnreadable("the time zone is not known here", zone=row.zone)
    try:
        stretches = tuple(read_stretch(one) for one in row.stretches.split(" "))
    except ValueError:
        raise RecordingTimesUnreadable("the stretches cannot be read") from None
    if judge_plan(stretches) is not None:
        raise RecordingTimesUnreadable("the stretches are no plan")
    return Plan(row.version, row.zone, zone, stretches, row.set_at)
