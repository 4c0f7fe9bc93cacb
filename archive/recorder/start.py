"""What is done once, at the start, before anything records or erases."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from archive.blobs.store import BlobStore
from archive.erasure.unused_keys import UnusedKeys, destroy_unused_keys
from archive.keys.service import BucketKeys
from archive.recorder.accounting import begin, catch_up, go_on
from archive.recorder.recovery import Recovery, RecoveryReport
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.recorder.tools import Tools
from archive.segments import gaps
from archive.segments import store as segments
from auth.resources.store import ResourceStore
from vms_privacy.audit.log import AuditLog
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId
from vms_privacy.journal.journal import Journal


@dataclass(frozen=True, slots=True)
class StartReport:
    """What a start found and did. `failed_cameras`: since when they are not recorded could not be told, and why."""

    recovered: RecoveryReport
    failed_cameras: dict[CameraId, str]
    keys: UnusedKeys


def bring_in_order(
    tools: Tools, recovery: Recovery, buckets: BucketKeys, blobs: BlobStore, journal: Journal, audit: AuditLog
) -> StartReport:
    """Close what a crash left open, account for the absence, destroy the keys that nothing needs; in this order.

    Keys come last: by then every file that a crash left in the spool has a row or is gone. Raises FileNotFoundError
    where the spool is not there, KeyringUnavailable, JournalUnavailable.
    """
    recovered = recovery.recover()
    failed_cameras = account_for_the_absence(tools)
    unused = destroy_unused_keys(tools.db, buckets, blobs, tools.spool, journal, audit, tools.clock)
    return StartReport(recovered, failed_cameras, unused)


def account_for_the_absence(tools: Tools) -> dict[CameraId, str]:
    """Begin the gap of every opted-in camera until its first segment, and end those whose opt-in is over.

    Return the cameras for which that could not be done, each with a code: one camera's damage stops no other's work.
    """
    with tools.db.reading() as session:
        cameras = {*tools.ledger.opted_in(session), *gaps.cameras_with_open_ones(session)}
    failed: dict[CameraId, str] = {}
    for camera_id in sorted(cameras):
        try:
            with tools.db.writing() as session:
                _account_for(tools, session, camera_id)
        except Refusal as refusal:
            failed[camera_id] = refusal.code
    return failed


def _account_for(tools: Tools, session: Session, camera_id: CameraId) -> None:
    opt_in = tools.ledger.in_force(session, camera_id)
    catch_up(session, tools.randomness, tools.ledger, camera_id, opt_in)
    owner = ResourceStore().by_id(session, camera_id)
    if opt_in is None or owner is None:
        return
    last_us = segments.last_end_us(session, camera_id) or 0
    now_us = micros(tools.clock.now())
    from_us = min(max(last_us, micros(opt_in.from_at)), now_us)
    begin(session, tools.randomness, owner.operator_id, camera_id, from_us, Why.NOT_RUNNING)
    go_on(session, tools.randomness, camera_id, now_us, Why.NOT_RUNNING)
