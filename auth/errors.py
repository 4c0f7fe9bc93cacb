"""Refusals of `auth`. Their text never says whether something exists that the asker may not see."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class NotAuthenticated(Refusal):
    """Nobody we know is asking."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "not-authenticated"


class NotAllowed(Refusal):
    """The asker may see the thing, but not do this with it."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "not-allowed"


class NotFound(Refusal):
    """It does not exist, or the asker may not know that it does: the two answers are the same bytes."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "not-found"

    def __init__(self) -> None:
        super().__init__("there is nothing here that you may see")


class NameIsTaken(Refusal):
    """The name or log-in belongs to something else already."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "name-is-taken"

    def __init__(self) -> None:
        super().__init__("this name is taken")


class NameIsReserved(Refusal):
    """The name stands for one of the service's own paths."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "name-is-reserved"

    def __init__(self) -> None:
        super().__init__("this name is reserved for the service itself")


class OperatorIsLeaving(Refusal):
    """The operator's off-boarding has begun: no camera comes to it, and nobody is given anything to look at."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "operator-is-leaving"

    def __init__(self) -> None:
        super().__init__("this operator leaves: nothing new comes to it, and nothing of it is given away")


class RegionIsNotServed(Refusal):
    """No store of this installation is in that region: footage cannot be promised to go there."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "region-is-not-served"

    def __init__(self) -> None:
        super().__init__("this installation has no store in that region")


class StaleVersion(Refusal):
    """Somebody changed it in the meantime; read it again, then decide."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "stale-version"

    def __init__(self, current: int) -> None:
        super().__init__("it was changed in the meantime", current=current)


class LastOwner(Refusal):
    """Nobody would be left who holds, and so can give, everything over the whole operator."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "last-owner"

    def __init__(self) -> None:
        super().__init__("the operator keeps at least one owner; make somebody else one first")


class TermsAreWrong(Refusal):
    """A grant cannot have these terms, whoever gives it."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "terms-are-wrong"


class HasAnOwner(Refusal):
    """Somebody of the operator has logged in before: it gives its own rights, and the platform no longer does."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "has-an-owner"

    def __init__(self) -> None:
        super().__init__("this operator has an owner already, who invites everybody else")


class PersonIsDisabled(Refusal):
    """Disabling is for good; somebody who comes back gets a new person."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "person-is-disabled"

    def __init__(self) -> None:
        super().__init__("this person is disabled")


class LogInRefused(NotAuthenticated):
    """Log-in and password do not go together. Whether the log-in exists, is disabled or has a password is not told."""

    code: ClassVar[str] = "log-in-refused"

    def __init__(self) -> None:
        super().__init__("this log-in and this password do not go together")


class WrongPassword(Refusal):
    """The present password, asked again before a change, is another one."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "wrong-password"

    def __init__(self) -> None:
        super().__init__("the present password is another one")


class WeakPassword(Refusal):
    """The password cannot be used; `weakness` says why."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "weak-password"


class CodeIsUnknown(Refusal):
    """No such code was ever given out for this."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "code-is-unknown"

    def __init__(self) -> None:
        super().__init__("this code was not given out")


class CodeIsSpent(Refusal):
    """The code was used, replaced or has expired."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "code-is-spent"

    def __init__(self) -> None:
        super().__init__("this code was used, replaced or has expired; ask for another one")


class CodeIsAnothers(Refusal):
    """The code was given out for another log-in than the one that was named; it is not used up by that."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "code-is-anothers"

    def __init__(self) -> None:
        super().__init__("this code was given out for another log-in")


class HasPlatformAdmin(Refusal):
    """The first platform admin exists, so there are no more codes to become one."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "has-a-platform-admin"

    def __init__(self) -> None:
        super().__init__("there is a platform admin already")
