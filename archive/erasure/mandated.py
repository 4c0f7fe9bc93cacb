"""Carrying out mandates: what lies in one whole, and files that it covers in part (decision 0037).

The order for a file in part: (1) its name is written down, (2) each kept part is sealed and durable under that name,
then the erasure's own steps. A crash before its marking leaves files that no key opens; they go with the next round.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from archive.erasure.beginning import Batch, InPart, begin
from archive.erasure.rules import BATCH, NOT_BEGUN, DebtPart, Step, retry_after
from archive.erasure.steps import Steps
from archive.erasure.store import Erasure
from archive.erasure.tools import SweepReport, Tools, code_of
from archive.mandates import store
from archive.mandates.edges import SealedPart
from archive.mandates.rules import Mandate, lies_within, young_after_us
from archive.mandates.store import Candidate
from archive.segments import kept_parts
from archive.segments.rules import Segment
from auth.tokens.rules import microseconds
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.ids import ErasureId, OperatorId, SegmentId

_MOST_ROUNDS: Final = 10_000
_REST: Final = timedelta(seconds=30)


@dataclass(slots=True)
class _Round:
    """What one round has learnt of a mandate: segments of which nothing lies in it, and those that it cannot open."""

    untouched: set[SegmentId] = field(default_factory=set)
    failed: dict[SegmentId, str] = field(default_factory=dict)
    left_to_others: set[SegmentId] = field(default_factory=set)

    @property
    def passed_over(self) -> set[SegmentId]:
        return self.untouched | set(self.failed) | self.left_to_others


class MandateRounds:
    """Takes mandates as far as they go now. One thread at a time; repeatable; what fails is counted and told (P12)."""

    def __init__(self, tools: Tools, steps: Steps) -> None:
        self._tools = tools
        self._steps = steps

    def carry_out(self, report: SweepReport) -> None:
        """Go on with every mandate that stands, oldest first; none waits for, or fails with, another."""
        self._remove_leftovers()
        with self._tools.db.reading() as session:
            ready = store.ready(session, self._tools.clock.now())
        for mandate in ready:
            try:
                failure = self._round(mandate, report)
            except Exception as error:  # noqa: BLE001 - counted and tried again; it must not keep others from being carried out
                failure = code_of(error)
            if failure:
                report.failed[mandate.id] = failure
                self._count_failure(mandate, failure)

    def debt(self, session: Session, overdue_before: datetime, operator_id: OperatorId | None = None) -> list[DebtPart]:
        """Return what mandates placed before a moment want destroyed and nobody has begun to destroy."""
        parts = []
        for mandate in store.standing_since(session, overdue_before, operator_id):
            young_us = self._young_after_us(session, mandate)
            due = store.whole(session, mandate.camera_id, mandate.span, young_us, even_kept=False, even_partly=True)
            if due.segments:
                reason = mandate.last_failure or NOT_BEGUN
                since_us = microseconds(mandate.placed_at)
                parts.append(
                    DebtPart(mandate.camera_id, reason, due.segments, due.size_bytes, since_us, mandate.attempts)
                )
        return parts

    def _round(self, mandate: Mandate, report: SweepReport) -> str:
        """Take everything that can be had now; return what failed."""
        learnt = _Round()
        for _ in range(_MOST_ROUNDS):
            with self._tools.db.reading() as session:
                young_us = self._young_after_us(session, mandate)
                found = store.candidates(session, mandate.camera_id, mandate.span, young_us, BATCH, learnt.passed_over)
            if not found:
                break
            self._take(mandate, found, learnt, report)
        failure = next(iter(learnt.failed.values()), "")
        if not failure:
            self._finish_if_done(mandate, learnt)
        return failure

    def _take(self, mandate: Mandate, found: Sequence[Candidate], learnt: _Round, report: SweepReport) -> None:
        """Seal what is kept of some segments, then have the rest of them destroyed by one erasure."""
        doomed: list[Segment] = []
        in_part: dict[SegmentId, InPart] = {}
        for one in found:
            segment = one.sealed.segment
            if lies_within(segment.starts_us, one.last_us, one.sealed.tracks, mandate.span):
                doomed.append(segment)
                continue
            try:
                cut = self._cut(mandate, one)
            except Exception as error:  # noqa: BLE001 - told and tried again; others are destroyed all the same
                learnt.failed[segment.id] = code_of(error)
                continue
            if cut is None:
                learnt.untouched.add(segment.id)
            else:
                doomed.append(segment)
                in_part[segment.id] = cut
        if not doomed:
            return
        erasure = Erasure(
            ErasureId(self._tools.randomness.uuid()),
            mandate.operator_id,
            mandate.cause,
            mandate.approved_by,
            Step.JOURNALLED,
            0,
            mandate.id,
            microseconds(mandate.placed_at),
        )
        claimed, taken = begin(self._tools, Batch(erasure, doomed, in_part))
        gone = {one.id for one in taken}
        # What another worker is at, or an order has come to cover: what was sealed for it is nobody's.
        self._discard([part for one, cut in in_part.items() if one not in gone for part in cut.kept])
        learnt.left_to_others |= {one.id for one in doomed} - gone
        if claimed is not None:
            self._steps.carry_out(claimed, report)

    def _cut(self, mandate: Mandate, one: Candidate) -> InPart | None:
        edges = self._tools.edges
        edge = edges.open(one.sealed)
        cut = edge.cut(mandate.span)
        if cut is None:
            return None
        sealed: list[SealedPart] = []
        for part in cut.kept:
            name = edges.name()
            with self._tools.db.writing() as session:
                kept_parts.begin(session, self._tools.worker, edge.segment_id, name, self._tools.clock.now())
            self._tools.progress(Step.PART_NAMED)
            sealed.append(edges.seal(edge, part, name))
            self._tools.progress(Step.PART_SEALED)
        return InPart(cut.gone, tuple(sealed))

    def _remove_leftovers(self) -> None:
        """Remove what a round before has sealed for nothing: nobody else makes files in this worker's name."""
        with self._tools.db.reading() as session:
            names = kept_parts.begun(session, self._tools.worker)
        if not names:
            return
        self._tools.edges.discard(names)
        with self._tools.db.writing() as session:
            kept_parts.forget(session, names)

    def _discard(self, parts: Sequence[SealedPart]) -> None:
        names = [part.blob_name for part in parts]
        self._tools.edges.discard(names)
        if names:
            with self._tools.db.writing() as session:
                kept_parts.forget(session, names)

    def _finish_if_done(self, mandate: Mandate, learnt: _Round) -> None:
        tools = self._tools
        with tools.db.writing() as session:
            young_us = self._young_after_us(session, mandate)
            left = store.left(session, mandate, young_us, learnt.untouched)
            if not left.is_nothing:
                # For what grows, is held or too young nobody has to look every second.
                store.rest(session, mandate.id, tools.clock.now() + _REST)
            elif store.finish(session, mandate.id, tools.clock.now()):
                self._note(session, Tag.MANDATE_DONE, mandate)

    def _count_failure(self, mandate: Mandate, code: str) -> None:
        attempts = mandate.attempts + 1
        next_at = self._tools.clock.now() + retry_after(attempts)
        try:
            with self._tools.db.writing() as session:
                store.note_failure(session, mandate.id, attempts, code, next_at)
                self._note(session, Tag.MANDATE_FAILED, mandate, code)
        except SQLAlchemyError:
            # The report tells it all the same, and without a note the next sweep tries at once.
            self._steps.uncounted_failures += 1

    def _young_after_us(self, session: Session, mandate: Mandate) -> int:
        at_least_us = self._tools.minimums.at_least_us(session, mandate.operator_id)
        return young_after_us(microseconds(self._tools.clock.for_destroying()), at_least_us)

    def _note(self, session: Session, tag: Tag, mandate: Mandate, failure: str = "") -> None:
        self._tools.audit.note(
            session,
            Event(
                tag,
                self._tools.clock.now(),
                "worker:sweep",
                Outcome.FAILED if failure else Outcome.DONE,
                operator_id=mandate.operator_id,
                camera_id=mandate.camera_id,
                reason=failure or str(mandate.cause),
                detail={"mandate": str(mandate.id)},
            ),
        )
