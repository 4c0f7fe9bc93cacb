"""What the command line itself refuses, before or beside the service; each with a code like every other refusal."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class NotLoggedIn(Refusal):
    """No log-in is kept on this machine for this service, or it is over."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "not-logged-in"


class NotOfAnOperator(Refusal):
    """Who is logged in belongs to no operator: a platform admin sees no cameras and no footage."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "not-of-an-operator"


class NoSuchCamera(Refusal):
    """Your operator has no camera of this name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-camera"


class NoSuchOperator(Refusal):
    """No operator of this installation has this name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-operator"


class NoSuchStore(Refusal):
    """The settings, and the file of stores that they name, have no store of this name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-store"


class StoreIsThere(Refusal):
    """There is something already where a store should be made; a store is never made over it."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "store-is-there"


class NoSuchPerson(Refusal):
    """Your operator has nobody with this log-in."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-person"


class NoSuchProblem(Refusal):
    """No refusal, verdict or reason has this code."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-problem"


class ServiceUnreachable(Refusal):
    """Nothing answers at the service's address, or the answer broke off."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "service-unreachable"


class BadServiceAddress(Refusal):
    """A service's address is written `http(s)://host:port`."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bad-service-address"


class SettingsAreWrong(Refusal):
    """A setting is out of its limits, or two of them do not go together."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "settings-are-wrong"


class CannotListen(Refusal):
    """The address and port that the service should listen on cannot be had."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "cannot-listen"


class DatabaseIsDamaged(Refusal):
    """What lies where the database should be is no database, or not a whole one."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "database-is-damaged"


class DatabaseUnavailable(Refusal):
    """The database cannot be opened or does not answer."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "database-unavailable"


class FileUnusable(Refusal):
    """A file or folder that was named cannot be read or written."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "file-unusable"


class FileIsThere(Refusal):
    """There is a file already where a new one should be written; nothing is written over."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "file-is-there"


class NoSuchFile(Refusal):
    """There is no file or folder where one was named."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-file"


class CertificateNotTrusted(Refusal):
    """The service's certificate is of no authority that this machine trusts, or is not for this address."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "certificate-not-trusted"


class NotAPlatformAdmin(Refusal):
    """Who is logged in belongs to an operator; this is for platform admins."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "not-a-platform-admin"


class AnswerNeeded(Refusal):
    """Something is missing that would be asked for, and there is no terminal to ask at."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "answer-needed"


class BadDuration(Refusal):
    """A duration is written in ISO 8601, in weeks, days, hours, minutes and seconds: `PT48H`, `P3D`."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bad-duration"


class BadStretch(Refusal):
    """A stretch of recording times is written in days and times: `mon-fri 22:00-06:00`."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bad-stretch"


class BadName(Refusal):
    """A name or log-in cannot be one: the sentence says which characters it may have, and how many."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bad-name"


class NotReceiptKeys(Refusal):
    """The file holds no public receipt keys as the service gives them out."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "not-receipt-keys"


class NotAWholeReceipt(Refusal):
    """The file holds no whole receipt that one camera's part could be taken of."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "not-a-whole-receipt"


class CameraNotInReceipt(Refusal):
    """The receipt tells of no camera with this id, so there is no part of it to take."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "camera-not-in-receipt"


class BadMoment(Refusal):
    """A moment is written in ISO 8601 with its zone, or as seconds since 1970."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bad-moment"


class PageIsOld(Refusal):
    """A generated page is not what this program would write."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "page-is-old"


class WordsNeeded(Refusal):
    """Something that is not done has to be said in words: at least ten characters, in one line."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "words-needed"


class NoSuchKey(Refusal):
    """The keyring never made a key of this version."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-such-key"


class KeyIsNeeded(Refusal):
    """Something that is in use is sealed under this key."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "key-is-needed"


class ReasonIsNoCode(Refusal):
    """A reason that stays in the audit is small words joined by hyphens, or a ticket's number: no free text."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "reason-is-no-code"
