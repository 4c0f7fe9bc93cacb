"""What the audit hears of a check: that it opens files, what came of it, and each thing it mended or moved away."""

from collections.abc import Mapping
from typing import Final

from archive.blobs.rules import is_name
from archive.check.rules import Depth
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId

_ACTOR: Final = "worker:check"
Detail = Mapping[str, str | int | bool | None]


class CheckAudit:
    """Notes the acts of a check, each in a transaction of its own. Every method raises what the database does."""

    def __init__(self, db: Database, audit: AuditLog, clock: Clock) -> None:
        self._db = db
        self._audit = audit
        self._clock = clock

    def opens_files(self) -> None:
        """Note that files are going to be opened, before the first one is."""
        self._note(Tag.CHECK_BEGUN, {"depth": Depth.OPENS.word})

    def done(self, detail: Detail, *, is_clean: bool) -> None:
        """Note what a check looked at and how much it found."""
        self._note(Tag.CHECK_DONE, detail, Outcome.DONE if is_clean else Outcome.FAILED)

    def mended(self, how: str, name: str, camera_id: CameraId | None) -> None:
        """Note one thing that was mended."""
        self._note(Tag.CHECK_MENDED, {"how": how, "name": _ours(name)}, camera_id=camera_id)

    def recounted(self, how: str, camera_id: CameraId, why: str) -> None:
        """Note that a camera's sums were made anew, and what they said before."""
        self._note(Tag.CHECK_MENDED, {"how": how, "why": why}, camera_id=camera_id)

    def quarantined(self, place: str, name: str) -> None:
        """Note one thing that was moved away."""
        self._note(Tag.QUARANTINED, {"place": place, "name": _ours(name)})

    def _note(
        self, tag: Tag, detail: Detail, outcome: Outcome = Outcome.DONE, camera_id: CameraId | None = None
    ) -> None:
        event = Event(tag, self._clock.now(), _ACTOR, outcome, camera_id=camera_id, detail=detail)
        with self._db.writing() as session:
            self._audit.note(session, event)


def _ours(name: str) -> str | None:
    """Return a name that we gave; one that somebody chose stays out of the audit."""
    return name if is_name(name) else None
