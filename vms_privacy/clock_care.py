"""Looking at the clock every second; every doubt about the time is in the audit, and who settled it."""

from datetime import timedelta

from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.db import Database
from vms_privacy.guarded_clock import ClockMarkUnusable, GuardedClock, Settled
from vms_privacy.time_doubt import TimeDoubt


class ClockCare:
    """Has the witnesses of the time looked at, and lets no doubt come or go without a trace."""

    def __init__(self, clock: GuardedClock, db: Database, audit: AuditLog) -> None:
        self._clock = clock
        self._db = db
        self._audit = audit
        self._noted: TimeDoubt | None = None

    def round(self) -> None:
        """Look, and note a doubt that was not noted yet. Raises what looking and writing raise."""
        doubt = self._clock.check()
        if doubt is not None and doubt != self._noted:
            self._note(Event(Tag.CLOCK_IN_DOUBT, self._clock.now(), "worker:clock", Outcome.FAILED, reason=doubt.cause))
        self._noted = doubt

    def settle(self, actor: str, reason: str) -> Settled:
        """End the doubt, in `actor`'s name; that is durable in the audit before it takes effect.

        Raises NothingToSettle, ClocksDisagree, ClockMarkUnusable, which is noted too, and what writing raises.
        """

        def about_to(settled: Settled) -> None:
            self._note(_settling(settled, reason, Outcome.DONE))

        try:
            return self._clock.settle(actor, about_to)
        except ClockMarkUnusable:
            doubt = self._clock.doubt
            if doubt is not None:
                self._note(_settling(Settled(actor, self._clock.now(), doubt), reason, Outcome.FAILED))
            raise

    def _note(self, event: Event) -> None:
        with self._db.writing() as session:
            self._audit.note(session, event)


def _settling(settled: Settled, reason: str, outcome: Outcome) -> Event:
    detail: dict[str, str | int | bool | None] = {
        "cause": settled.doubt.cause,
        "apart_s": int(settled.doubt.apart / timedelta(seconds=1)),
    }
    return Event(Tag.CLOCK_SETTLED, settled.at, settled.actor, outcome, reason=reason, detail=detail)
