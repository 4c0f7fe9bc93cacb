"""Why a camera's stream cannot be had, as codes that never change once released. Pure.

The text beside a code is safe to show: it holds no address, no credential and no byte that a camera chose, except a
codec's name after cleaning.
"""

from enum import StrEnum, unique


@unique
class Fault(StrEnum):
    """One reason each. The camera's status, the audit and the metrics show it unchanged."""

    UNREACHABLE = "unreachable"
    ADDRESS_NOT_ALLOWED = "address-not-allowed"
    TLS_NOT_VERIFIED = "tls-not-verified"
    WRONG_PASSWORD = "wrong-password"
    REFUSED_BY_CAMERA = "refused-by-camera"
    REDIRECT_REFUSED = "redirect-refused"
    HEAD_TOO_LARGE = "head-too-large"
    BODY_TOO_LARGE = "body-too-large"
    GARBAGE = "garbage"
    NO_VIDEO = "no-video"
    UNSUPPORTED_CODEC = "unsupported-codec"
    NO_KEY_PICTURE = "no-key-picture"
    STALLED = "stalled"
    ENDED_BY_CAMERA = "ended-by-camera"
    CLOCK_STEPPED = "clock-stepped"
    DEMUXER_DIED = "demuxer-died"
    INTERNAL_ERROR = "internal-error"


class SourceFailed(Exception):
    """A camera's stream is over, or never began. `str(error)` is safe to show."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


def shown(text: str, longest: int = 40) -> str:
    """Return a name that a camera chose so that it can be shown: letters, digits and `+-._/` alone."""
    cleaned = "".join(c if c.isascii() and (c.isalnum() or c in "+-._/") else "?" for c in text[:longest])
    return cleaned or "?"
