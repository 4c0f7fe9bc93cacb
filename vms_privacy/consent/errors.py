"""Refusals of the consent ledger."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class ConsentRefusal(Refusal):
    """Any refusal of the ledger, so that an edge can tell them from others and note them."""


class OptInNeedsAPerson(ConsentRefusal):
    """A worker, a link or nobody asked; an opt-in is an act of a person of the operator."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "opt-in-needs-a-person"


class OptInIsTheOperators(ConsentRefusal):
    """The platform asked; whether to record is the operator's decision, never its vendor's."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "opt-in-is-the-operators"


class OptInIsNeverImported(ConsentRefusal):
    """An import, a template or a configuration asked; none of them is a decision."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "opt-in-is-never-imported"


class NoSuchCamera(ConsentRefusal):
    """There is no such camera, or it is another operator's: code and text are those of `auth.errors.NotFound`."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "not-found"

    def __init__(self) -> None:
        super().__init__("there is nothing here that you may see")


class RecordingHasEnded(ConsentRefusal):
    """The operator's off-boarding has begun: it is recorded no more, and nothing is switched on."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "recording-has-ended"


class PurposeIsBlank(ConsentRefusal):
    """Recording without a purpose is recording for any purpose."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "purpose-is-blank"


class PurposeIsUnfit(ConsentRefusal):
    """The purpose is no single line of at most 200 printable characters."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "purpose-is-unfit"


class SignIsNotConfirmed(ConsentRefusal):
    """Nobody said that the sign at the camera hangs."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "sign-is-not-confirmed"


class SignIsInTheFuture(ConsentRefusal):
    """The sign is said to have been seen at a moment that has not come."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "sign-is-in-the-future"


class WordingIsUnknown(ConsentRefusal):
    """The version names no text that this service shows for this kind, so nobody can say what was agreed to."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "wording-is-unknown"


class OptInEndsBeforeItBegins(ConsentRefusal):
    """The end of the opt-in is not after now."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "opt-in-ends-before-it-begins"


class AlreadyOptedIn(ConsentRefusal):
    """An opt-in of this kind is in force. Other terms need a withdrawal and a new one: they work forward only."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "already-opted-in"


class RecordedAudioNeedsRecording(ConsentRefusal):
    """Sound is recorded only beside pictures that may be recorded."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "recorded-audio-needs-recording"


class NotOptedIn(ConsentRefusal):
    """There is nothing to withdraw."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "not-opted-in"


class WithdrawalNeedsSomebody(ConsentRefusal):
    """Nobody asked."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "withdrawal-needs-somebody"


class LedgerDisagrees(ConsentRefusal):
    """Head and entries tell different stories: somebody changed the database past its triggers. Nothing is recorded."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "consent-ledger-disagrees"
