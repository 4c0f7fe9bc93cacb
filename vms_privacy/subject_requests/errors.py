"""Refusals of `subject_requests`. None names whoever asked, nor says whether a hold stands in the way."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class RequestRefused(Refusal):
    """A request cannot be entered or gone on with like that; `rule` says which rule stands against it."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "request-refused"


class RequestIsClosed(Refusal):
    """The request was answered and closed; what is asked anew is another request, with a clock of its own."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "request-is-closed"


class RequestIsUndecided(Refusal):
    """Something that was asked for has no decision yet, so the request has no outcome to be told or closed with."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "request-is-undecided"


class RequestIsUnderWay(Refusal):
    """What was granted waits for a second person, or a store has not confirmed that it is gone: it stays open."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "request-is-under-way"


class IdentityIsUnconfirmed(Refusal):
    """Who asks is not confirmed, so nothing is granted; it can be refused, and its clock runs on."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "identity-is-unconfirmed"


class FootageIsThere(Refusal):
    """Of a time of which footage is kept nobody is told that there is none."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "footage-is-there"


class TooManyRequests(Refusal):
    """The operator has all the requests open that it may have at once; close some."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "too-many-requests"


class ContactIsForgotten(Refusal):
    """Who had asked is not kept any more: the request was closed some time ago, or nobody was named."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "contact-is-forgotten"


class FootageChoiceDoesNotFit(Refusal):
    """Only with the withdrawal of video recording can it be said that what was recorded shall be erased."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "footage-choice-does-not-fit"
