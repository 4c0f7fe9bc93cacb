"""RTSP messages are read whole, bounded, or refused."""

import pytest

from streams.rtsp.errors import MalformedMessage, MessageTooLarge, VersionNotSpoken
from streams.rtsp.protocol import Bounds, Interleaved, Message, Parser, Request, Response


def parse(data: bytes, bounds: Bounds | None = None) -> list[Message]:
    parser = Parser(bounds)
    parser.feed(data)
    found = []
    while (message := parser.take()) is not None:
        found.append(message)
    return found


def test_a_request_is_read() -> None:
    (message,) = parse(b"SETUP rtsp://example.org/a/b?token=x RTSP/1.0\r\nCSeq: 7\r\nTransport:  RTP/AVP \r\n\r\n")
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("SETUP", "rtsp://example.org/a/b?token=x")
    assert dict(message.headers) == {"cseq": "7", "transport": "RTP/AVP"}
    assert message.sequence == "7"


def test_a_response_with_a_body_is_read() -> None:
    (message,) = parse(b"RTSP/1.0 200 All is well\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nv=0\n")
    assert message == Response(200, "All is well", {"cseq": "1", "content-length": "4"}, b"v=0\n")


def test_frames_and_requests_may_follow_each_other_in_any_order() -> None:
    request = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    found = parse(b"$\x01\x00\x02hi" + request + b"\r\n\r\n$\x00\x00\x00" + request)
    assert [type(message) for message in found] == [Interleaved, Request, Interleaved, Request]
    assert found[0] == Interleaved(1, b"hi")
    assert found[2] == Interleaved(0, b"")


def test_lines_may_end_in_a_line_feed_alone() -> None:
    (message,) = parse(b"OPTIONS * RTSP/1.0\nCSeq: 1\n\n")
    assert isinstance(message, Request)


def test_a_header_that_may_stand_twice_is_joined() -> None:
    (message,) = parse(b"OPTIONS * RTSP/1.0\r\nAccept: a\r\nAccept: b\r\n\r\n")
    assert isinstance(message, Request)
    assert message.headers["accept"] == "a, b"
    assert message.sequence is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n",
        b"OPTIONS *\r\n\r\n",
        b"OPTIONS * RTSP/1.0 more\r\n\r\n",
        b"OPT{IONS} * RTSP/1.0\r\n\r\n",
        b"OPTIONS a\x7fb RTSP/1.0\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nno colon\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nA: b\r\n folded\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nA: b\x00c\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nCSeq: 2\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 0x4\r\n\r\n",
        b"RTSP/1.0 700 No\r\n\r\n",
        b"RTSP/1.0\r\n\r\n",
        b"OPTIONS " + b"a" * 2049 + b" RTSP/1.0\r\n\r\n",
    ],
)
def test_what_is_not_rtsp_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(data)


@pytest.mark.parametrize("data", [b"OPTIONS * RTSP/2.0\r\n\r\n", b"RTSP/2.0 200 OK\r\n\r\n"])
def test_another_version_is_named_as_such(data: bytes) -> None:
    with pytest.raises(VersionNotSpoken):
        parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"O" * 201,
        b"OPTIONS * RTSP/1.0\r\nA: " + b"b" * 200 + b"\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\n" + b"A: b\r\n" * 5 + b"\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 11\r\n\r\n",
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 9999999999\r\n\r\n",
    ],
)
def test_nothing_beyond_a_bound_is_waited_for(data: bytes) -> None:
    with pytest.raises(MessageTooLarge):
        parse(data, Bounds(head=200, headers=4, body=10))


def test_a_head_of_a_mebibyte_is_refused_after_its_bound() -> None:
    parser = Parser()
    for _ in range(8):
        parser.feed(b"X-Long: " + b"x" * 1016)
        assert parser.take() is None
    parser.feed(b"X")
    with pytest.raises(MessageTooLarge):
        parser.take()
    assert parser.held == 8193


def test_a_header_cannot_be_smuggled_into_what_we_write() -> None:
    with pytest.raises(ValueError, match="break the line"):
        Response(200, "OK", {"Session": "a\r\nX: b"}).encode()


def test_what_may_hold_a_secret_is_not_in_the_repr() -> None:
    request = Request("DESCRIBE", "rtsp://example.org/a?token=hush", {"authorization": "Basic hush"}, b"hush")
    assert "hush" not in repr(request)
