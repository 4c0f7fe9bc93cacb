"""Refusals of `archive`."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class FootageIsGone(Refusal):
    """It expired or was destroyed; which of the two, and when, is told only to those who may know."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "footage-is-gone"


class FootageIsDamaged(Refusal):
    """The bytes do not authenticate: changed, cut, of another file, or under another key."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "footage-is-damaged"


class NoFootage(Refusal):
    """Nothing was recorded in the span asked for."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "no-footage"


class StoreUnavailable(Refusal):
    """The blob store cannot be reached or refuses; recording goes to the spool."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "store-unavailable"


class SpanTooLong(Refusal):
    """More time was asked for than is given out at once."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "span-too-long"


class SpanRunsBackward(Refusal):
    """The span asked for ends before it begins."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "span-runs-backward"
