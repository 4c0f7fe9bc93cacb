"""Where a password may travel, and who is offered which challenge."""

import pytest

from streams.rtsp.conversation import Conversation
from streams.rtsp.protocol import Request
from tests.given.paper_wire import PaperWire
from tests.given.randomness import CountedRandomness
from tests.given.rtsp_client import basic
from tests.given.rtsp_sources import HandSources


@pytest.mark.parametrize(
    ("peer", "secure", "may"),
    [
        ("192.0.2.7", False, False),
        ("192.0.2.7", True, True),
        ("127.0.0.1", False, True),
        ("127.8.9.1", False, True),
        ("::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:192.0.2.7", False, False),
        ("2001:db8::7", False, False),
        ("fe80::1%eth0", False, False),
    ],
)
async def test_a_password_is_neither_asked_for_nor_read_where_others_can_listen(
    peer: str, secure: bool, may: bool, randomness: CountedRandomness
) -> None:
    sources = HandSources()
    conversation = Conversation(PaperWire(peer, secure), sources, randomness, 60, 1 << 20)
    headers = {"cseq": "1", "authorization": basic("eve", "apple")["Authorization"]}
    answer = await conversation.answer(Request("DESCRIBE", "rtsp://192.0.2.1:8554/secret/yard", headers))
    assert answer.status == (200 if may else 401)
    assert sources.asked[-1][2] == (("eve", "apple") if may else None)
    if not may:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    await conversation.release()


async def test_no_udp_beside_an_encrypted_connection(randomness: CountedRandomness) -> None:
    conversation = Conversation(PaperWire("192.0.2.7", secure=True), HandSources(), randomness, 60, 1 << 20)
    url = "rtsps://192.0.2.1:8322/open/yard/trackID=0"
    headers = {"cseq": "1", "transport": "RTP/AVP;unicast;client_port=6000-6001"}
    assert (await conversation.answer(Request("SETUP", url, headers))).status == 461
    headers["transport"] += ",RTP/AVP/TCP;unicast"
    assert (await conversation.answer(Request("SETUP", url, headers))).status == 200
    await conversation.release()
