"""Every moment of an opt-in in which nothing is recorded has a gap, with its reason; told as soon as somebody looks."""

from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from archive.recorder.rules import Why, opted_in
from archive.recorder.standing import EPOCH, micros
from archive.segments import gaps
from archive.segments import store as segments
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentEntry, ConsentKind
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.recording_times import store as recording_times
from vms_privacy.recording_times.errors import RecordingTimesUnreadable
from vms_privacy.recording_times.rules import Plan, changes, was_recorded_at

WORTH_TELLING_US: Final = 1_000_000
"""The fragment in hand when an opt-in ends is left out; a stretch as short as that is no absence."""


def catch_up(
    session: Session, randomness: Randomness, ledger: ConsentLedger, camera_id: CameraId, current: ConsentEntry | None
) -> None:
    """End the open gap where the opt-in ended that it is of, and tell of opt-ins that came and went unheard.

    What is accounted for under `current`, the opt-in in force, is left as it is.
    """
    open_since_us = gaps.open_since(session, camera_id)
    told_us = max(segments.last_end_us(session, camera_id) or 0, gaps.last_end_us(session, camera_id) or 0)
    if current is not None and max(told_us, open_since_us or 0) >= micros(current.from_at):
        return
    history = ledger.history(session, camera_id)
    for span in opted_in(history, ConsentKind.VIDEO_RECORDING):
        if span.until is None or (current is not None and span.entry_id == current.entry_id):
            continue
        from_us, until_us = micros(span.from_at), micros(span.until)
        if open_since_us is not None and open_since_us < until_us:
            _end(session, randomness, camera_id, until_us)
            open_since_us, told_us = None, until_us
        if until_us - max(told_us, from_us) >= WORTH_TELLING_US:
            why = Why.WITHDRAWN if told_us > from_us else Why.NOT_RUNNING
            begin(session, randomness, history[0].operator_id, camera_id, max(told_us, from_us), why)
            _end(session, randomness, camera_id, until_us, why)
        told_us = max(told_us, until_us)
    if open_since_us is not None:
        # It began when nobody had opted in: it never was one.
        gaps.end(session, camera_id, open_since_us)


def begin(
    session: Session, randomness: Randomness, operator_id: OperatorId, camera_id: CameraId, from_us: int, why: Why
) -> None:
    """Begin a gap, unless one is open; where it begins outside of the recording times, that is its reason."""
    gaps.begin(session, randomness, operator_id, camera_id, from_us, _why_at(session, camera_id, from_us, why))


def go_on(session: Session, randomness: Randomness, camera_id: CameraId, until_us: int, why: Why) -> None:
    """Cut the open gap wherever the recording times began or ended in it; inside of them `why` is the reason.

    A plan that cannot be read cuts nothing: the recorder has told that by then.
    """
    open_since_us, plans = gaps.open_since(session, camera_id), _plans(session, camera_id)
    if open_since_us is None or not plans:
        return
    after, before = (EPOCH + timedelta(microseconds=at_us) for at_us in (open_since_us, until_us))
    if not was_recorded_at(plans, after):
        gaps.rename(session, camera_id, Why.OUTSIDE_TIMES, unless=Why.TIMES_UNREADABLE)
    inside = Why.WAITING_FOR_KEY_PICTURE if why is Why.OUTSIDE_TIMES else why
    for moment in changes(plans, after, before):
        is_inside = was_recorded_at(plans, moment)
        gaps.cut(session, randomness, camera_id, micros(moment), inside if is_inside else Why.OUTSIDE_TIMES)


def fill(
    session: Session,
    randomness: Randomness,
    operator_id: OperatorId,
    camera_id: CameraId,
    since_us: int,
    until_us: int,
    why: Why,
) -> None:
    """Account for everything between the newest footage and the one that begins now, and end the open gap there.

    `since_us` is the end of the newest footage, or the opt-in. Where a gap is there it is stretched or shortened to
    begin there, since only now it is known what was kept of the footage before; where none is, one with `why` is made.
    """
    if gaps.open_since(session, camera_id) is None:
        begin(session, randomness, operator_id, camera_id, since_us, why)
    else:
        gaps.reach_back(session, camera_id, since_us)
    _end(session, randomness, camera_id, until_us, why)


def _end(
    session: Session, randomness: Randomness, camera_id: CameraId, until_us: int, why: Why = Why.NOT_RUNNING
) -> None:
    go_on(session, randomness, camera_id, until_us, why)
    gaps.end(session, camera_id, until_us)


def _why_at(session: Session, camera_id: CameraId, at_us: int, why: Why) -> Why:
    if why is Why.TIMES_UNREADABLE or was_recorded_at(
        _plans(session, camera_id), EPOCH + timedelta(microseconds=at_us)
    ):
        return why
    return Why.OUTSIDE_TIMES


def _plans(session: Session, camera_id: CameraId) -> tuple[Plan, ...]:
    try:
        return recording_times.history(session, camera_id)
    except RecordingTimesUnreadable:
        return ()
