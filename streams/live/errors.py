"""What a viewer of live pictures can be told, once it is known that they may look."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class CameraNotLive(Refusal):
    """The camera sends nothing at the moment, or has only just begun to."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "camera-not-live"

    def __init__(self) -> None:
        super().__init__("the camera sends no picture at the moment", retry_after=2)


class PieceHasPassed(Refusal):
    """It was live, and is held no more."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "live-has-passed"

    def __init__(self) -> None:
        super().__init__("this part of the live picture has passed")
