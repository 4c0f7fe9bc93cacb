"""The words of requests: kinds, channels, answers, reasons, and which of them fit each other. Pure; all are stable."""

from collections.abc import Mapping
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final


@unique
class RequestKind(StrEnum):
    """What is asked for. The last is the operator's own: what an opt-in recorded shall go with its withdrawal."""

    ERASURE = "erasure"
    RESTRICTION = "restriction"
    ACCESS = "access"
    OBJECTION = "objection"
    WITHDRAWAL = "withdrawal"


@unique
class Channel(StrEnum):
    """How it reached the operator. Each starts the same clock."""

    ACCOUNT = "account"
    MAIL = "mail"
    LETTER = "letter"
    COUNTER = "counter"


@unique
class IdentityState(StrEnum):
    """Whether it is known that who asks is whom it is about."""

    NOT_NEEDED = "not-needed"
    ASKED_FOR = "asked-for"
    CONFIRMED = "confirmed"
    FAILED = "failed"


NEXT: Final[Mapping[IdentityState, frozenset[IdentityState]]] = MappingProxyType(
    {
        IdentityState.NOT_NEEDED: frozenset({IdentityState.ASKED_FOR, IdentityState.CONFIRMED}),
        IdentityState.ASKED_FOR: frozenset({IdentityState.CONFIRMED, IdentityState.FAILED, IdentityState.NOT_NEEDED}),
        IdentityState.FAILED: frozenset({IdentityState.ASKED_FOR, IdentityState.CONFIRMED}),
        IdentityState.CONFIRMED: frozenset(),
    }
)
KNOWN: Final = frozenset({IdentityState.NOT_NEEDED, IdentityState.CONFIRMED})


@unique
class Doubt(StrEnum):
    """Why it is in reasonable doubt who asks (GDPR, Article 12(6))."""

    SENDER_IS_UNKNOWN = "sender-is-unknown"
    CONTACT_DIFFERS = "contact-differs"
    ACTS_FOR_ANOTHER = "acts-for-another"
    NOT_RECOGNISED = "not-recognised"


@unique
class WhyLonger(StrEnum):
    """Why an answer takes longer (GDPR, Article 12(3)). There are no others."""

    COMPLEX = "complex"
    MANY_REQUESTS = "many-requests"


@unique
class Answer(StrEnum):
    """What is decided of one stretch of one camera's time."""

    ERASE = "erase"
    RESTRICT = "restrict"
    GIVE_COPY = "give-copy"
    OFFER_VIEWING = "offer-viewing"
    NOTHING_THERE = "nothing-there"
    REFUSE = "refuse"


_ALWAYS: Final = frozenset({Answer.NOTHING_THERE, Answer.REFUSE})
GRANTS: Final[frozenset[Answer]] = frozenset(Answer) - _ALWAYS
ANSWERS: Final[Mapping[RequestKind, frozenset[Answer]]] = MappingProxyType(
    {
        RequestKind.ERASURE: _ALWAYS | {Answer.ERASE},
        RequestKind.RESTRICTION: _ALWAYS | {Answer.RESTRICT},
        RequestKind.ACCESS: _ALWAYS | {Answer.GIVE_COPY, Answer.OFFER_VIEWING},
        RequestKind.OBJECTION: _ALWAYS | {Answer.ERASE, Answer.RESTRICT},
        RequestKind.WITHDRAWAL: _ALWAYS | {Answer.ERASE},
    }
)


@unique
class Reason(StrEnum):
    """Why something is refused."""

    CANNOT_IDENTIFY = "cannot-identify"
    NOT_NARROWED_DOWN = "not-narrowed-down"
    UNFOUNDED = "manifestly-unfounded"
    EXCESSIVE = "excessive"
    EXPRESSION = "freedom-of-expression"
    LEGAL_OBLIGATION = "legal-obligation"
    LEGAL_CLAIMS = "legal-claims"
    OTHERS_RIGHTS = "rights-of-others"
    NO_GROUND = "no-ground-applies"
    COMPELLING_GROUNDS = "compelling-grounds"
    KEPT_AFTER_ALL = "kept-after-all"


_OF_ANYBODY: Final = frozenset({Reason.CANNOT_IDENTIFY, Reason.NOT_NARROWED_DOWN, Reason.UNFOUNDED, Reason.EXCESSIVE})
REASONS: Final[Mapping[RequestKind, frozenset[Reason]]] = MappingProxyType(
    {
        RequestKind.ERASURE: _OF_ANYBODY
        | {Reason.EXPRESSION, Reason.LEGAL_OBLIGATION, Reason.LEGAL_CLAIMS, Reason.NO_GROUND},
        RequestKind.RESTRICTION: _OF_ANYBODY | {Reason.NO_GROUND},
        RequestKind.ACCESS: _OF_ANYBODY | {Reason.OTHERS_RIGHTS},
        RequestKind.OBJECTION: _OF_ANYBODY | {Reason.COMPELLING_GROUNDS, Reason.LEGAL_CLAIMS},
        RequestKind.WITHDRAWAL: frozenset({Reason.KEPT_AFTER_ALL}),
    }
)


@unique
class Outcome(StrEnum):
    """How a request ended."""

    GRANTED = "granted"
    PARTLY_GRANTED = "partly-granted"
    REFUSED = "refused"
    NOTHING_THERE = "nothing-there"
    TAKEN_BACK = "taken-back"


@unique
class Standing(StrEnum):
    """How far one item is."""

    UNDECIDED = "undecided"
    WAITS = "waits-for-second-person"
    UNDER_WAY = "under-way"
    DONE = "done"
    REFUSED = "refused"
    NOTHING_THERE = "nothing-there"
