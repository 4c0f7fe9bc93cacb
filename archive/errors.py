"""Refusals of `archive`."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class FootageIsGone(Refusal):
    """It expired or was destroyed; which of the two, and when, is told only to those who may know."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "footage-is-gone"


class FootageIsDamaged(Refusal):
    """The bytes are lost, or do not authenticate: changed, cut, of another file, or under another key."""

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


class StoreIsFull(StoreUnavailable):
    """The blob store has no room, or no more than was agreed; recording goes to the spool."""

    code: ClassVar[str] = "store-is-full"


class StoreDeniesAccess(StoreUnavailable):
    """The blob store does not take our keys, or they do not go so far; or the files with them are unusable."""

    code: ClassVar[str] = "store-denies-access"


class StoreIsUnfit(StoreUnavailable):
    """The bucket is not as footage needs it. `reasons` are codes: docs/operate/stores.md says what to do about each."""

    code: ClassVar[str] = "store-is-unfit"


class StoreDoesNotErase(Refusal):
    """The blob store was told to erase, and keeps it: an object lock, or a right that is missing."""

    kind: ClassVar[Kind] = Kind.LOCKED
    code: ClassVar[str] = "store-does-not-erase"


class NoStoreForRegion(Refusal):
    """The operator's footage may lie in one region only, and no store of that region is there: nothing is recorded."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "no-store-for-region"


class StoresFileUnusable(Refusal):
    """The file that names the stores beside the first cannot be read, or contradicts itself or the settings."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "stores-file-unusable"


class SpanTooLong(Refusal):
    """More time was asked for than is given out at once."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "span-too-long"


class SpanRunsBackward(Refusal):
    """The span asked for ends before it begins."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "span-runs-backward"
