"""Keeping the keyring's root young: what receipts promise about older copies rests on it (P5).

Promise: while the service runs, whatever root is in use is destroyed within its life, over restarts and crashes, and
nothing that makes or destroys a key waits for more than one batch of pages. Rules: `keyring/rules.py`, `why_rotate`.
"""

from collections.abc import Callable, Generator
from typing import Final

from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.root_rotation import AT_ONCE, RootRotation, RotatedRoot, Step
from vms_privacy.keyring.rules import WhyRotate

AT_A_TIME_S: Final = 5.0
PAUSE_S: Final = 0.01
ACTOR: Final = "worker:root"


class RootCare:
    """Looks at the root once a round, and rotates it piece by piece. One thread calls `round`.

    `pause` waits that many seconds, after every batch of some `at_once` keys: whoever makes a key meanwhile needs the
    interpreter more than its page, and the keyring's locks know no queue.
    """

    def __init__(
        self,
        keyring: FolderKeyring,
        journal: Journal,
        db: Database,
        audit: AuditLog,
        clock: Clock,
        pause: Callable[[float], object],
        at_once: int = AT_ONCE,
    ) -> None:
        self._keyring = keyring
        self._journal = journal
        self._db = db
        self._audit = audit
        self._clock = clock
        self._pause = pause
        self._at_once = at_once
        self._rotation: RootRotation | None = None
        self._steps: Generator[Step, None, None] | None = None

    def round(self) -> RotatedRoot | None:
        """Begin a rotation if one is due, go on with one that is not over; return what a finished one did.

        Works for some five seconds: the rest comes in the next round, or after the next start. Raises
        KeyringUnavailable, JournalUnavailable; the next round goes on where this one stopped.
        """
        why = self._keyring.why_rotate_root()
        if why is None:
            self._steps = None
            return None
        if why is not WhyRotate.INTERRUPTED:
            self._note_begun(why)
        rotation, steps = self._going()
        began_s = self._clock.monotonic()
        try:
            while self._clock.monotonic() - began_s < AT_A_TIME_S:
                if next(steps) is Step.DESTROYED:
                    self._steps = None
                    self._note_done(rotation.done)
                    return rotation.done
                self._pause(PAUSE_S)
        except Exception:
            # Steps that ended in an error cannot be gone on with; the manifest tells new ones where to begin.
            self._steps = None
            raise
        return None

    def _going(self) -> tuple[RootRotation, Generator[Step, None, None]]:
        if self._rotation is None or self._steps is None:
            self._rotation = self._keyring.root_rotation(self._at_once)
            self._steps = self._rotation.steps()
        return self._rotation, self._steps

    def _note_begun(self, why: WhyRotate) -> None:
        """Write first: whoever restores an older keyring reads here which root must not come back to use."""
        self._steps = None
        retires = self._keyring.root_version
        self._journal.append(JournalKind.ROOT_ROTATED, {"retires": retires})
        with self._db.writing() as session:
            detail: dict[str, str | int | bool | None] = {"retires": retires}
            event = Event(Tag.ROOT_ROTATION_BEGUN, self._clock.now(), ACTOR, reason=why, detail=detail)
            self._audit.note(session, event)

    def _note_done(self, done: RotatedRoot) -> None:
        with self._db.writing() as session:
            detail: dict[str, str | int | bool | None] = {
                "root": done.version,
                "rewrapped": done.rewrapped,
                "destroyed": done.destroyed,
            }
            self._audit.note(session, Event(Tag.ROOT_ROTATED, self._clock.now(), ACTOR, detail=detail))
