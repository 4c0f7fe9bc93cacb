"""Which place a wrap belongs to, which hour a key belongs to, and who may decrypt. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from auth.principal import Granted, Right
from auth.tokens.rules import Purpose
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId, SegmentId

HOUR_US: Final = 3_600_000_000
WRAP_FORMAT: Final = 1
WRAP_HEADER: Final = 5
_LABEL: Final = b"vms-privacy archive segment-key v1\0"
_RIGHT_FOR: Final[Mapping[Purpose, Right]] = MappingProxyType(
    {Purpose.ARCHIVE_VIEW: Right.ARCHIVE, Purpose.EXPORT: Right.EXPORT, Purpose.EVIDENCE: Right.EXPORT}
)


class MayNotDecrypt(Refusal):
    """No named principal with a purpose that recorded footage may be opened for, or another camera's permit."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "may-not-decrypt"


class PermitIsOld(Refusal):
    """The recording permit has to be asked for again before a new key is made."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "recording-permit-is-old"


class WrapIsForeign(Refusal):
    """The wrapped segment key is not in a form that this service makes."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "segment-wrap-is-foreign"


@dataclass(frozen=True, slots=True)
class DecryptPermit:
    """Proof that a segment key may be opened. Made only by `permit_from` and `permit_for_recovery`.

    `segment_id` None means any segment of the camera; time limits are the business of whoever holds the `Granted`. Who
    looks and why is in the audit before anything is opened: it does not travel with the permit.
    """

    operator_id: OperatorId
    camera_id: CameraId
    segment_id: SegmentId | None = None


@dataclass(frozen=True, slots=True)
class CheckPermit:
    """Proof that exactly this wrap may be opened to see whether its file opens. Made only by `permit_for_check`.

    It is no `DecryptPermit`, and nothing that shows footage takes it: what rests on it answers with counts (decision
    0036).
    """

    wrap: "WrappedKey"


@dataclass(frozen=True, slots=True)
class EdgePermit:
    """Proof that exactly this wrap may be opened to keep a part of its file, or to see where it can be cut.

    Made only by `permit_for_edge`. It is no `DecryptPermit`, and nothing that shows footage takes it: what rests on it
    answers with moments and counts, and writes ciphertext.
    """

    wrap: "WrappedKey"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One camera and one UTC hour, at one generation: what a bucket key is for."""

    bucket_key_id: BucketKeyId
    operator_id: OperatorId
    camera_id: CameraId
    hour: int
    generation: int


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A segment key as its row has it, with the place it belongs to."""

    operator_id: OperatorId
    camera_id: CameraId
    segment_id: SegmentId
    bucket_key_id: BucketKeyId
    wrapped: bytes


def permit_from(granted: Granted, purpose: Purpose) -> DecryptPermit:
    """Turn the gate's yes for one camera into a permit to decrypt, for a purpose that fits it. Raises MayNotDecrypt."""
    if granted.principal.person_id is None:
        raise MayNotDecrypt("recorded footage is opened for a named person only")
    if purpose not in _RIGHT_FOR or _RIGHT_FOR[purpose] is not granted.right:
        raise MayNotDecrypt(f"{purpose} does not open recorded footage under the right {granted.right}")
    if granted.camera_id is None:
        raise MayNotDecrypt("a permit is for one camera")
    return DecryptPermit(granted.operator_id, granted.camera_id)


def permit_for_recovery(operator_id: OperatorId, camera_id: CameraId, segment_id: SegmentId) -> DecryptPermit:
    """Permit the recorder to close one file that a crash left open. Nothing it reads leaves it but box sizes."""
    return DecryptPermit(operator_id, camera_id, segment_id)


def permit_for_check(wrapped: WrappedKey) -> CheckPermit:
    """Permit the check to open one file. Not a byte of what it holds leaves whoever opens it, only counts."""
    return CheckPermit(wrapped)


def permit_for_edge(wrapped: WrappedKey) -> EdgePermit:
    """Permit to open one file that a mandate covers in part. No picture of it leaves whoever opens it."""
    return EdgePermit(wrapped)


def refuse_unless_covered(permit: DecryptPermit, wrapped: WrappedKey) -> None:
    """Raise MayNotDecrypt if the permit is for another camera or another segment."""
    same_camera = (permit.operator_id, permit.camera_id) == (wrapped.operator_id, wrapped.camera_id)
    if not same_camera or permit.segment_id not in (None, wrapped.segment_id):
        raise MayNotDecrypt("the permit is for another camera or segment")


def hour_of(moment_us: int) -> int:
    """Return the UTC hour of a moment, counted since 1970-01-01T00Z."""
    return moment_us // HOUR_US


def associated_data(wrapped: WrappedKey, generation: int) -> bytes:
    """Return the place of a wrap as bytes: fixed lengths, so two places never look alike. docs/design/keys.md."""
    ids = (wrapped.operator_id, wrapped.camera_id, wrapped.segment_id, wrapped.bucket_key_id)
    return _LABEL + b"".join(one.bytes for one in ids) + generation.to_bytes(4, "big")


def wrap_header(generation: int) -> bytes:
    """Return what stands before the keyring's wrap: the format and the generation of the bucket."""
    return bytes((WRAP_FORMAT,)) + generation.to_bytes(4, "big")


def split_wrap(wrapped: bytes) -> tuple[int, bytes]:
    """Return (generation, the keyring's wrap). Raises WrapIsForeign."""
    if len(wrapped) <= WRAP_HEADER or wrapped[0] != WRAP_FORMAT:
        raise WrapIsForeign("a wrapped segment key has another form")
    return int.from_bytes(wrapped[1:WRAP_HEADER], "big"), wrapped[WRAP_HEADER:]
