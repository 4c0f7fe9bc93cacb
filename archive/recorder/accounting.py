"""Opt-ins that ended without the recorder hearing of it: told in gaps as soon as somebody looks again."""

from typing import Final

from sqlalchemy.orm import Session

from archive.recorder.rules import Why, opted_in
from archive.recorder.standing import micros
from archive.segments import gaps
from archive.segments import store as segments
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind, RecordingPermit
from vms_privacy.ids import CameraId, Randomness

WORTH_TELLING_US: Final = 1_000_000
"""The fragment in hand when an opt-in ends is left out; a stretch as short as that is no absence."""


def catch_up(
    session: Session, randomness: Randomness, ledger: ConsentLedger, camera_id: CameraId, permit: RecordingPermit | None
) -> None:
    """End the open gap where the opt-in ended that it is of, and tell of opt-ins that came and went unheard.

    What is accounted for under `permit`, the one in force, is left as it is.
    """
    open_since_us = gaps.open_since(session, camera_id)
    told_us = max(segments.last_end_us(session, camera_id) or 0, gaps.last_end_us(session, camera_id) or 0)
    if permit is not None and max(told_us, open_since_us or 0) >= micros(permit.given_at):
        return
    history = ledger.history(session, camera_id)
    for span in opted_in(history, ConsentKind.VIDEO_RECORDING):
        if span.until is None or (permit is not None and span.entry_id == permit.entry_id):
            continue
        from_us, until_us = micros(span.from_at), micros(span.until)
        if open_since_us is not None and open_since_us < until_us:
            gaps.end(session, camera_id, until_us)
            open_since_us, told_us = None, until_us
        if until_us - max(told_us, from_us) >= WORTH_TELLING_US:
            why = Why.WITHDRAWN if told_us > from_us else Why.NOT_RUNNING
            gaps.begin(session, randomness, history[0].operator_id, camera_id, max(told_us, from_us), why)
            gaps.end(session, camera_id, until_us)
        told_us = max(told_us, until_us)
    if open_since_us is not None:
        # It began when nobody had opted in: it never was one.
        gaps.end(session, camera_id, open_since_us)
