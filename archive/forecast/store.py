"""What a forecast goes by, asked for all cameras at once."""

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from archive.forecast.rules import Amount, Camera
from archive.retention import store as retention
from archive.retention.rules import DEFAULT_TERMS
from archive.segments.days import DAY_US
from archive.segments.tables import FootageDayRow, SegmentRow
from auth.resources.tables import ResourceRow
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.consent.tables import ConsentHeadRow
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.recording_times import store as recording_times
from vms_privacy.recording_times.rules import ALWAYS

_HOUR_US = 3_600_000_000


def cameras(session: Session, now_us: int, seen: Callable[[CameraId], int | None]) -> dict[CameraId, Camera]:
    """Return every camera there is or was, with what is stored of it and what is set for it."""
    opted_in = _opted_in(session, now_us)
    stored = _amounts(session, 0)
    lately = _amounts(session, now_us // DAY_US - 1)
    # What is kept for a short time leaves no sums: its rows tell for a while what it came to.
    rows = _of_rows(session, opted_in - stored.keys(), now_us - _HOUR_US)
    own, terms, plans = retention.of_all(session), retention.all_terms(session), recording_times.every(session)
    found = {}
    for row in session.execute(select(ResourceRow.camera_id, ResourceRow.operator_id, ResourceRow.removed_at)):
        camera_id, operator_id = CameraId(row.camera_id), OperatorId(row.operator_id)
        keep_for = own.get(camera_id) or terms.get(operator_id, DEFAULT_TERMS).keep_for
        found[camera_id] = Camera(
            camera_id,
            operator_id,
            is_recorded=camera_id in opted_in and row.removed_at is None,
            keep_us=int(keep_for.total_seconds()) * 1_000_000,
            plan=plans.get(camera_id, ALWAYS),
            stored=stored.get(camera_id, Amount()),
            lately=lately.get(camera_id) or rows.get(camera_id, Amount()),
            seen_bytes_per_s=seen(camera_id),
        )
    return found


def _opted_in(session: Session, now_us: int) -> set[CameraId]:
    heads = select(ConsentHeadRow.camera_id).where(
        ConsentHeadRow.kind == ConsentKind.VIDEO_RECORDING,
        ConsentHeadRow.active_entry_id.is_not(None),
        or_(ConsentHeadRow.until_us.is_(None), ConsentHeadRow.until_us > now_us),
    )
    return {CameraId(one) for one in session.scalars(heads)}


def _amounts(session: Session, since_day: int) -> dict[CameraId, Amount]:
    sums = (
        select(
            FootageDayRow.camera_id,
            func.sum(FootageDayRow.size_bytes).label("size_bytes"),
            func.sum(FootageDayRow.recorded_us).label("recorded_us"),
        )
        .where(FootageDayRow.day >= since_day)
        .group_by(FootageDayRow.camera_id)
    )
    return {CameraId(row.camera_id): _amount(row) for row in session.execute(sums)}


def _of_rows(session: Session, camera_ids: Collection[CameraId], since_us: int) -> dict[CameraId, Amount]:
    if not camera_ids:
        return {}
    sums = (
        select(
            SegmentRow.camera_id,
            func.sum(SegmentRow.size_bytes).label("size_bytes"),
            func.sum(SegmentRow.ends_us - SegmentRow.starts_us).label("recorded_us"),
        )
        .where(SegmentRow.camera_id.in_(camera_ids), SegmentRow.ends_us > since_us, SegmentRow.size_bytes.is_not(None))
        .group_by(SegmentRow.camera_id)
    )
    return {CameraId(row.camera_id): _amount(row) for row in session.execute(sums)}


def _amount(row: Any) -> Amount:
    return Amount(int(row.size_bytes), int(row.recorded_us))
