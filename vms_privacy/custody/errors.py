"""What custody refuses."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class InCustody(Refusal):
    """The database was put back from a copy: until somebody releases it, nothing is shown, recorded or changed."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "in-custody"


class NotInCustody(Refusal):
    """The database is not in custody: there is nothing to release, and nothing to replay."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "not-in-custody"


class CopyIsDamaged(Refusal):
    """The file is no copy of a database, or not a whole one."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "copy-is-damaged"


class CopyIsForeign(Refusal):
    """The copy is of another installation."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "copy-is-foreign"


class CopyIsNewer(Refusal):
    """The copy was made by a newer program than this one."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "copy-is-newer"


class JournalDoesNotReachCopy(Refusal):
    """The custody journal lacks the entry that was its last when the copy was made: nobody knows what is gone."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "journal-does-not-reach-copy"


class CopiedElsewhere(Refusal):
    """A server's database is copied and put back by the server's own tools; the sentence says how."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "copied-by-the-server"
