"""How far each item of a request is: what the two people, the engine, the keyring and the store say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from archive.mandates.rules import Mandate
from archive.mandates.service import MandateService
from archive.mandates.store import Left
from vms_privacy.approvals.rules import Decision, Proposal
from vms_privacy.approvals.service import Approvals
from vms_privacy.clock import Clock
from vms_privacy.subject_requests import footage
from vms_privacy.subject_requests.footage import Confirmed
from vms_privacy.subject_requests.kinds import Answer, Standing
from vms_privacy.subject_requests.request import Item, Request

_PLAIN: Final = {
    Answer.REFUSE: Standing.REFUSED,
    Answer.NOTHING_THERE: Standing.NOTHING_THERE,
    Answer.RESTRICT: Standing.DONE,
    Answer.GIVE_COPY: Standing.DONE,
    Answer.OFFER_VIEWING: Standing.DONE,
}


@dataclass(frozen=True, slots=True)
class Carrying:
    """The mandate that an item was granted by, what is left of it, and what keyring and store have confirmed.

    No receipts: beside what was asked for, what was destroyed tells of what is held (P6).
    """

    mandate: Mandate
    left: Left
    confirmed: Confirmed

    @property
    def is_begun(self) -> bool:
        """Say whether nothing is left that nobody has begun to destroy."""
        left = self.left
        return not (left.growing or left.too_young or left.due)

    @property
    def is_done(self) -> bool:
        """Say whether all is gone that may go: what orders keep goes once they are lifted, and is told to nobody."""
        return (self.mandate.done_at is not None or self.left.is_nothing_but_kept) and self.confirmed.is_whole


@dataclass(frozen=True, slots=True)
class Followed:
    """One item and how far it is."""

    item: Item
    standing: Standing
    carrying: Carrying | None = None


class RequestFollower:
    """Reads alone; what it says is of this moment of the database."""

    def __init__(self, approvals: Approvals, mandates: MandateService, clock: Clock) -> None:
        self._approvals = approvals
        self._mandates = mandates
        self._clock = clock

    def follow(self, session: Session, request: Request) -> list[Followed]:
        """Say of each item how far it is."""
        return [self._follow(session, request, item) for item in request.items]

    def standings(self, session: Session, request: Request) -> dict[int, Standing]:
        """Return how far each item is, by its number."""
        return standings_of(self.follow(session, request))

    def _follow(self, session: Session, request: Request, item: Item) -> Followed:
        if item.answer is None:
            return Followed(item, Standing.UNDECIDED)
        if item.answer is not Answer.ERASE:
            return Followed(item, _PLAIN[item.answer])
        proposal = None
        if item.proposal_id is not None:
            proposal = self._approvals.find(session, request.operator_id, item.proposal_id)
        if proposal is None or _is_off(proposal, self._clock.now()):
            # The second person said no, or nobody said anything: it is to be decided again.
            return Followed(item, Standing.UNDECIDED)
        if proposal.decision is None:
            return Followed(item, Standing.WAITS)
        mandate_id = footage.mandate_of(session, request, item, proposal.proposed_by)
        if mandate_id is None:
            return Followed(item, Standing.UNDER_WAY)
        mandate = self._mandates.find(session, request.operator_id, mandate_id)
        carrying = Carrying(mandate, self._mandates.left(session, mandate), footage.confirmed(session, mandate_id))
        return Followed(item, Standing.DONE if carrying.is_done else Standing.UNDER_WAY, carrying)


def standings_of(followed: Sequence[Followed]) -> dict[int, Standing]:
    """Return how far each item is, by its number."""
    return {one.item.number: one.standing for one in followed}


def _is_off(proposal: Proposal, now: datetime) -> bool:
    if proposal.decision is None:
        return now >= proposal.expires_at
    return proposal.decision is not Decision.APPROVED
