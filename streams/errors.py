"""Refusals that cameras, ingest and the faces of streams share. No text of theirs holds an address or a secret."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class BadCameraAddress(Refusal):
    """The address cannot be a camera's: another scheme than rtsp or rtsps, no host, or not a URL at all."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "bad-camera-address"


class AddressNotAllowed(Refusal):
    """The camera's address, or that to which its name leads, lies outside of the networks in which cameras may be."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "address-not-allowed"

    def __init__(self) -> None:
        super().__init__("this address lies outside of the networks in which cameras may be")


class PlainNeedsException(Refusal):
    """Unencrypted RTSP beyond this machine needs an exception that the operator writes down."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "plain-rtsp-needs-exception"

    def __init__(self) -> None:
        super().__init__("this address is not encrypted; use rtsps, or say in `plain_exception` why it may be so")


class CameraNotStarted(Refusal):
    """The service takes no pictures from this camera: it was removed, or not started yet."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "camera-not-started"

    def __init__(self) -> None:
        super().__init__("no pictures are taken from this camera")


class TooManyListeners(Refusal):
    """A camera's tap has a bound on how many may listen at once."""

    kind: ClassVar[Kind] = Kind.TOO_MANY
    code: ClassVar[str] = "too-many-listeners"

    def __init__(self) -> None:
        super().__init__("too many are listening to this camera")
