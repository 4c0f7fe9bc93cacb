"""What a stream token, or the wish for one, can be answered with."""

from typing import ClassVar, Final

from auth.errors import NotAllowed, NotAuthenticated
from vms_privacy.errors import Kind, Refusal

LIVE_IS_RESTRICTED: Final = "this camera is restricted at present: nobody watches it"


class TokenIsBad(NotAuthenticated):
    """It is no stream token of ours: wrong shape, wrong key, or claims that we never write.

    The answer does not say which, so that nobody can feel their way; the count behind it does.
    """

    code: ClassVar[str] = "token-is-bad"

    def __init__(self, why: str) -> None:
        super().__init__("this is not a stream token of this service")
        self.why = why


class TokenExpired(NotAuthenticated):
    """Its time to start something is over, or has not begun."""

    code: ClassVar[str] = "token-expired"


class TokenWithdrawn(NotAuthenticated):
    """The token, its grant or its person was withdrawn after it was issued."""

    code: ClassVar[str] = "token-withdrawn"


class TokenLacksAction(NotAllowed):
    """The token opens this camera, but not for this action."""

    code: ClassVar[str] = "token-lacks-action"


class OutsideWindow(NotAllowed):
    """The span asked for is not wholly inside the archive window or depth of the token."""

    code: ClassVar[str] = "outside-window"


class FootageIsRestricted(Refusal):
    """A restriction is in force over this time (GDPR, Article 18): nobody looks at it, live included."""

    kind: ClassVar[Kind] = Kind.LOCKED
    code: ClassVar[str] = "footage-is-restricted"


class PurposeNotAllowed(NotAllowed):
    """Footage is looked at for named purposes only, and each purpose fits some actions only."""

    code: ClassVar[str] = "purpose-not-allowed"


class NothingLeftToGrant(NotAllowed):
    """The asker's own grant ends too soon, or its window does not meet the one asked for."""

    code: ClassVar[str] = "nothing-left-to-grant"


class TokenWishIsBad(Refusal):
    """Lifetime or window make no sense; no token could be made of them for anybody."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "token-wish-is-bad"
