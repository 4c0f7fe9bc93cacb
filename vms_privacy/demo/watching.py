"""Steps about looking: live leaves nothing, pictures are the right ones, and who may not look sees nothing."""

import itertools
import time
from contextlib import ExitStack

from streams.simulator.reading import find_canary, read_bar_codes
from streams.simulator.rules import BarCode
from vms_privacy.client import Answer, ApiClient
from vms_privacy.demo.search import search_world
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.viewer import LiveViewer, ask, fetch, follow, pieces_of
from vms_privacy.demo.world import World, iso, person, refusal_of

LIVE_S = 2.0
NO_CAMERA = "00000000-0000-4000-8000-000000000000"


def live_leaves_nothing(world: World) -> Detail:
    """Watch without an opt-in, as endless MP4 and as HLS; then look for what was watched on the disk."""
    watcher, person_id, grant_id = person(world, world.north, "watcher@north.example.org", role="investigator")
    world.kept |= {"watcher": watcher, "watcher-id": person_id, "watcher-grant": grant_id}
    gate = world.north.cameras["gate"]
    # Used at once and again when it has expired, by a later step.
    world.kept["short-token"] = world.token(watcher, gate, "live", lifetime="PT10S")
    handle = world.token(watcher, gate, "live")
    with LiveViewer(f"{world.url}/north/gate/live.mp4?token={handle}", world.clock) as viewer:
        hold(viewer.first_byte(20), f"live video begins ({viewer.taken.ended_by})")
        time.sleep(LIVE_S)
    seen = bytes(viewer.taken.data)
    hls = _play(watcher, f"/north/gate/index.m3u8?token={handle}")
    canary = world.canaries[0]
    hold(find_canary(seen, canary), "the canary is in the live video (or the search could not find it at all)")
    hold(find_canary(hls, canary), "the canary is in HLS")
    size, found = search_world(world)
    hold(not found, f"no media byte is on the disk, but: {found[:3]}")
    hold(not world.ranges(world.north, "gate"), "there is nothing to play from the archive")
    return {
        "live bytes": len(seen),
        "canaries in them": len(find_canary(seen, canary)),
        "disk bytes searched": size,
        "found": 0,
    }


def right_pictures(world: World) -> Detail:
    """Play live and archive, and read back from every picture which camera it is of, and which number it has."""
    watcher: ApiClient = world.kept["watcher"]
    gate = world.north.cameras["gate"]
    handle = world.token(watcher, gate, "live")
    with LiveViewer(f"{world.url}/north/gate/live.mp4?token={handle}", world.clock) as viewer:
        hold(viewer.first_byte(20), "live video begins")
        # A busy machine sends late; more than two seconds of pictures are wanted.
        time.sleep(LIVE_S + 1)
    live = read_bar_codes(bytes(viewer.taken.data))
    archive = read_bar_codes(_recorded(world, watcher, "gate"))
    for what, codes in (("live", live), ("archive", archive)):
        hold(len(codes) > 50, f"{what} shows pictures with bar codes ({len(codes)})")
        hold({code.camera for code in codes} == {1}, f"{what} shows camera 1 and no other")
        hold(_missing(codes) == 0, f"{what} shows every picture, in order ({_missing(codes)} missing)")
    now_ms = int(world.clock.now().timestamp() * 1000)
    return {
        "live pictures": len(live),
        "archive pictures": len(archive),
        "camera": 1,
        "missing": 0,
        "age of the newest live picture in ms, at its end": now_ms - live[-1].utc_ms,
    }


def neighbour_sees_nothing(world: World) -> Detail:
    """Ask as somebody of another operator for a camera that exists and for one that does not; compare every byte."""
    stranger = world.south.owner
    gate = world.north.cameras["gate"]
    own = world.token(stranger, world.south.cameras["dock"], "live", "archive")
    pairs = [
        (f"/api/v1/cameras/{gate}", f"/api/v1/cameras/{NO_CAMERA}"),
        (f"/api/v1/cameras/{gate}/retention", f"/api/v1/cameras/{NO_CAMERA}/retention"),
        (f"/api/v1/cameras/{gate}/opt-ins", f"/api/v1/cameras/{NO_CAMERA}/opt-ins"),
        (f"/api/v1/operators/{world.north.operator_id}/audit", f"/api/v1/operators/{NO_CAMERA}/audit"),
        (f"/north/gate/index.m3u8?token={own}", f"/north/none/index.m3u8?token={own}"),
        (f"/north/gate/live.mp4?token={own}", f"/nobody/none/live.mp4?token={own}"),
        (f"/north/gate/ranges.json?token={own}", f"/north/none/ranges.json?token={own}"),
    ]
    for real, missing in pairs:
        one, other = (ask(stranger, f"{world.url}{path}") for path in (real, missing))
        hold(one.status == 404, f"{real} answers 404 to a neighbour, not {one.status}")
        hold(_shape(one) == _shape(other), f"{real} answers as {missing} does")
    body = {"actions": ["live"], "purpose": "live_view"}
    token = [stranger.ask("POST", f"/api/v1/cameras/{one}/tokens", body) for one in (gate, NO_CAMERA)]
    hold(token[0].status == 404, f"no token for a neighbour's camera, not {token[0].status}")
    hold(_shape(token[0]) == _shape(token[1]), "a token for a neighbour's camera is refused as for none")
    ours = ask(world.north.owner, f"{world.url}/api/v1/cameras/{gate}")
    hold(ours.status == 200, "the owner sees the camera (so the comparison was of a camera that is there)")
    return {"comparisons": len(pairs) + 1, "status": 404, "bytes equal": True}


