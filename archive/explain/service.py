"""Looking up what is known about one moment of one camera."""

from datetime import timedelta
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.erasure.tables import ErasureRow
from archive.explain.rules import Answer, Footage, Known, MayKnow, explain
from archive.mandates import store as mandates
from archive.mandates.rules import Cause
from archive.orders import store as orders
from archive.recorder.rules import opted_in
from archive.segments.rules import Span, State
from archive.segments.tables import GapRow, SegmentRow
from auth.tokens.rules import microseconds
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.ids import CameraId, RequestId


class OpenRequests(Protocol):
    """Whoever knows which requests of people are open."""

    def open_over(self, session: Session, camera_id: CameraId, moment_us: int) -> list[RequestId]:
        """Return the open requests about a moment of a camera, the oldest first."""
        ...


class Explainer:
    """Answers why something is there, or gone. Reads rows alone: no footage is opened for an answer."""

    def __init__(self, ledger: ConsentLedger, requests: OpenRequests, clock: Clock, sweep_every: timedelta) -> None:
        self._ledger = ledger
        self._requests = requests
        self._clock = clock
        self._sweep_us = sweep_every // timedelta(microseconds=1)

    def why(self, session: Session, camera_id: CameraId, moment_us: int, may: MayKnow) -> Answer:
        """Return the answer for an asker, of this moment of the database."""
        known = Known(
            moment_us=moment_us,
            now_us=microseconds(self._clock.for_reading()),
            was_opted_in=self._was_opted_in(session, camera_id, moment_us),
            footage=_footage(session, camera_id, moment_us),
            gap=_gap(session, camera_id, moment_us),
            orders=orders.touching(session, camera_id, Span(moment_us, moment_us + 1)),
            sweep_us=self._sweep_us,
            mandate=mandates.cause_at(session, camera_id, moment_us),
            requests=[str(one) for one in self._requests.open_over(session, camera_id, moment_us)],
        )
        return explain(known, may)

    def _was_opted_in(self, session: Session, camera_id: CameraId, moment_us: int) -> bool:
        stretches = opted_in(self._ledger.history(session, camera_id), ConsentKind.VIDEO_RECORDING)
        return any(
            microseconds(one.from_at) <= moment_us and (one.until is None or moment_us < microseconds(one.until))
            for one in stretches
        )


def _footage(session: Session, camera_id: CameraId, moment_us: int) -> Footage | None:
    # Times of a camera never overlap: only the newest that begins before the moment can reach it.
    row = session.execute(
        select(SegmentRow, ErasureRow.attempts, ErasureRow.last_failure, ErasureRow.cause)
        .outerjoin(ErasureRow, ErasureRow.id == SegmentRow.erasure_id)
        .where(SegmentRow.camera_id == camera_id, SegmentRow.starts_us <= moment_us)
        .order_by(SegmentRow.starts_us.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    segment: SegmentRow = row[0]
    if segment.ends_us is not None and segment.ends_us <= moment_us:
        return None
    return Footage(
        state=State(segment.state),
        starts_us=segment.starts_us,
        ends_us=segment.ends_us,
        keep_us=segment.keep_us,
        policy_version=segment.policy_version,
        destroy_from_us=segment.destroy_from_us,
        receipt="" if segment.receipt_id is None else str(segment.receipt_id),
        attempts=row[1] or 0,
        last_failure=row[2] or "",
        cause=Cause(row[3] or Cause.EXPIRY),
    )


def _gap(session: Session, camera_id: CameraId, moment_us: int) -> str:
    found = session.scalars(
        select(GapRow)
        .where(GapRow.camera_id == camera_id, GapRow.from_us <= moment_us)
        .order_by(GapRow.from_us.desc())
        .limit(1)
    ).one_or_none()
    if found is None or (found.until_us is not None and found.until_us <= moment_us):
        return ""
    return found.why
