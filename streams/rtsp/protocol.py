"""RTSP 1.0 messages and interleaved frames, read and written without a socket (RFC 2326, 4 to 7, 10.12, 15).

Every length is bounded before it is believed: the parser holds at most one head, one body and one read. A
line may end in LF alone (4, "should be prepared to"), a folded header is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.rtsp.errors import MalformedMessage, MessageTooLarge, VersionNotSpoken

VERSION = "RTSP/1.0"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")
_URI = re.compile(r"[!-~]{1,2048}\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_NUMBER = re.compile(r"[0-9]{1,10}\Z")
_DOLLAR = 0x24
_ONLY_ONCE = frozenset({"content-length", "cseq", "session", "authorization"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a stranger's message is read at all, in bytes and counts."""

    head: int = 8192
    headers: int = 48
    body: int = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks. Header names are in lower case; `repr` shows nothing that may hold a secret."""

    method: str
    uri: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def sequence(self) -> str | None:
        """Return CSeq as it stands, or None if there is none that is a number (12.17)."""
        text = self.headers.get("cseq", "")
        return text if _NUMBER.match(text) else None

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return _encode(f"{self.method} {self.uri} {VERSION}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answers."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return _encode(f"{VERSION} {self.status} {self.reason}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Interleaved:
    """One RTP or RTCP packet inside the control connection (10.12)."""

    channel: int
    payload: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the bytes on the wire. The payload has at most 65,535 bytes."""
        return bytes((_DOLLAR, self.channel)) + len(self.payload).to_bytes(2, "big") + self.payload


Message = Request | Response | Interleaved


class Parser:
    """Cuts a byte stream into messages: `feed` what arrived, then `take` until it returns None.

    After a refusal the framing is lost and the parser must not be used again.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._head_size = 0
        self._searched = 0
        self._waiting_for_body: tuple[list[str], dict[str, str], int] | None = None

    def feed(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data

    @property
    def held(self) -> int:
        """Bytes kept for a message that is not whole yet."""
        return len(self._buffer) + self._head_size

    def take(self) -> Message | None:
        """Return the next whole message, or None.

        Raises:
            MalformedMessage: this is not RTSP.
            MessageTooLarge: a bound was passed.
            VersionNotSpoken: RTSP of another version.

        """
        if self._waiting_for_body is None:
            if not self._lines:
                self._skip_empty_lines()
                if self._buffer[:1] == b"$":
                    return self._take_interleaved()
            if not self._read_head():
                return None
        return self._take_with_body()

    def _skip_empty_lines(self) -> None:
        """A robust server ignores them before a message (RFC 2616, 4.1, which 4 refers to)."""
        if self._buffer.startswith((b"\r", b"\n")):
            self._buffer = self._buffer.lstrip(b"\r\n")
            self._searched = 0

    def _take_interleaved(self) -> Interleaved | None:
        if len(self._buffer) < 4:
            return None
        end = 4 + int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < end:
            return None
        frame = Interleaved(self._buffer[1], bytes(self._buffer[4:end]))
        del self._buffer[:end]
        return frame

    def _read_head(self) -> bool:
        """Collect lines until the empty one; True when the head is whole."""
        while True:
            end = self._buffer.find(b"\n", self._searched)
            if self._head_size + (end if end >= 0 else len(self._buffer)) > self._bounds.head:
                raise MessageTooLarge("the head of a message is too long")
            if end < 0:
                self._searched = len(self._buffer)
                return False
            line = bytes(self._buffer[:end]).removesuffix(b"\r").decode("latin-1")
            del self._buffer[: end + 1]
            self._searched = 0
            if line:
                self._head_size += end + 1
                self._lines.append(line)
                if len(self._lines) > self._bounds.headers + 1:
                    raise MessageTooLarge("a message has too many headers")
            else:
                self._waiting_for_body = self._understand_head()
                return True

    def _understand_head(self) -> tuple[list[str], dict[str, str], int]:
        first, *rest = self._lines
        self._lines, self._head_size = [], 0
        headers: dict[str, str] = {}
        for line in rest:
            name, colon, value = line.partition(":")
            name, value = name.rstrip(" \t").lower(), value.strip(" \t")
            if not colon or not _TOKEN.match(name) or not _VALUE.match(value):
                raise MalformedMessage("a header line is not one")
            if name not in headers:
                headers[name] = value
            elif name in _ONLY_ONCE:
                raise MalformedMessage(f"the header {name} stands twice")
            else:
                headers[name] += f", {value}"
        length = headers.get("content-length", "0")
        if not _NUMBER.match(length):
            raise MalformedMessage("Content-Length is not a number")
        if int(length) > self._bounds.body:
            raise MessageTooLarge("the body of a message is too long")
        return first.split(" "), headers, int(length)

    def _take_with_body(self) -> Request | Response | None:
        assert self._waiting_for_body is not None
        first, headers, length = self._waiting_for_body
        message = _first_line(first, headers, bytes(self._buffer[:length]))
        if len(self._buffer) < length:
            return None
        del self._buffer[:length]
        self._waiting_for_body = None
        return message


def _first_line(words: list[str], headers: dict[str, str], body: bytes) -> Request | Response:
    if words[0].startswith("RTSP/"):
        if words[0] != VERSION:
            raise VersionNotSpoken("only RTSP/1.0 is spoken here")
        if len(words) < 2 or not re.match(r"[1-5][0-9][0-9]\Z", words[1]) or not _VALUE.match(" ".join(words)):
            raise MalformedMessage("the status line is not one")
        return Response(int(words[1]), " ".join(words[2:]), headers, body)
    if len(words) != 3 or not _TOKEN.match(words[0]) or not _URI.match(words[1]):
        raise MalformedMessage("the request line is not one")
    if words[2] != VERSION:
        if re.match(r"RTSP/[0-9]{1,3}\.[0-9]{1,3}\Z", words[2]):
            raise VersionNotSpoken("only RTSP/1.0 is spoken here")
        raise MalformedMessage("the request line is not one")
    return Request(words[0], words[1], headers, body)


def _encode(first: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    if body and not any(name.lower() == "content-length" for name in headers):
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header would break the line")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