def tokens_are_bounded(world: World) -> Detail:
    """Use tokens outside of what they are for."""
    watcher: ApiClient = world.kept["watcher"]
    gate, yard = world.north.cameras["gate"], world.north.cameras["yard"]
    now = world.clock.now()
    start = int(now.timestamp())
    early = iso(now.replace(microsecond=0).fromtimestamp(start - 30, tz=now.tzinfo))
    late = iso(now.replace(microsecond=0).fromtimestamp(start - 20, tz=now.tzinfo))
    window = world.token(watcher, gate, "archive", window={"from": early, "until": late})
    live = world.token(watcher, gate, "live")
    of_yard = world.token(watcher, yard, "live")
    short = world.kept["short-token"]

    def get(path: str) -> str:
        return refusal_of(lambda: fetch(watcher, f"{world.url}{path}"))

    world.until(
        lambda: ask(watcher, f"{world.url}/north/gate/info.json?token={short}").status != 200, 15, "a token expires"
    )
    refusals = {
        "before its window": get(f"/north/gate/archive-{start - 60}-10.m3u8?token={window}"),
        "after its window": get(f"/north/gate/archive-{start - 15}-10.m3u8?token={window}"),
        "expired": get(f"/north/gate/info.json?token={short}"),
        "other camera": get(f"/north/yard/index.m3u8?token={live}"),
        "other camera, archive": get(f"/north/gate/archive-{start - 30}-10.m3u8?token={of_yard}"),
        "other action": get(f"/north/gate/archive-{start - 30}-10.m3u8?token={live}"),
        "none": get("/north/gate/index.m3u8"),
        "made up": get("/north/gate/index.m3u8?token=p1.AAAAAAAAAAAAAAAAAAAAAA"),
    }
    expected = {
        "before its window": "403",
        "after its window": "403",
        "expired": "401",
        "other camera": "404",
        "other camera, archive": "404",
        "other action": "403",
        "none": "401",
        "made up": "401",
    }
    for what, status in expected.items():
        hold(refusals[what].startswith(status), f"a token that is {what} is refused with {status}: {refusals[what]}")
    inside = ask(watcher, f"{world.url}/north/gate/archive-{start - 28}-5.m3u8?token={window}")
    hold(inside.status in {200, 404}, f"inside its window it opens: {inside.status}")
    return refusals


def withdrawn_right_ends_live(world: World) -> Detail:
    """Three watch; the right of one is withdrawn; measure when its bytes stop and whether the others miss any."""
    gate = world.north.cameras["gate"]
    people = [person(world, world.north, f"viewer-{number}@north.example.org", role="viewer") for number in range(3)]
    with ExitStack() as stack:
        viewers = [
            stack.enter_context(
                LiveViewer(f"{world.url}/north/gate/live.mp4?token={world.token(session, gate, 'live')}", world.clock)
            )
            for session, _, _ in people
        ]
        for viewer in viewers:
            hold(viewer.first_byte(20), "everybody watches")
        time.sleep(1)
        grants = f"/api/v1/operators/{world.north.operator_id}/grants"
        # From when it is asked for: the commit comes a little later, and the answer after it.
        withdrawn_at = world.clock.monotonic()
        world.north.owner.call("DELETE", f"{grants}/{people[0][2]}")
        hold(viewers[0].ended(1.0), "the withdrawn viewer is cut within a second")
        ended_at = viewers[0].taken.ended_at or withdrawn_at
        late = sum(size for at, size in viewers[0].taken.reads if at > withdrawn_at + 1)
        time.sleep(LIVE_S)
        until = world.clock.monotonic()
        pauses = [round(one.taken.longest_pause_s(withdrawn_at - 1, until), 2) for one in viewers[1:]]
        hold(all(not one.ended(0) for one in viewers[1:]), "the others go on")
    others = [read_bar_codes(bytes(one.taken.data)) for one in viewers[1:]]
    hold(all(_missing(codes) == 0 and codes for codes in others), "the others miss no picture")
    hold(viewers[0].taken.ended_by != "end of stream", "it is a reset, not a clean end")
    hold(not late, "no byte came later")
    return {
        "ended after ms": round((ended_at - withdrawn_at) * 1000),
        "how": viewers[0].taken.ended_by,
        "longest pause of the others in s": pauses,
        "pictures the others missed": 0,
    }


def _play(client: ApiClient, path: str) -> bytes:
    """Fetch what an HLS playlist names, as one file."""
    pieces = pieces_of(*follow(client, path))
    hold(pieces, "the playlist names pieces")
    return fetch(client, pieces[0].init_url) + b"".join(fetch(client, one.url) for one in pieces)


def _recorded(world: World, watcher: ApiClient, camera: str) -> bytes:
    span = world.ranges(world.north, camera)[-1]
    start, end = span["opened_at"] // 1000, span["closed_at"] // 1000
    hold(end > start, "there is a whole second to play")
    handle = world.token(watcher, world.north.cameras[camera], "archive")
    return _play(watcher, f"/north/{camera}/archive-{start}-{end - start}.m3u8?token={handle}")


def _missing(codes: list[BarCode]) -> int:
    counters = [code.counter for code in codes]
    steps = [after - before for before, after in itertools.pairwise(counters)]
    return sum(abs(step - 1) for step in steps)


def _shape(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return an answer without what names the moment it was given."""
    return answer.status, {name: value for name, value in answer.headers.items() if name != "date"}, answer.body
