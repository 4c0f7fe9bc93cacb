"""Who gets nothing of recorded footage, and learns nothing by asking (P7, P8): one table for every route."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest

from auth.media_sessions.rules import Protocol
from auth.principal import Principal, Right, Role
from auth.resources.rules import Resource
from auth.tokens.rules import Action, microseconds
from auth.tokens.service import Asked
from streams.media.packets import Fragment
from tests.given.clock import NOON
from tests.given.encoded import encoded
from tests.given.fragmented import fragments_of
from tests.given.playback_server import NOON_S, PlaybackServer, Playlist
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag
from vms_privacy.ids import SegmentId

PLAYLIST, FILM = f"archive-{NOON_S}-8.m3u8", f"archive-{NOON_S}-8.mp4"
BY_TOKEN = (PLAYLIST, FILM, "ranges.json", "recording_status.json")
Said = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Scene:
    """Two operators with recorded cameras: `north/door` and `north/yard`, and `south/gate`, which is none of ours."""

    server: PlaybackServer
    parts: TokenParts
    yard: Resource
    gate: Resource
    stranger: Principal
    segments: dict[str, SegmentId]
    fragments: list[Fragment]

    def token(self, who: str) -> str:
        """The token of somebody from the outcome table."""
        parts, server = self.parts, self.server
        match who:
            case "nobody":
                return ""
            case "garbage":
                return "p1.AAAAAAAAAAAAAAAAAAAAAA"
            case "stranger":
                return server.token(self.stranger, camera=self.gate)
            case "neighbour":
                return server.token(parts.owner, camera=self.yard)
            case "without the right":
                return parts.issue(parts.owner, Action.LIVE, purpose="live_view").handle
            case "expired":
                old = server.token(parts.owner, timedelta(seconds=10))
                server.later(timedelta(seconds=10))
                return old
            case "withdrawn":
                issued = parts.issue(parts.owner, Action.ARCHIVE)
                parts.withdraw_token(parts.owner, issued.claims.token_id)
                return issued.handle
            case _:
                return server.token(parts.owner)

    async def key(self, who: str) -> str:
        """The session key of somebody from the outcome table."""
        parts, server = self.parts, self.server
        match who:
            case "nobody":
                return ""
            case "garbage":
                return "AAAAAAAAAAAAAAAAAAAAAA"
            case "stranger":
                return _key_in(await server.pieces(f"/south/gate/{PLAYLIST}?token={self.token(who)}"))
            case "neighbour":
                return _key_in(await server.pieces(f"/north/yard/{PLAYLIST}?token={self.token(who)}"))
            case "without the right":
                admission = parts.tokens.admit(self.token(who), Asked("north", "door", Action.LIVE))
                return parts.sessions.open(admission, Protocol.HLS, "address").key
            case "expired":
                key = _key_in(await server.pieces(f"{PLAYLIST}?token={self.token('with it')}"))
                server.later(timedelta(hours=12))
                return key
            case "withdrawn":
                issued = parts.issue(parts.owner, Action.ARCHIVE)
                key = _key_in(await server.pieces(f"{PLAYLIST}?token={issued.handle}"))
                parts.withdraw_token(parts.owner, issued.claims.token_id)
                return key
            case _:
                return _key_in(await server.pieces(f"{PLAYLIST}?token={self.token(who)}"))


def _key_in(playlist: Playlist) -> str:
    text = playlist.text
    return text.split("?s=")[1][:22]


@pytest.fixture
def scene(server: PlaybackServer, parts: TokenParts) -> Scene:
    south = parts.access.operator("south")
    gate = parts.access.camera(south, "gate")
    stranger = parts.access.person(south, "stranger@example.org")
    parts.access.grant(stranger, Role.OWNER)
    yard = parts.access.camera(parts.operator_id, "yard")
    made = encoded(8.0, gop=25)
    fragments = fragments_of(made.epoch(), made.packets)
    segments = {one.name: server.vault.record(one, made.epoch(), fragments) for one in (server.door, yard, gate)}
    return Scene(server, parts, yard, gate, stranger, segments, fragments)


def _alike(said: Said) -> Said:
    status, headers, body = said
    return status, {name: value for name, value in headers.items() if name != "date"}, body


OUTCOMES = [
    ("nobody", 401, "token-is-bad"),
    ("garbage", 401, "token-is-bad"),
    ("stranger", 404, "not-found"),
    ("neighbour", 404, "not-found"),
    ("without the right", 403, "token-lacks-action"),
    ("expired", 401, "token-expired"),
    ("withdrawn", 401, "token-withdrawn"),
    ("with it", 200, ""),
]


@pytest.mark.parametrize(("who", "status", "code"), OUTCOMES, ids=[who for who, _, _ in OUTCOMES])
async def test_who_gets_what_with_a_token(scene: Scene, who: str, status: int, code: str) -> None:
    async with scene.server as server:
        token = scene.token(who)
        for path in BY_TOKEN:
            found, _, body = await server.get(f"{path}?token={token}")
            assert (found, f'"code":"{code}"'.encode() in body) == (status, bool(code))
        if who not in {"nobody", "garbage"}:
            jwt_is_no_other_way = scene.parts.events(Tag.TOKEN_REFUSED)
            assert bool(jwt_is_no_other_way) is (status != 200)
    assert bool(scene.parts.events(Tag.MEDIA_OPENED)) is (status == 200)


KEY_OUTCOMES = [
    ("nobody", 401, "session-over"),
    ("garbage", 401, "session-over"),
    ("stranger", 404, "not-found"),
    ("neighbour", 404, "not-found"),
    ("without the right", 404, "not-found"),
    ("expired", 401, "session-over"),
    ("withdrawn", 401, "token-withdrawn"),
    ("with it", 200, ""),
]


@pytest.mark.parametrize(("who", "status", "code"), KEY_OUTCOMES, ids=[who for who, _, _ in KEY_OUTCOMES])
async def test_who_gets_what_with_the_key_of_a_session(scene: Scene, who: str, status: int, code: str) -> None:
    async with scene.server as server:
        # Somebody else is let in under these names, so that they are known.
        await server.pieces(f"{PLAYLIST}?token={scene.token('with it')}")
        key = await scene.key(who)
        for path in ("init.mp4", "0-3.m4s"):
            found, _, body = await server.get(f"archive/{scene.segments['door']}/{path}?s={key}")
            assert (found, f'"code":"{code}"'.encode() in body) == (status, bool(code))


async def test_a_foreign_camera_answers_byte_for_byte_like_one_that_is_not_there(scene: Scene) -> None:
    async with scene.server as server:
        token = scene.token("with it")
        # The stranger looks at the foreign camera meanwhile, so its names are known to the routes.
        await server.pieces(f"/south/gate/{PLAYLIST}?token={scene.token('stranger')}")
        key = await scene.key("with it")
        asked = [f"{path}?token={token}" for path in BY_TOKEN]
        asked += [f"archive/{scene.segments['gate']}/{path}?s={key}" for path in ("init.mp4", "0-3.m4s")]
        for path in asked:
            foreign = _alike(await server.get(f"/south/gate/{path}"))
            for place in ("/south/nothing", "/nowhere/gate", "/north/nothing", "/north/yard"):
                assert _alike(await server.get(f"{place}/{path}")) == foreign
            assert foreign[0] == 404


async def test_a_segment_of_another_camera_or_operator_is_like_one_that_never_was(scene: Scene) -> None:
    async with scene.server as server:
        key = await scene.key("with it")
        for path in ("init.mp4", "0-3.m4s"):
            missing = _alike(await server.get(f"archive/{uuid.UUID(int=99)}/{path}?s={key}"))
            assert (missing[0], b"footage-is-gone" in missing[2]) == (410, True)
            for owner in ("yard", "gate"):
                assert _alike(await server.get(f"archive/{scene.segments[owner]}/{path}?s={key}")) == missing


async def test_the_key_of_a_session_opens_only_what_it_was_made_for(scene: Scene) -> None:
    """The other way round, too: what was opened for the archive is no key to anything live."""
    async with scene.server as server:
        key = await scene.key("with it")
        session = next(iter(scene.parts.sessions.of_operator(scene.parts.operator_id)))
        assert session.key == key
        assert (await server.get(f"/north/yard/archive/{scene.segments['yard']}/0-3.m4s?s={key}"))[0] == 404


TRICKS = [
    "/north/../north/door",
    "/north/door/../door",
    "/north/./door",
    "/north/%2e%2e/north/door",
    "/%2e%2e/door",
    "/north%2fdoor",
    "/north/%64oor",
    "/north//door",
    "//north/door",
    "/north/door/",
    "/NORTH/DOOR",
    "/north/door%00",
    "/north/door%20",
    "/north/" + "d" * 3000,
    "/north/-door",
    "/north/%ff%fe",
    "/north/..%5cdoor",
    "/north;x/door",
    "/ /door".replace(" ", "+"),
]


@pytest.mark.parametrize("place", TRICKS, ids=range(len(TRICKS)))
async def test_what_is_not_the_name_of_a_camera_is_no_camera(scene: Scene, place: str) -> None:
    async with scene.server as server:
        token, key = scene.token("with it"), await scene.key("with it")
        missing = _alike(await server.get(f"/north/nothing/{PLAYLIST}?token={token}"))
        for path in BY_TOKEN:
            assert _alike(await server.get(f"{place}/{path}?token={token}")) == missing
        piece = f"archive/{scene.segments['door']}/0-3.m4s?s={key}"
        assert _alike(await server.get(f"{place}/{piece}")) == missing
        assert server.names_known == 1


NUMBERS = [
    "archive--5-10.m3u8",
    "archive-5--10.m3u8",
    "archive-0-0.m3u8",
    "archive-0-86401.m3u8",
    "archive-0-31536000.m3u8",
    "archive-0-31536000.mp4",
    "archive-1e3-10.m3u8",
    "archive-nan-10.m3u8",
    "archive-0x10-10.mp4",
    f"archive-{2**33 + 1}-10.m3u8",
    f"archive-{10**30}-10.m3u8",
    f"archive-{'9' * 6000}-10.m3u8",
    f"archive-{NOON_S}-{'9' * 6000}.mp4",
    "archive-1-2-3.m3u8",
    "archive-.m3u8",
    "archive--.mp4",
    "ranges.json?opened_at_lte=-1",
    f"ranges.json?closed_at_gte={10**30}",
    "ranges.json?closed_at_gte=10&opened_at_lte=9",
    "ranges.json?closed_at_gte=ten",
    "archive/not-an-id/init.mp4",
    "archive/../../init.mp4",
    f"archive/{uuid.UUID(int=5)}/-1-0.m4s",
    f"archive/{uuid.UUID(int=5)}/0-{10**30}.m4s",
    f"archive/{uuid.UUID(int=5)}/0-1.m4s?v={10**30}",
    f"archive/{uuid.UUID(int=5)}/0-1.m4s?a=-{2**62 + 1}",
]


@pytest.mark.parametrize("path", NUMBERS, ids=range(len(NUMBERS)))
async def test_a_number_out_of_bounds_is_refused_alike_for_every_camera(scene: Scene, path: str) -> None:
    async with scene.server as server:
        token, key = scene.token("with it"), await scene.key("with it")
        asked = f"{path}{'&' if '?' in path else '?'}token={token}&s={key}"
        here = _alike(await server.get(asked))
        assert here[0] in {404, 422}
        assert here[1]["content-type"] == "application/problem+json"
        assert _alike(await server.get(f"/south/gate/{asked}")) == here
        assert _alike(await server.get(f"/nowhere/nothing/{asked}")) == here


@pytest.mark.parametrize("places", ["5-2", "0-2147483648", "999-1000", "0-{count}", "{count}-{count}"])
async def test_places_that_a_segment_has_not_are_gone(scene: Scene, places: str) -> None:
    async with scene.server as server:
        key = await scene.key("with it")
        count = len(scene.fragments)
        path = f"archive/{scene.segments['door']}/{places.format(count=count)}.m4s?s={key}"
        status, _, body = await server.get(path)
        assert (status, b"footage-is-gone" in body) == (410, True)
        assert (await server.get(f"archive/{scene.segments['door']}/0-{count - 1}.m4s?s={key}"))[0] == 200


@pytest.mark.parametrize("ticks", [f"v={2**62}", f"v=-{2**62}", f"a={2**62}&v=1"])
async def test_decode_times_that_were_moved_too_far_still_make_a_piece(scene: Scene, ticks: str) -> None:
    async with scene.server as server:
        key = await scene.key("with it")
        assert len(await server.body_of(f"archive/{scene.segments['door']}/0-1.m4s?s={key}&{ticks}")) > 500


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_only_get_is_answered_and_the_refusal_is_alike_for_every_camera(scene: Scene, method: str) -> None:
    async with scene.server as server:
        token, key = scene.token("with it"), await scene.key("with it")
        opened = len(scene.parts.events(Tag.MEDIA_OPENED))
        asked = [f"{path}?token={token}" for path in BY_TOKEN]
        asked += [f"archive/{scene.segments['door']}/{path}?s={key}" for path in ("init.mp4", "0-3.m4s")]
        for path in asked:
            here = _alike(await server.get(path, method=method))
            assert (here[0], here[1]["allow"]) == (405, "GET")
            assert not here[2] or method != "HEAD"
            assert _alike(await server.get(f"/nowhere/nothing/{path}", method=method)) == here
        assert len(scene.parts.events(Tag.MEDIA_OPENED)) == opened


async def test_a_token_opens_its_window_and_nothing_beside_it(scene: Scene) -> None:
    window = (NOON + timedelta(seconds=2), NOON + timedelta(seconds=6))
    async with scene.server as server:
        token = server.token(scene.parts.owner, window=window)
        for kind in ("m3u8", "mp4"):
            for start, length in ((0, 8), (1, 2), (5, 2), (6, 1)):
                status, _, body = await server.get(f"archive-{NOON_S + start}-{length}.{kind}?token={token}")
                assert (status, b"outside-window" in body) == (403, True)
        played = await server.pieces(f"archive-{NOON_S + 2}-4.m3u8?token={token}")
        assert "12:00:02.000Z" in played.text
        assert "12:00:06" not in played.text
        await played.played(server)
        key = _key_in(played)
        segment = scene.segments["door"]
        gone = await server.get(f"archive/{uuid.UUID(int=99)}/0-0.m4s?s={key}")
        first, last = (microseconds(moment) for moment in window)
        for at, one in enumerate(scene.fragments):
            is_inside = first <= one.captured_from_us and one.captured_until_us <= last
            answer = await server.get(f"archive/{segment}/{at}-{at}.m4s?s={key}")
            assert answer[0] == (200 if is_inside else 410)
            assert is_inside or answer[2] == gone[2]
        assert (await server.get(f"archive/{segment}/0-{len(scene.fragments) - 1}.m4s?s={key}"))[0] == 410
        _, _, ranges = await server.get(f"ranges.json?token={token}")
        start, end = NOON_S * 1000 + 2000, NOON_S * 1000 + 6000
        assert ranges == f'{{"ranges":[{{"opened_at":{start},"closed_at":{end}}}]}}'.encode()


async def test_a_grants_depth_moves_on_with_the_clock(scene: Scene) -> None:
    parts = scene.parts
    parts.access.grant(parts.viewer, [Right.ARCHIVE], parts.camera.camera_id, depth=timedelta(seconds=20))
    async with scene.server as server:
        server.later(timedelta(seconds=15))
        token = server.token(parts.viewer)
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        assert [(await server.get(uri))[0] for uri in played.uris] == [200] * 4
        server.later(timedelta(seconds=9))
        assert [(await server.get(uri))[0] for uri in played.uris] == [410, 410, 200, 200]
        status, _, body = await server.get(f"{PLAYLIST}?token={token}")
        assert (status, b"outside-window" in body) == (403, True)
        _, _, ranges = await server.get(f"ranges.json?token={token}")
        start, end = NOON_S * 1000 + 4000, NOON_S * 1000 + 8000
        assert ranges == f'{{"ranges":[{{"opened_at":{start},"closed_at":{end}}}]}}'.encode()


async def test_a_window_that_lies_beyond_the_depth_shows_nothing_and_breaks_nothing(scene: Scene) -> None:
    parts = scene.parts
    parts.access.grant(parts.viewer, [Right.ARCHIVE], parts.camera.camera_id, depth=timedelta(seconds=60))
    async with scene.server as server:
        token = server.token(parts.viewer, window=(NOON, NOON + timedelta(seconds=8)))
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        for _ in range(4):
            server.later(timedelta(seconds=25))
            assert (await server.get(played.uris[3]))[0] in {200, 410}
        assert (await server.get(played.uris[3]))[0] == 410
        assert (await server.get(f"ranges.json?token={token}"))[2] == b'{"ranges":[]}'
        assert (await server.get(f"{PLAYLIST}?token={token}"))[0] == 403


async def test_a_token_for_export_needs_the_right_to_export(scene: Scene) -> None:
    async with scene.server as server:
        issued = scene.parts.issue(scene.parts.owner, Action.ARCHIVE, purpose="export")
        assert len(await server.film(f"{FILM}?token={issued.handle}")) > 10_000


async def test_a_player_goes_on_after_its_token_has_expired_and_nobody_else_can_start(scene: Scene) -> None:
    async with scene.server as server:
        token = server.token(scene.parts.owner, timedelta(seconds=10))
        played = await server.pieces(f"{PLAYLIST}?token={token}")
        server.later(timedelta(seconds=20))
        assert (await server.get(f"{PLAYLIST}?token={token}"))[0] == 200
        assert [(await server.get(uri))[0] for uri in played.uris] == [200] * 4
        assert (await server.get(f"{FILM}?token={token}"))[0] == 401


async def test_both_forms_of_a_token_open_the_same(scene: Scene) -> None:
    async with scene.server as server:
        issued = scene.parts.issue(scene.parts.owner, Action.ARCHIVE)
        by_jwt = await server.pieces(f"{PLAYLIST}?token={issued.jwt}")
        by_handle = await server.pieces(f"{PLAYLIST}?token={issued.handle}")
        assert by_jwt.text == by_handle.text
