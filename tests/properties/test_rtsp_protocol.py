"""What holds for the RTSP parser whatever a stranger sends, in whatever pieces."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.rtsp.errors import MalformedMessage, MessageTooLarge, VersionNotSpoken
from streams.rtsp.protocol import Bounds, Interleaved, Message, Parser, Request, Response

BOUNDS = Bounds(head=512, headers=8, body=64)
READ = 128

names = st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True).filter(
    lambda name: name not in {"content-length", "cseq", "session", "authorization"}
)
values = st.from_regex(r"([!-~]([ -~]{0,20}[!-~])?)?", fullmatch=True)
heads = st.dictionaries(names, values, max_size=6)
bodies = st.binary(max_size=64)
methods = st.sampled_from(["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN", "X"])
uris = st.from_regex(r"[!-~]{1,60}", fullmatch=True)
requests = st.builds(Request, methods, uris, heads, bodies)
responses = st.builds(Response, st.integers(100, 599), values, heads, bodies)
frames = st.builds(Interleaved, st.integers(0, 255), st.binary(max_size=300))
messages: st.SearchStrategy[Message] = st.one_of(requests, responses, frames)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b][n : n + READ] for a, b in pairwise(edges) for n in range(0, b - a, READ)]


def same(read: Message, written: Message) -> bool:
    if isinstance(read, Interleaved) or isinstance(written, Interleaved):
        return read == written
    headers = {name: value for name, value in read.headers.items() if name != "content-length"}
    return type(read) is type(written) and headers == dict(written.headers) and read.body == written.body


@given(written=st.lists(messages, max_size=5), cuts=st.lists(st.integers(0, 4096), max_size=8))
def test_what_was_written_is_read_however_it_was_cut(written: list[Message], cuts: list[int]) -> None:
    parser, read = Parser(BOUNDS), []
    for piece in pieces_of(b"".join(message.encode() for message in written), cuts):
        parser.feed(piece)
        while (message := parser.take()) is not None:
            read.append(message)
    assert len(read) == len(written)
    assert all(same(r, w) for r, w in zip(read, written, strict=True))
    assert parser.held == 0


def never_more_than_a_refusal(data: bytes, cuts: list[int]) -> None:
    parser = Parser(BOUNDS)
    try:
        for piece in pieces_of(data, cuts):
            parser.feed(piece)
            while parser.take() is not None:
                assert parser.held <= len(data)
            assert parser.held <= max(BOUNDS.head, BOUNDS.body, 65539) + READ
    except (MalformedMessage, MessageTooLarge, VersionNotSpoken):
        return


@given(data=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 4096), max_size=8))
def test_no_bytes_do_more_than_be_refused(data: bytes, cuts: list[int]) -> None:
    never_more_than_a_refusal(data, cuts)


@given(
    written=st.lists(messages, min_size=1, max_size=3),
    wounds=st.lists(st.tuples(st.integers(0, 4096), st.binary(max_size=4)), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 4096), max_size=4),
)
def test_no_wounded_message_does_more_than_be_refused(
    written: list[Message], wounds: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = bytearray(b"".join(message.encode() for message in written))
    for at, put in wounds:
        data[at % (len(data) + 1) : at % (len(data) + 1) + len(put)] = put
    never_more_than_a_refusal(bytes(data), cuts)


@given(line=st.text(alphabet=st.characters(max_codepoint=255), max_size=40))
def test_no_answer_can_be_split_by_what_is_put_into_it(line: str) -> None:
    try:
        written = Response(200, "OK", {"X": line}).encode()
    except ValueError:
        assert "\r" in line or "\n" in line
    else:
        assert written.count(b"\r\n") == 3
