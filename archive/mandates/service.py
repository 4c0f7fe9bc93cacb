"""Proposing, previewing and following mandates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.orm import Session

from archive.errors import FootageIsDamaged
from archive.keys.rules import WrapIsForeign
from archive.mandates import store
from archive.mandates.edges import Edges
from archive.mandates.errors import MandateRefused, NothingToDestroy, TooManyMandates
from archive.mandates.rules import Cause, Mandate, NewMandate, flaw_of, id_or_none, young_after_us
from archive.mandates.store import Left, Whole
from archive.segments.rules import Span
from archive.segments.store import Sealed
from auth.errors import NotFound
from auth.principal import Granted, Right
from auth.tokens.rules import microseconds
from vms_privacy.approvals.rules import Act, Approved, Fact, Proposal
from vms_privacy.approvals.service import Approvals, Wanted
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, MandateId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyIsDestroyed, WrapIsDamaged

MOST_STANDING: Final = 500
MOST_SHOWN: Final = 5000
_MOST_CUT: Final = 100
"""Files that can reach beyond a stretch of time: one at each end, and with sound those of ten seconds around."""


class Minimums(Protocol):
    """What says for how long an operator's footage is kept at least."""

    def at_least_us(self, session: Session, operator_id: OperatorId) -> int:
        """Return the minimum in microseconds."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What a mandate would destroy now.

    `gone`: from the first moment that goes to the last; it may be longer than what was asked for, since a kept tail
    begins with a key picture. `in_part` counts segments of which a part is kept, `unreadable` those of which it cannot
    be told; they stay. `kept_by_orders` is None for whoever may not know of orders.
    """

    asked: Span
    gone: Span | None
    segments: int
    in_part: int
    size_bytes: int
    recorded_us: int
    growing: int
    too_young: int
    unreadable: int
    kept_by_orders: int | None


