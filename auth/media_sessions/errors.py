"""What somebody with a media session, or without one, can be told."""

from typing import ClassVar

from auth.errors import NotAuthenticated
from vms_privacy.errors import Kind, Refusal


class SessionOver(NotAuthenticated):
    """There is no such media session, or it has ended. The answer is the same for a key that never existed."""

    code: ClassVar[str] = "session-over"


class TooManySessions(Refusal):
    """The person, the camera or the service already has as many media sessions as it may."""

    kind: ClassVar[Kind] = Kind.TOO_MANY
    code: ClassVar[str] = "too-many-sessions"


class NotSureEnough(Refusal):
    """Nothing was heard of withdrawals for too long to say yes to anybody."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "not-sure-enough"
