"""The one engine for every erasure (docs/design/archive-lifecycle.md)."""

import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from archive.erasure import claims, store
from archive.erasure.beginning import Batch, begin
from archive.erasure.claims import Claimed
from archive.erasure.mandated import MandateRounds
from archive.erasure.replay import Marked, mark_again
from archive.erasure.rules import BATCH, Debt, DebtPart, Step, in_turns, total
from archive.erasure.steps import Steps
from archive.erasure.store import Erasure
from archive.erasure.tools import SweepReport, Tools, code_of
from archive.mandates.rules import Cause
from archive.segments.rules import Segment
from auth.tokens.rules import microseconds
from vms_privacy.ids import ErasureId, OperatorId
from vms_privacy.journal.rules import JournalEntry

MOST_AT_ONCE: Final = 20_000


class Eraser:
    """The one engine for every erasure. One round at a time; a crash anywhere is resumed from the rows.

    Several workers, each with an engine of its own, share the work: `claims`.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._steps = Steps(tools)
        self._mandates = MandateRounds(tools, self._steps)
        self._one_round = threading.Lock()

    @property
    def uncounted_failures(self) -> int:
        """How many failures the database could not note."""
        return self._steps.uncounted_failures

    def sweep(self) -> SweepReport:
        """Go on with what is unfinished, carry out mandates, then destroy what is due on the clock for destroying.

        Never early (P4). What fails is in the report, counted and tried again; it keeps nothing else from being
        destroyed (P12).
        """
        with self._one_round:
            report = SweepReport()
            self._go_on(report)
            self._mandates.carry_out(report)
            while True:
                now_us = microseconds(self._tools.clock.for_destroying())
                with self._tools.db.reading() as session:
                    due = store.due(session, now_us, MOST_AT_ONCE)
                # By bucket: of one that goes as a whole nothing has to be re-wrapped.
                due.sort(key=lambda one: (one.camera_id, one.starts_us))
                left = [one for batch in in_turns(due, BATCH) for one in self._expire(batch, report)]
                # Once more for what was left to another worker: it may be done with the bucket by now.
                for batch in in_turns(left, BATCH):
                    self._expire(batch, report)
                if len(due) < MOST_AT_ONCE or not report.is_clean:
                    return report

    def go_on(self) -> SweepReport:
        """Go on with what is marked, and begin nothing."""
        with self._one_round:
            report = SweepReport()
            self._go_on(report)
            return report

    def mark_again(self, entries: Iterable[JournalEntry]) -> Marked:
        """Mark what the custody journal names as destroyed and an older database holds for kept; see `replay`."""
        with self._one_round:
            return mark_again(self._tools, entries)

    def carry_out_mandates(self) -> SweepReport:
        """Carry out what mandates want destroyed, now: nobody waits for the next sweep."""
        with self._one_round:
            report = SweepReport()
            self._mandates.carry_out(report)
            return report

    def debt(self, sweep_every: timedelta, operator_id: OperatorId | None = None) -> Debt:
        """Return what is overdue by more than a sweep and not destroyed; also what waits for a doubt about the time."""
        return total(self.debt_parts(sweep_every, operator_id))

    def debt_parts(self, sweep_every: timedelta, operator_id: OperatorId | None = None) -> list[DebtPart]:
        """Return the debt of all or of one operator, by camera and reason: `debt` is the sum of it."""
        now, safe_us = self._tools.clock.now(), microseconds(self._tools.clock.for_destroying())
        with self._tools.db.reading() as session:
            parts = store.debt(session, now - sweep_every, safe_us, operator_id)
            return parts + self._mandates.debt(session, now - sweep_every, operator_id)

    def _go_on(self, report: SweepReport) -> None:
        claimed: Claimed | None = None
        while (claimed := self._claim(claimed)) is not None:
            self._steps.carry_out(claimed, report)

    def _claim(self, after: Claimed | None) -> Claimed | None:
        with self._tools.db.writing() as session:
            return claims.take(session, self._tools.worker, self._tools.clock.now(), after)

    def _expire(self, doomed: Sequence[Segment], report: SweepReport) -> list[Segment]:
        """Take what nobody else has taken; return what is left to others, for now or for good."""
        erasure_id = ErasureId(self._tools.randomness.uuid())
        operator_id = doomed[0].operator_id
        erasure = Erasure(erasure_id, operator_id, Cause.EXPIRY, "worker:sweep", Step.JOURNALLED, 0)
        try:
            claimed, taken = begin(self._tools, Batch(erasure, doomed))
        except Exception as error:  # noqa: BLE001 - nothing is marked: they are due still, and the next sweep takes them
            report.failed[erasure_id] = code_of(error)
            return []
        if claimed is not None:
            self._steps.carry_out(claimed, report)
        gone = {one.id for one in taken}
        return [one for one in doomed if one.id not in gone]
