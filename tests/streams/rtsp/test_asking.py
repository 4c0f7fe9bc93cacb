"""What the RTSP server answers: to a client that is polite, and to some that are not."""

import pytest

from streams.media.packets import Epoch, TrackInfo
from streams.rtsp.connection import Limits
from streams.rtsp.server import RtspServer
from tests.given.randomness import CountedRandomness
from tests.given.rtsp_client import RtspClient, basic
from tests.given.rtsp_sources import AUDIO, VIDEO, HandSources, picture
from tests.given.rtsp_viewer import TCP, playing, until


async def test_options_names_what_is_served(client: RtspClient) -> None:
    answer = await client.ask("OPTIONS", "*")
    assert answer.status == 200
    assert answer.headers["public"].split(", ") == [
        "OPTIONS",
        "DESCRIBE",
        "SETUP",
        "PLAY",
        "TEARDOWN",
        "GET_PARAMETER",
        "SET_PARAMETER",
    ]


async def test_the_description_has_both_tracks_and_no_token(client: RtspClient) -> None:
    answer = await client.ask("DESCRIBE", client.base + "?token=pear")
    text = answer.body.decode()
    assert answer.headers["content-type"] == "application/sdp"
    assert "m=video 0 RTP/AVP 96" in text
    assert "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1188" in text
    assert f"a=control:{client.base}/trackID=1" in text
    assert "pear" not in text + str(answer.headers)
    assert "yard" not in text.replace(client.base, "")


async def test_an_epoch_that_the_description_cannot_tell_ends_the_viewer(
    client: RtspClient, sources: HandSources
) -> None:
    feed = await playing(client, sources)
    feed.put(picture(1, is_key=True), Epoch(2, (VIDEO,), {}))
    await until(feed.closed)


async def test_a_password_is_asked_for_and_taken_on_loopback(server: RtspServer, sources: HandSources) -> None:
    client = await RtspClient.to(server.url("secret/yard"))
    answer = await client.ask("DESCRIBE")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="vms-privacy"')
    assert answer.headers["x-problem"] == "wants-password"
    assert (await client.ask("DESCRIBE", **basic("eve", "banana"))).status == 401
    assert (await client.ask("DESCRIBE", **basic("eve", "apple"))).status == 200
    assert sources.asked[-1] == ("secret/yard", "", ("eve", "apple"), "127.0.0.1")
    await client.close()


async def test_a_token_in_the_url_reaches_the_sources(server: RtspServer, sources: HandSources) -> None:
    client = await RtspClient.to(server.url("secret/yard"))
    assert (await client.ask("DESCRIBE", client.base + "?token=pear")).status == 200
    assert [answer.status for answer in await client.set_up(*TCP)] == [200, 200]
    assert len(sources.asked) == 1
    await client.close()


async def test_a_track_may_be_set_up_without_a_description(server: RtspServer, sources: HandSources) -> None:
    client = await RtspClient.to(server.url("secret/yard"))
    answer = await client.ask("SETUP", client.base + "/trackID=0?token=pear", Transport="RTP/AVP/TCP;unicast")
    assert answer.headers["transport"].startswith("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=")
    assert (await client.ask("PLAY")).status == 200
    await client.close()


async def test_guessing_ends_after_a_number_of_refusals(sources: HandSources, randomness: CountedRandomness) -> None:
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=Limits(refusals=3)) as server:
        client = await RtspClient.to(server.url("secret/yard"))
        answers = [await client.ask("DESCRIBE", **basic("eve", str(guess))) for guess in range(4)]
        assert [answer.status for answer in answers] == [401] * 4
        with pytest.raises((EOFError, ConnectionError)):
            await client.ask("DESCRIBE", **basic("eve", "apple"))
        await client.close()


