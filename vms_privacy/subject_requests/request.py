"""What a request is: plain values, and what its own dates say. Pure."""

from dataclasses import dataclass
from datetime import datetime

from archive.segments.rules import Span
from vms_privacy.ids import CameraId, OperatorId, OrderId, ProposalId, RequestId
from vms_privacy.subject_requests.clocks import Asking, answer_by, promised_by
from vms_privacy.subject_requests.kinds import (
    Answer,
    Channel,
    Doubt,
    IdentityState,
    Outcome,
    Reason,
    RequestKind,
    WhyLonger,
)


@dataclass(frozen=True, slots=True)
class Place:
    """One stretch of one camera's time that somebody asks about."""

    camera_id: CameraId
    span: Span


@dataclass(frozen=True, slots=True)
class Item:
    """One place, and what was decided of it. `proposal_id`: the two people's erasure; `order_id`: the restriction."""

    number: int
    place: Place
    answer: Answer | None = None
    reason: Reason | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    proposal_id: ProposalId | None = None
    order_id: OrderId | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whether it is known who asks. `asked_at` is of the first time, which alone can make the clock stand still."""

    state: IdentityState
    doubt: Doubt | None = None
    asked_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def asking(self) -> Asking | None:
        """Return what the clock has to know of it."""
        if self.asked_at is None:
            return None
        return Asking(self.asked_at, self.doubt is not None, self.settled_at)


@dataclass(frozen=True, slots=True)
class Extension:
    """That an answer takes longer, and when whoever asked was told so."""

    months: int
    reason: WhyLonger
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `refused_whole`: why nothing of it is done; `complaint_to`: where to complain about that."""

    id: RequestId
    operator_id: OperatorId
    kind: RequestKind
    channel: Channel
    received_at: datetime
    entered_by: str
    entered_at: datetime
    identity: Identity
    items: tuple[Item, ...] = ()
    extension: Extension | None = None
    refused_whole: Reason | None = None
    complaint_to: str = ""
    outcome: Outcome | None = None
    answered_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""
    forgotten_at: datetime | None = None

    @property
    def promised_by(self) -> datetime:
        """Return until when an answer is promised; it never moves."""
        return promised_by(self.received_at)

    @property
    def answer_by(self) -> datetime:
        """Return until when the law wants an answer."""
        months = 0 if self.extension is None else self.extension.months
        return answer_by(self.received_at, months, self.identity.asking)

    def is_overdue(self, now: datetime) -> bool:
        """Say whether it is open beyond the answer date."""
        return self.closed_at is None and now > self.answer_by

    def missed_promise(self, now: datetime) -> bool:
        """Say whether it was not answered by the promised date: an extension is lawful, and missed all the same."""
        return (self.answered_at or now) > self.promised_by
