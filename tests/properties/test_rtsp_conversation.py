"""What holds whatever a client asks for, in whatever order."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.rtsp.conversation import Conversation
from streams.rtsp.protocol import Request
from streams.rtsp.statuses import REASON
from tests.given.paper_wire import PaperWire
from tests.given.randomness import CountedRandomness
from tests.given.rtsp_sources import HandSources, picture

HOST = "rtsp://127.0.0.1:8554"
PATHS = (
    *("open/a", "open/b", "open/a/trackID=0", "open/a/trackID=1", "open/a/trackID=9", "nowhere", ""),
    *("secret/a", "secret/a?token=pear", "secret/a/trackID=0?token=pear"),
)
uris = st.sampled_from(["*", "/", HOST, *(f"{HOST}/{path}" for path in PATHS)])
methods = st.sampled_from(
    ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "SETUP", "PLAY", "PLAY", "TEARDOWN", "GET_PARAMETER", "PAUSE"]
)
transports = st.sampled_from(["RTP/AVP/TCP;unicast", "RTP/AVP/TCP;interleaved=0-1", "RTP/AVP;multicast", ""])
sessions = st.sampled_from(["mine", "other", None])
requests = st.tuples(methods, uris, transports, sessions)


async def converse(asked: list[tuple[str, str, str, str | None]]) -> tuple[HandSources, PaperWire, list[int]]:
    """Ask everything, hand out a picture after each request, and leave."""
    sources, wire = HandSources(), PaperWire()
    conversation = Conversation(wire, sources, CountedRandomness(), 60, 1 << 20)
    statuses, mine = [], ""
    for number, (method, uri, transport, session) in enumerate(asked):
        headers = {"cseq": "1", "transport": transport}
        if session is not None:
            headers["session"] = mine if session == "mine" else "feedbeef"
        answer = await conversation.answer(Request(method, uri, headers))
        mine = answer.headers.get("Session", mine).partition(";")[0]
        statuses.append(answer.status)
        for feed in sources.feeds:
            feed.put(picture(number, is_key=True))
        await asyncio.sleep(0)
        assert sum(not feed.closed.is_set() for feed in sources.feeds) <= 1
    await conversation.release()
    return sources, wire, statuses


@settings(max_examples=80, deadline=None)
@given(st.lists(requests, max_size=12))
def test_everything_that_was_opened_is_closed_and_at_most_one_is_open(
    asked: list[tuple[str, str, str, str | None]],
) -> None:
    sources, _, statuses = asyncio.run(converse(asked))
    assert all(feed.closed.is_set() for feed in sources.feeds)
    assert set(statuses) <= set(REASON)


@settings(max_examples=80, deadline=None)
@given(st.lists(requests, max_size=12))
def test_no_media_flows_before_describe_or_setup_and_play_were_let_in(
    asked: list[tuple[str, str, str, str | None]],
) -> None:
    _, wire, statuses = asyncio.run(converse(asked))
    done = [(method, status) for (method, *_), status in zip(asked, statuses, strict=True) if status == 200]
    if ("SETUP", 200) not in done or ("PLAY", 200) not in done:
        assert wire.written == []