class MandateService:
    """The only writer of mandates. Each is in the custody journal before it is answered, and in the audit."""

    def __init__(
        self,
        audit: AuditLog,
        journal: Journal,
        clock: Clock,
        randomness: Randomness,
        approvals: Approvals,
        edges: Edges,
        minimums: Minimums,
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._approvals = approvals
        self._edges = edges
        self._minimums = minimums
        approvals.carry_out_with(Act.ERASE_FOOTAGE, self._place)

    def preview(self, session: Session, granted: Granted, span: Span, *, knows_orders: bool) -> Preview:
        """Say what a mandate would destroy; opens the files that it would cut. Raises MandateRefused."""
        camera_id = _camera(granted)
        self._refuse_flaw(span.from_us, span.until_us, "preview", "a preview alone")
        young_us = self._young_after_us(session, granted.operator_id)
        even_kept = not knows_orders
        found = _Sum(span, store.whole(session, camera_id, span, young_us, even_kept=even_kept))
        partly = store.candidates(session, camera_id, span, young_us, _MOST_CUT, even_kept=even_kept, only_partly=True)
        for one in partly:
            self._add(found, one.sealed)
        left = store.left_of(session, camera_id, span, young_us)
        return found.preview(left, knows_orders=knows_orders)

    def propose(self, session: Session, granted: Granted, new: NewMandate) -> Proposal:
        """Propose to destroy a stretch; nothing happens before another person approves.

        Raises MandateRefused, NothingToDestroy, TooManyMandates.
        """
        span = new.span
        self._refuse_flaw(span.from_us, span.until_us, new.reference, new.reason)
        self._refuse_needless(session, granted.operator_id, new.camera_id, span)
        facts: dict[str, Fact] = {
            "from_us": span.from_us,
            "until_us": span.until_us,
            "cause": str(new.cause),
            "reference": new.reference.strip(),
        }
        return self._approvals.propose(
            session,
            Wanted(
                operator_id=granted.operator_id,
                camera_id=new.camera_id,
                act=Act.ERASE_FOOTAGE,
                right=str(Right.ERASE),
                facts=facts,
                reason=new.reason.strip(),
                proposed_by=granted.principal.label,
            ),
        )

    def place_for_off_boarding(
        self, session: Session, approved: Approved, wanted: Mapping[CameraId, Sequence[Span]], reference: str
    ) -> int:
        """Let mandates stand over everything of an operator whose off-boarding is confirmed; return how many.

        The confirmation itself is in the custody journal, and stands for each of them: replaying it places them again.
        """
        if approved.proposal.act is not Act.CONFIRM_OFF_BOARDING:
            raise ValueError("the mandates of an off-boarding rest on its confirmation")
        placed = 0
        for camera_id, spans in wanted.items():
            for span in spans:
                mandate = _of_off_boarding(self._randomness, approved, camera_id, span, reference)
                store.add(session, mandate, approved.proposal.reason)
                self._note_placed(session, mandate, approved)
                placed += 1
        return placed

    def of_operator(self, session: Session, operator_id: OperatorId, *, only_standing: bool) -> list[Mandate]:
        """Return an operator's mandates, newest first."""
        return store.of_operator(session, operator_id, only_standing=only_standing, most=MOST_SHOWN)

    def find(self, session: Session, operator_id: OperatorId, mandate_id: MandateId) -> Mandate:
        """Return one mandate of an operator. Raises NotFound."""
        found = store.by_id(session, mandate_id)
        if found is None or found.operator_id != operator_id:
            raise NotFound
        return found

    def left(self, session: Session, mandate: Mandate) -> Left:
        """Count what of a mandate is not destroyed yet."""
        if mandate.done_at is not None:
            return Left()
        return store.left(session, mandate, self._young_after_us(session, mandate.operator_id))

    def _young_after_us(self, session: Session, operator_id: OperatorId) -> int:
        """Return the moment after which an operator's minimum keeps what was recorded."""
        at_least_us = self._minimums.at_least_us(session, operator_id)
        return young_after_us(microseconds(self._clock.for_destroying()), at_least_us)

    def _add(self, found: "_Sum", sealed: Sealed) -> None:
        try:
            cut = self._edges.open(sealed).cut(found.asked)
        except (FootageIsDamaged, WrapIsDamaged, WrapIsForeign, KeyIsDestroyed, FileNotFoundError):
            found.unreadable += 1
            return
        if cut is not None:
            found.in_part += bool(cut.kept)
            found.add(sealed.segment.size_bytes or 0, cut.gone)

    def _place(self, session: Session, approved: Approved) -> None:
        """Carry out an approved proposal: from the commit on the mandate stands."""
        proposal = approved.proposal
        if proposal.camera_id is None:
            raise ValueError("a mandate is over a camera")
        facts = proposal.facts
        span = Span(int(facts["from_us"] or 0), int(facts["until_us"] or 0))
        if store.count_standing(session, proposal.camera_id) >= MOST_STANDING:
            raise TooManyMandates(f"a camera has at most {MOST_STANDING} mandates under way at once")
        self._refuse_needless(session, proposal.operator_id, proposal.camera_id, span)
        mandate = Mandate(
            id=MandateId(self._randomness.uuid()),
            operator_id=proposal.operator_id,
            camera_id=proposal.camera_id,
            span=span,
            cause=Cause(str(facts["cause"])),
            reference=str(facts["reference"]),
            proposed_by=proposal.proposed_by,
            approved_by=approved.second,
            placed_at=approved.at,
            done_at=None,
            attempts=0,
            last_failure="",
        )
        store.add(session, mandate, proposal.reason)
        self._note_placed(session, mandate, approved)
        # Last, when the database has taken everything: a restored older database must not bring the footage back.
        self._journal.append(
            JournalKind.MANDATE,
            {
                "mandate": str(mandate.id),
                "operator": str(mandate.operator_id),
                "camera": str(mandate.camera_id),
                "cause": str(mandate.cause),
                "from_us": span.from_us,
                "until_us": span.until_us,
                "reference": id_or_none(mandate.reference),
            },
        )

    def _note_placed(self, session: Session, mandate: Mandate, approved: Approved) -> None:
        self._audit.note(
            session,
            Event(
                Tag.MANDATE_PLACED,
                self._clock.now(),
                approved.second,
                operator_id=mandate.operator_id,
                camera_id=mandate.camera_id,
                reason=str(mandate.cause),
                detail={
                    "mandate": str(mandate.id),
                    "proposal": str(approved.proposal.id),
                    "proposed_by": approved.proposal.proposed_by,
                    "from_us": mandate.span.from_us,
                    "until_us": mandate.span.until_us,
                },
            ),
        )

    def _refuse_flaw(self, from_us: int, until_us: int, reference: str, reason: str) -> None:
        flaw = flaw_of(from_us, until_us, reference, reason, microseconds(self._clock.for_destroying()))
        if flaw is not None:
            raise MandateRefused(flaw.why, rule=flaw.rule)

    def _refuse_needless(self, session: Session, operator_id: OperatorId, camera_id: CameraId, span: Span) -> None:
        """Refuse what would destroy nothing: whoever asks believes that something is there."""
        left = store.left_of(session, camera_id, span, self._young_after_us(session, operator_id))
        if left.is_nothing:
            raise NothingToDestroy("nothing is left of this time: it was never recorded, or is destroyed already")


class _Sum:
    """What a preview has added up so far."""

    def __init__(self, asked: Span, whole: Whole) -> None:
        self.asked = asked
        self.segments, self.size_bytes, self.recorded_us = whole.segments, whole.size_bytes, whole.recorded_us
        self.in_part = self.unreadable = 0
        self._gone = whole.span

    def add(self, size_bytes: int, gone: Span) -> None:
        self.segments += 1
        self.size_bytes += size_bytes
        self.recorded_us += gone.until_us - gone.from_us
        before = self._gone or gone
        self._gone = Span(min(before.from_us, gone.from_us), max(before.until_us, gone.until_us))

    def preview(self, left: Left, *, knows_orders: bool) -> Preview:
        return Preview(
            asked=self.asked,
            gone=self._gone,
            segments=self.segments,
            in_part=self.in_part,
            size_bytes=self.size_bytes,
            recorded_us=self.recorded_us,
            growing=left.growing,
            too_young=left.too_young,
            unreadable=self.unreadable,
            kept_by_orders=left.kept_by_orders if knows_orders else None,
        )


def _of_off_boarding(
    randomness: Randomness, approved: Approved, camera_id: CameraId, span: Span, reference: str
) -> Mandate:
    return Mandate(
        id=MandateId(randomness.uuid()),
        operator_id=approved.proposal.operator_id,
        camera_id=camera_id,
        span=span,
        cause=Cause.OFF_BOARDING,
        reference=reference,
        proposed_by=approved.proposal.proposed_by,
        approved_by=approved.second,
        placed_at=approved.at,
        done_at=None,
        attempts=0,
        last_failure="",
    )


def _camera(granted: Granted) -> CameraId:
    if granted.camera_id is None:
        raise ValueError("a mandate is over a camera")
    return granted.camera_id
