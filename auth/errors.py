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
