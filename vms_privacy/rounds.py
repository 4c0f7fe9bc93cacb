"""What comes round by time while the service runs, and how often."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from archive.receipts.rounds import sign_due
from vms_privacy.app import Assembly
from vms_privacy.camera_care import CameraCare
from vms_privacy.journal.journal import JournalIsDamaged, JournalUnavailable
from vms_privacy.worker import Job

_IN_CUSTODY: Final = frozenset({"seal", "checkpoint", "clock", "refusals", "forget", "journal"})
_SECOND: Final = timedelta(seconds=1)


def jobs_of(parts: Assembly) -> list[Job]:
    """Return everything that comes round by time."""
    return [
        # Apart from the judging: that may wait for the database, and must not make the view think it is deaf.
        Job("heartbeat", timedelta(milliseconds=250), lambda: _quiet(parts.revocation.heartbeat)),
        Job("rejudge", timedelta(milliseconds=250), lambda: _quiet(parts.sessions.rejudge)),
        Job("restrictions", timedelta(seconds=5), lambda: _quiet(parts.live_restrictions.read)),
        Job("forget-tokens", timedelta(hours=1), lambda: _forget_tokens(parts)),
        # Often and little: a second's worth at once would hold up everybody who waits for a token just then.
        Job("seal", timedelta(milliseconds=100), lambda: _quiet(parts.sealer.seal_once)),
        Job("checkpoint", timedelta(seconds=60), lambda: _quiet(parts.sealer.checkpoint_once)),
        Job("clock", _SECOND, lambda: _quiet(parts.clock_care.round)),
        Job("refusals", timedelta(seconds=60), lambda: _quiet(parts.refusals.flush_once)),
        Job("forget", timedelta(seconds=5), lambda: _forget(parts)),
        Job("camera-events", timedelta(seconds=5), lambda: _quiet(parts.camera_events.retry)),
        Job("sweep", parts.settings.sweep_every, lambda: ",".join(parts.eraser.sweep().failed.values())),
        # A mandate waits for nobody's sweep: from its approval on nobody reads what it is about.
        Job("mandates", _SECOND, lambda: ",".join(parts.eraser.carry_out_mandates().failed.values())),
        Job("deliver", timedelta(seconds=5), lambda: ",".join(parts.recorder.deliver().failed.values())),
        Job("receipts", timedelta(minutes=1), lambda: ",".join(sign_due(parts.db, parts.receipts).failed.values())),
        Job("summaries", timedelta(hours=1), lambda: ",".join(parts.summaries.sign_due().failed.values())),
        Job("requests", timedelta(minutes=1), lambda: _see_to_requests(parts)),
        # Apart: the files of a whole operator are read for hours, and nobody's destruction waits for that.
        Job("manifests", _SECOND, lambda: _list_everything(parts)),
        Job("off-boardings", _SECOND, lambda: _off_board(parts)),
        Job("root", timedelta(seconds=60), lambda: _quiet(parts.root_care.round)),
        Job("journal", timedelta(hours=1), lambda: _verify_journal(parts)),
    ]


def jobs_in_custody(parts: Assembly) -> list[Job]:
    """Return what comes round while the database is in custody: the audit and the clock, and nothing with footage."""
    return [one for one in jobs_of(parts) if one.name in _IN_CUSTODY]


def cameras_job(care: CameraCare) -> Job:
    """Return what tries failed cameras again. One of them makes no service unready: `vms_cameras_failed` counts it."""
    return Job("cameras", timedelta(seconds=5), lambda: _quiet(care.round))


def _see_to_requests(parts: Assembly) -> str:
    return parts.request_care.round()


def _list_everything(parts: Assembly) -> str:
    return parts.manifest_maker.round()


def _off_board(parts: Assembly) -> str:
    return parts.off_boarding_rounds.round()


def _forget_tokens(parts: Assembly) -> str:
    with parts.db.writing() as session:
        parts.withdrawals.forget(session)
    return ""


def _forget(parts: Assembly) -> str:
    parts.keys.forget_old()
    parts.keyring.forget_old()
    parts.revocation.forget_old()
    return ""


def _verify_journal(parts: Assembly) -> str:
    """Read the whole journal; whether it is as written stands in the job's state, where readiness finds it."""
    try:
        return "" if parts.journal.verify().ok else JournalIsDamaged.code
    except JournalUnavailable as unavailable:
        return unavailable.code


def _quiet(run: Callable[[], object]) -> str:
    run()
    return ""
