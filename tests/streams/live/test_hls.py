import asyncio
import subprocess
from pathlib import Path

import pytest

from auth.grants.rules import Grant
from auth.principal import Right
from auth.tokens.rules import Action
from auth.tokens.wishes import Wish
from streams.live.channel import LiveLimits
from streams.media.packets import Track
from tests.given.encoded import encoded
from tests.given.fragmented import decoded, fragments_of
from tests.given.live_server import LiveServer
from tests.given.scripted_source import drawn, plain_epoch
from tests.given.tokens import TokenParts, token_for
from vms_privacy.audit.events import Tag
from vms_privacy.consent.rules import WITHOUT_END

QUICK = LiveLimits(start_seconds=0.2)
S = 1_000_000


def uris(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def init_uris(text: str) -> list[str]:
    return [line.split('"')[1] for line in text.splitlines() if line.startswith("#EXT-X-MAP")]


async def media_playlist(server: LiveServer, token: str) -> tuple[str, str]:
    """The media playlist's path and text, as a player comes to them."""
    status, _, master = await server.get(f"index.m3u8?token={token}")
    assert status == 200, master
    (path,) = uris(master.decode())
    status, _, text = await server.get(path)
    assert status == 200
    return path, text.decode()


async def test_a_player_gets_from_the_token_to_every_picture(parts: TokenParts, token: str, tmp_path: Path) -> None:
    made = encoded(9.0, bframes=2, audio=True)
    async with LiveServer(parts, LiveLimits()) as server:
        server.channel.asked()
        server.source.begin(made.epoch())
        server.source.send(made.packets)
        await server.until(lambda: len(server.channel.ring.listed()) == 4)
        _, text = await media_playlist(server, token)
        (init_uri,) = init_uris(text)
        blocks = [(await server.get(uri))[2] for uri in (init_uri, *uris(text))]
    file = tmp_path / "played.mp4"
    file.write_bytes(b"".join(blocks))
    assert len(decoded(file)) == 200
    assert "live/0.m4s" in text
    assert "#EXT-X-TARGETDURATION:2\n" in text
    assert "#EXT-X-PROGRAM-DATE-TIME:2030-01-15T12:00:00.000Z\n" in text


async def test_the_bytes_of_a_segment_are_the_fragments_of_the_camera(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        _, text = await media_playlist(server, token)
        status, headers, body = await server.get(uris(text)[1])
    made = fragments_of(plain_epoch(), drawn(7))
    assert status == 200
    assert body == b"".join(one.data for one in made if 2 * 90_000 <= one.decode_time < 4 * 90_000)
    assert headers["content-length"] == str(len(body))
    assert headers["content-type"] == "video/mp4"


async def test_nested_addresses_carry_the_session_and_never_the_token(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        path, text = await media_playlist(server, token)
        (session,) = parts.sessions.of_operator(parts.operator_id)
        master = (await server.get(f"index.m3u8?token={token}"))[2].decode()
    assert path == f"live.m3u8?s={session.key}"
    assert all(uri.endswith(f"?s={session.key}") for uri in uris(text) + init_uris(text))
    assert token not in text + master
    assert 'CODECS="avc1.64001F",RESOLUTION=1280x720' in master


@pytest.mark.needs("ffmpeg")
async def test_ffmpeg_plays_the_playlist_from_the_address_alone(parts: TokenParts, token: str, tmp_path: Path) -> None:
    made = encoded(11.0, bframes=2, audio=True)
    async with LiveServer(parts, LiveLimits()) as server:
        server.heard[parts.camera.camera_id] = WITHOUT_END
        server.live.consent_changed(parts.camera.camera_id)
        server.channel.asked()
        await asyncio.sleep(0)
        server.source.begin(made.epoch())
        server.source.send(made.packets)
        await server.until(lambda: len(server.channel.ring.listed()) == 5)
        file = tmp_path / "recorded.mp4"
        url = server.url(f"index.m3u8?token={token}")
        command = ["ffmpeg", "-v", "warning", "-i", url, "-t", "4", "-c:v", "libx264", "-c:a", "aac", str(file)]
        playing = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        async with asyncio.timeout(60):
            _, told = await playing.communicate()
    assert (playing.returncode, told.decode()) == (0, "")
    assert len(decoded(file)) == 100


async def test_a_player_that_loads_its_first_address_again_goes_on_with_its_session(
    parts: TokenParts, token: str
) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        first = await server.get(f"index.m3u8?token={token}")
        second = await server.get(f"index.m3u8?token={token}")
        assert first[2] == second[2]
        assert len(parts.sessions.of_operator(parts.operator_id)) == 1
    assert len(parts.events(Tag.MEDIA_OPENED)) == 1


async def test_no_cache_keeps_a_picture_and_no_other_site_may_ask(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        path, text = await media_playlist(server, token)
        asked = [f"index.m3u8?token={token}", path, *init_uris(text), uris(text)[0], f"info.json?token={token}"]
        for one in asked:
            status, headers, _ = await server.get(one)
            assert status == 200
            assert headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert not [name for name in headers if name.startswith("access-control")]


async def test_a_segment_that_has_passed_is_gone_and_one_that_never_was_is_not_found(
    parts: TokenParts, token: str
) -> None:
    async with LiveServer(parts, LiveLimits(ring_seconds=10)) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(40))
        await server.until(lambda: server.channel.ring.segments.following == 19)
        path, _ = await media_playlist(server, token)
        key = path.partition("=")[2]
        for uri, wanted in (("live/0.m4s", 410), ("live/9/init.mp4", 410), ("live/99.m4s", 404), ("live/-1.m4s", 422)):
            assert (await server.get(f"{uri}?s={key}"))[0] == wanted


async def test_a_camera_that_sends_nothing_is_not_live(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, QUICK) as server:
        status, headers, body = await server.get(f"index.m3u8?token={token}")
        assert (status, headers["retry-after"]) == (503, "2")
        assert b"camera-not-live" in body
        server.live.stop(parts.camera.camera_id)
        await asyncio.sleep(0)
        assert (await server.get(f"index.m3u8?token={token}"))[0] == 503


async def test_a_camera_that_has_just_begun_is_waited_for(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        asking = asyncio.create_task(server.get(f"index.m3u8?token={token}"))
        server.source.begin(plain_epoch())
        server.source.send(drawn(5))
        assert (await asking)[0] == 200


async def test_another_operators_camera_answers_byte_for_byte_like_one_that_does_not_exist(
    parts: TokenParts, token: str
) -> None:
    other = parts.access.operator("south")
    foreign = parts.access.camera(other, "gate")
    async with LiveServer(parts, QUICK) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        path, text = await media_playlist(server, token)
        key = path.partition("=")[2]
        # Somebody looks at the foreign camera (it sends nothing), so its names are known to the routes.
        owner = parts.access.person(other, "south@example.org")
        parts.access.grant(owner, [Right.LIVE])
        theirs = token_for(parts, owner, Wish(foreign.camera_id, frozenset({Action.LIVE}), "live_view")).handle
        assert (await server.get(f"/south/gate/index.m3u8?token={theirs}"))[0] == 503
        tails = [
            *(f"{one}?token={token}" for one in ("index.m3u8", "live.mp4", "info.json", "media_info.json")),
            *(f"{one}?s={key}" for one in ("live.m3u8", "live/1/init.mp4", "live/0.m4s")),
            *(f"{one}?s=aaaaaaaaaaaaaaaaaaaaaa" for one in ("live.m3u8", "live/1/init.mp4", "live/0.m4s")),
            "index.m3u8?token=p1.aaaaaaaaaaaaaaaaaaaaaa",
            "live.m3u8",
            "live.mp4",
        ]
        for tail in tails:
            answers = [await server.get(f"/{name}/{tail}") for name in ("south/gate", "south/none", "none/none")]
            for answer in answers:
                answer[1].pop("date", None)
            assert answers[0] == answers[1] == answers[2]
            assert answers[0][0] in {401, 404}
            if key in tail or token in tail:
                assert answers[0][0] == 404
    assert key in text


async def test_a_token_for_something_else_opens_nothing(parts: TokenParts, grant: Grant) -> None:
    parts.access.grant(parts.viewer, [Right.ARCHIVE], parts.camera.camera_id)
    archive = parts.issue(parts.viewer, Action.ARCHIVE).handle
    async with LiveServer(parts, LiveLimits()) as server:
        for path in ("index.m3u8", "live.mp4", "info.json", "media_info.json"):
            status, _, body = await server.get(f"{path}?token={archive}")
            assert (status, b"token-lacks-action" in body) == (403, True)
        assert parts.sessions.of_operator(parts.operator_id) == []


async def test_after_a_withdrawal_the_next_request_gets_nothing(parts: TokenParts, grant: Grant, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        path, text = await media_playlist(server, token)
        await asyncio.to_thread(parts.withdraw_grant, grant)
        for uri in (path, *init_uris(text), uris(text)[-1], f"index.m3u8?token={token}"):
            assert (await server.get(uri))[0] == 401
    assert len(parts.events(Tag.MEDIA_CUT)) == 1


async def test_a_withdrawal_cuts_a_segment_that_is_under_way(parts: TokenParts, grant: Grant, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7, octets=100_000))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        _, text = await media_playlist(server, token)
        async with server.asking(uris(text)[0], buffer=4096) as answer:
            await answer.more()
            await asyncio.to_thread(parts.withdraw_grant, grant)
            assert await answer.until_cut() < 500_000
        assert int(answer.headers["content-length"]) > 4_900_000


async def test_a_segment_that_leaves_the_ring_under_way_is_cut_and_not_kept_alive(
    parts: TokenParts, token: str
) -> None:
    async with LiveServer(parts, LiveLimits(ring_seconds=12)) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7, octets=50_000))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        _, text = await media_playlist(server, token)
        async with server.asking(uris(text)[0], buffer=4096) as answer:
            await answer.more()
            server.source.send(drawn(30, start_s=7))
            await server.until(lambda: server.channel.ring.segments.following > 15)
            assert await answer.until_cut() < 2_400_000
        # The session itself goes on: the player comes back for what is there now.
        assert len(parts.sessions.of_operator(parts.operator_id)) == 1


async def test_what_was_sent_is_counted(parts: TokenParts, token: str) -> None:
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        _, text = await media_playlist(server, token)
        body = (await server.get(uris(text)[0]))[2]
        init = (await server.get(init_uris(text)[0]))[2]
        (session,) = parts.sessions.of_operator(parts.operator_id)
        assert session.bytes_out == len(body) + len(init)


async def test_a_change_of_parameters_is_a_discontinuity_with_its_own_init(parts: TokenParts, token: str) -> None:
    small, large = encoded(5.0), encoded(5.0, size=(320, 192))
    async with LiveServer(parts, LiveLimits()) as server:
        server.channel.asked()
        server.source.begin(small.epoch())
        server.source.send(small.packets)
        server.source.begin(large.epoch(2))
        server.source.send(large.later(6))
        await server.until(lambda: len(server.channel.ring.listed()) == 5)
        _, text = await media_playlist(server, token)
        first, second = [(await server.get(uri))[2] for uri in init_uris(text)]
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert (first, second) == (small.inits[frozenset({Track.VIDEO})], large.inits[frozenset({Track.VIDEO})])


async def test_a_segment_with_a_restricted_picture_is_refused_whole_and_the_others_are_not(
    parts: TokenParts, token: str
) -> None:
    """A restriction of some seconds ago does not touch the present; what the ring holds of that time stays closed."""
    async with LiveServer(parts, LiveLimits()) as server:
        server.source.begin(plain_epoch())
        server.source.send(drawn(7))
        await server.until(lambda: len(server.channel.ring.listed()) == 3)
        _, text = await media_playlist(server, token)
        first, second, third = server.channel.ring.listed()
        stretch = (second.captured_from_us + 1_000_000, second.captured_from_us + 1_000_001)
        parts.view.hear_restrictions({parts.camera.camera_id: [stretch]})
        answers = [await server.get(uri) for uri in uris(text)]
    assert [status for status, _, _ in answers] == [200, 423, 200]
    assert b"footage-is-restricted" in answers[1][2]
    assert first.number < second.number < third.number
