"""What one camera's recorder has heard of opt-in and retention, asked anew before every fragment (P1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from archive.recorder.heads import Heads
from archive.recorder.rows import CameraRows
from archive.recorder.rules import Why
from archive.recorder.standing import Standing, is_unchanged
from archive.recorder.tools import Tools
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId
from vms_privacy.recording_times.errors import RecordingTimesUnreadable

DATABASE_MAY_BE_AWAY_S: Final = 60.0


class Hearing:
    """Asks the ledger, as little of it as will do; `failed` is called each time when it could not be asked."""

    def __init__(
        self, tools: Tools, rows: CameraRows, heads: Heads, camera_id: CameraId, failed: Callable[[], None]
    ) -> None:
        self._tools = tools
        self._rows = rows
        self._heads = heads
        self._camera_id = camera_id
        self._failed = failed
        self._standing: Standing | None = None

    @property
    def is_due(self) -> bool:
        """Say whether an opt-in may have ended by itself, recording times have begun, or nothing is known."""
        known = self._standing
        return known is None or known.is_due(self._tools.clock.for_reading())

    def since(self, came_s: float) -> Standing | Why:
        """Return what the ledger says after `came_s` (monotonic), or why nothing may be written.

        While the database is away, what was heard last holds for a minute: there is nowhere to withdraw it, either.
        An opt-in that ends by itself ends then as well.
        """
        heard = self._heard(came_s)
        return heard if isinstance(heard, Why) else heard.at(self._tools.clock.for_reading())

    def _heard(self, came_s: float) -> Standing | Why:
        try:
            return self._follow(came_s)
        except SQLAlchemyError:
            self._failed()
            known = self._standing
            if known is None or self._tools.clock.monotonic() - known.heard_s > DATABASE_MAY_BE_AWAY_S:
                return Why.DATABASE_REFUSED
            return known
        except RecordingTimesUnreadable:
            # Nobody knows when this camera may be recorded: it is not.
            self._failed()
            self.forget()
            return Why.TIMES_UNREADABLE
        except Refusal:
            # The ledger contradicts itself: nobody knows whether there is an opt-in.
            self._failed()
            self.forget()
            return Why.LEDGER_DISAGREES

    def anew(self) -> Standing:
        """Ask for all of it. Raises SQLAlchemyError, LedgerDisagrees, RecordingTimesUnreadable."""
        with self._tools.db.reading() as session:
            self._standing = self._rows.ask(session)
        return self._standing

    def learn(self, standing: Standing) -> None:
        """Take over what another transaction has just asked for."""
        self._standing = standing

    def forget(self) -> None:
        """Trust nothing that was heard so far."""
        self._standing = None

    def _follow(self, came_s: float) -> Standing:
        """Ask for everything, or only for the head of the ledger as long as nothing has changed."""
        known = self._standing
        if known is not None and not known.is_due(self._tools.clock.for_reading()):
            if is_unchanged(self._heads.since(came_s), self._camera_id, known):
                self._standing = replace(known, heard_s=self._tools.clock.monotonic())
                return self._standing
            # Whatever becomes of asking for the rest: what was heard before counts no more.
            self.forget()
            return self.anew()
        self._heads.refuse_while_resting()
        try:
            return self.anew()
        except SQLAlchemyError as error:
            self._heads.failed(error)
            raise
