"""What is said to a camera and what it answers, as bytes: RTSP/1.0 from the client's side (RFC 2326, 6 to 12). Pure.

The lengths are bounded by whoever collects the bytes; see `MOST_HEAD` and `MOST_BODY`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from streams.media.faults import Fault, SourceFailed

MOST_HEAD: Final = 16 * 1024
MOST_BODY: Final = 64 * 1024
_STATUS: Final = re.compile(rb"RTSP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\Z")
_HEADER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of one response. Header names are in lower case and keep their order and repetitions."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def get(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every header of that name."""
        return [value for key, value in self.headers if key == name]

    @property
    def content_length(self) -> int:
        """Return how many bytes follow. Raises SourceFailed (garbage) for what is no number."""
        text = self.get("content-length")
        if text is None:
            return 0
        if not text.isascii() or not text.isdigit() or len(text) > 10:
            raise SourceFailed(Fault.GARBAGE, "the camera's Content-Length is no number")
        return int(text)

    @property
    def sequence(self) -> str | None:
        return self.get("cseq")


def read_answer(head: bytes) -> Answer:
    """Read a response's head, without its empty line. Raises SourceFailed (garbage)."""
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    status = _STATUS.match(lines[0])
    if status is None:
        raise SourceFailed(Fault.GARBAGE, "the camera does not speak RTSP")
    headers = []
    for line in lines[1:]:
        found = _HEADER.match(line)
        if found is None:
            raise SourceFailed(Fault.GARBAGE, "the camera's answer has a damaged header")
        headers.append((found[1].decode("ascii").lower(), _text(found[2])))
    return Answer(int(status[1]), tuple(headers))


def _text(value: bytes) -> str:
    """Return a value as text. What a camera says comes back to it in our answers, where no control may stand."""
    return _CONTROL.sub(" ", _decoded(value)).strip()


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def write_question(method: str, uri: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return one request without a body. Raises ValueError for a value that would begin another header."""
    lines = [f"{method} {uri} RTSP/1.0", *(f"{name}: {value}" for name, value in headers)]
    if any(_CONTROL.search(line) for line in lines):
        raise ValueError("a control character in a request")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as the camera names it, and after how many seconds of silence it forgets it (RFC 2326, 12.37)."""

    name: str = field(repr=False)
    timeout_s: int = 60


def read_session(text: str | None) -> Session:
    """Read the header Session. Raises SourceFailed (garbage)."""
    name, *parameters = (part.strip() for part in (text or "").split(";"))
    if not name or len(name) > 256 or _CONTROL.search(name):
        raise SourceFailed(Fault.GARBAGE, "the camera names no session")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "timeout" and value.strip().isdigit():
            return Session(name, max(1, min(int(value.strip()[:6]), 3600)))
    return Session(name)


def read_channels(transport: str | None) -> tuple[int, int]:
    """Read which interleaved channels a track comes on (RFC 2326, 12.39): (packets, reports).

    Raises SourceFailed: the camera chose no TCP transport, or channels that cannot be.
    """
    for parameter in (transport or "").split(";"):
        key, _, value = parameter.strip().partition("=")
        if key.lower() != "interleaved":
            continue
        first, _, second = value.partition("-")
        second = second or str(int(first) + 1) if first.isdigit() else second
        if first.isdigit() and second.isdigit() and int(first) <= 255 and int(second) <= 255:
            return int(first), int(second)
        break
    raise SourceFailed(Fault.REFUSED_BY_CAMERA, "the camera does not send its stream over the same connection")
