"""What the time between two runs of the service looks like in the gaps."""

from sqlalchemy.orm import Session

from archive.recorder.rows import Tools
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments import store as segments
from auth.resources.store import ResourceStore
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId


def account_for_the_absence(tools: Tools) -> dict[CameraId, str]:
    """Begin the gap of every opted-in camera until its first segment, and end those whose opt-in is over.

    Return the cameras for which that could not be done, each with a code: one camera's damage stops no other's work.
    """
    with tools.db.reading() as session:
        opted_in = tools.ledger.opted_in(session)
        owners = ResourceStore().by_ids(session, opted_in)
        open_gaps = gaps.cameras_with_open_ones(session)
    failed: dict[CameraId, str] = {}
    for camera_id in sorted({*owners, *open_gaps}):
        owner = owners.get(camera_id)
        try:
            with tools.db.writing() as session:
                _account_for(tools, session, camera_id, None if owner is None else owner.operator_id)
        except Refusal as refusal:
            failed[camera_id] = refusal.code
    return failed


def _account_for(tools: Tools, session: Session, camera_id: CameraId, operator_id: OperatorId | None) -> None:
    permit = tools.ledger.permit(session, camera_id)
    if permit is None or operator_id is None:
        stopped_at = tools.ledger.stopped_at(session, camera_id)
        if stopped_at is not None:
            gaps.end(session, camera_id, micros(stopped_at))
        return
    last_us = segments.last_end_us(session, camera_id) or 0
    from_us = min(max(last_us, micros(permit.given_at)), micros(tools.clock.now()))
    gaps.begin(session, tools.randomness, operator_id, camera_id, from_us, Why.NOT_RUNNING)