async def test_a_full_server_says_so(sources: HandSources, randomness: CountedRandomness) -> None:
    async with RtspServer("127.0.0.1", 0, sources, randomness, limits=Limits(connections=1)) as server:
        first = await RtspClient.to(server.url("open/yard"))
        await first.ask("OPTIONS")
        second = await RtspClient.to(server.url("open/yard"))
        assert (await second.answer()).status == 503
        assert (await first.ask("OPTIONS")).status == 200
        assert (server.connections, server.turned_away) == (1, 1)
        await first.close()
        await second.close()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("DESCRIBE", "nowhere", {}, 404),
        ("DESCRIBE", "open/yard", {"CSeq": "x"}, 400),
        ("DESCRIBE", "open/yard", {"Require": "funky-feature"}, 551),
        ("PAUSE", "open/yard", {}, 501),
        ("RECORD", "open/yard", {}, 501),
        ("ANNOUNCE", "open/yard", {}, 501),
        ("PLAY", "open/yard", {}, 454),
        ("TEARDOWN", "open/yard", {"Session": "feedbeef"}, 454),
        ("GET_PARAMETER", "open/yard", {"Session": "feedbeef"}, 454),
        ("GET_PARAMETER", "open/yard", {}, 200),
        ("SETUP", "open/yard/trackID=0", {"Transport": TCP[0], "Session": "feedbeef"}, 454),
        ("SETUP", "open/yard", {"Transport": TCP[0]}, 404),
        ("SETUP", "open/yard/trackID=7", {"Transport": TCP[0]}, 404),
        ("SETUP", "open/yard/trackID=0", {}, 461),
        ("SETUP", "open/yard/trackID=0", {"Transport": "RTP/AVP;multicast;client_port=6000-6001"}, 461),
    ],
)
async def test_what_cannot_be_served_is_answered_with_its_status(
    server: RtspServer, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    client = await RtspClient.to(server.url(path))
    assert (await client.ask(method, **headers)).status == status
    assert (await client.ask("OPTIONS")).status == 200
    await client.close()


async def test_order_is_kept(client: RtspClient, sources: HandSources) -> None:
    await client.ask("DESCRIBE")
    base = client.base
    await client.ask("SETUP", f"{base}/trackID=0", Transport=TCP[0])
    assert (await client.ask("SETUP", f"{base}/trackID=0", Transport=TCP[1])).status == 455
    assert (await client.ask("SETUP", f"{base}/trackID=1", Transport=TCP[0])).status == 461
    assert (await client.ask("SETUP", f"{base}2/trackID=1", Transport=TCP[1])).status == 455
    assert (await client.ask("DESCRIBE")).status == 455
    assert (await client.ask("SET_PARAMETER")).headers["session"] == client.session
    await client.ask("PLAY")
    assert (await client.ask("PLAY")).status == 200
    assert (await client.ask("SETUP", f"{base}/trackID=1", Transport=TCP[1])).status == 455
    assert len(sources.feeds) == 1


async def test_a_parameter_is_not_understood(client: RtspClient) -> None:
    await client.send(b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 6\r\n\r\njitter")
    assert (await client.answer()).status == 451


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 400),
        (b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
        (b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * 60 + b"\r\n", 413),
        (b"O" * 9000, 413),
    ],
)
async def test_nonsense_is_answered_once_and_the_connection_closed(
    client: RtspClient, data: bytes, status: int
) -> None:
    await client.send(data)
    assert (await client.answer()).status == status
    await client.is_over()


async def test_a_camera_whose_picture_rtp_cannot_carry_is_unavailable(randomness: CountedRandomness) -> None:
    sources = HandSources(TrackInfo(VIDEO.track, "hevc", 90_000, b""), AUDIO)
    async with RtspServer("127.0.0.1", 0, sources, randomness) as server:
        client = await RtspClient.to(server.url("open/yard"))
        answer = await client.ask("DESCRIBE")
        assert (answer.status, answer.headers["x-problem"]) == (503, "rtsp-nothing-to-serve")
        assert sources.feeds[0].closed.is_set()
        await client.close()
