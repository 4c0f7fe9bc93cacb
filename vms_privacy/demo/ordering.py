"""Steps about orders: a hold outlives expiry for its case alone, a restriction closes live, two people lift either."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from streams.simulator.reading import read_bar_codes
from vms_privacy.client import ApiClient
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.viewer import LiveViewer, ask, fetch
from vms_privacy.demo.world import World, iso, person, refusal_of
from vms_privacy.ids import SegmentId

SWEPT_WITHIN_S: Final = 40.0
CUT_WITHIN_S: Final = 1.0


def place_hold(world: World) -> None:
    """Hold the newest closed segment of the yard for a case of one investigator; keep what later steps need."""
    operator, yard = world.north, world.north.cameras["yard"]
    investigator, person_id, _ = person(world, operator, "investigator@north.example.org", role="investigator")
    world.until(lambda: _newest_stored(world, yard), 20, "a segment of the yard is closed")
    held = _newest_stored(world, yard)
    assert held is not None
    assert held.ends_us is not None
    body = {
        "from": iso_us(held.starts_us),
        "until": iso_us(held.ends_us),
        "case": "2026/17",
        "ground": "court-order",
        "authority": "district court",
        "reason": "an accident at the gate",
        "review_at": iso(world.clock.now() + timedelta(days=30)),
        "people": [person_id],
    }
    made = operator.owner.call("POST", f"/api/v1/cameras/{yard}/holds", body)
    world.kept |= {"held": SegmentId(held.id), "hold": made["order_id"], "investigator": investigator}
    world.kept["held-span"] = (held.starts_us // 1_000_000, -(-held.ends_us // 1_000_000))


def hold_beats_expiry(world: World) -> Detail:
    """See the held segment outlive its neighbours, open for its case alone, and go once two people have lifted it."""
    owner, yard = world.north.owner, world.north.cameras["yard"]
    held: SegmentId = world.kept["held"]
    rounds = world.running.jobs.states()["sweep"].rounds
    world.until(lambda: world.running.jobs.states()["sweep"].rounds >= rounds + 2, 20, "two more sweeps are done")
    hold(_state(world, held) == State.STORED, f"what is held is not destroyed, but it is {_state(world, held)}")
    ordinary = refusal_of(lambda: _film(world, owner, "archive_view"))
    outsider = refusal_of(lambda: _film(world, owner, "evidence"))
    codes = read_bar_codes(_film(world, world.kept["investigator"], "evidence"))
    hold(ordinary == outsider == "410 footage-is-gone", f"for everybody else it is gone: {ordinary}, {outsider}")
    hold({code.camera for code in codes} == {2}, "the investigator of the case sees the yard")
    alone, lifted_by_two = _lift(world, "hold", world.kept["hold"], {"reason": "the case is closed"})
    hold(alone == "409 second-person-needed", f"nobody lifts it alone, but: {alone}")
    hold(lifted_by_two["decision"] == "approved", "a second person lifts it")
    waited = world.until(lambda: _state(world, held) == State.ERASED, SWEPT_WITHIN_S, "the next sweep destroys it")
    hold(ask(owner, f"{world.url}/api/v1/cameras/{yard}/holds").json()[0]["lifted_at"], "the hold stays written")
    return {
        "sweeps it outlived": 2,
        "to everybody else": ordinary,
        "pictures for the case": len(codes),
        "lifting alone": alone,
        "destroyed after the end by s": round(waited, 1),
    }


def restriction_closes_live(world: World) -> Detail:
    """Restrict the yard's present: whoever watches it is cut, nobody else is, and it opens again once it is lifted."""
    owner, yard, gate = world.north.owner, world.north.cameras["yard"], world.north.cameras["gate"]
    handle, other = world.token(owner, yard, "live"), world.token(owner, gate, "live")
    with (
        LiveViewer(f"{world.url}/north/yard/live.mp4?token={handle}", world.clock) as viewer,
        LiveViewer(f"{world.url}/north/gate/live.mp4?token={other}", world.clock) as neighbour,
    ):
        hold(viewer.first_byte(20) and neighbour.first_byte(20), "both cameras are watched")
        body = {
            "from": iso(world.clock.now()),
            "until": iso(world.clock.now() + timedelta(hours=1)),
            "case": "request 4711",
            "ground": "objection-pending",
            "authority": "the person concerned",
            "reason": "an objection is being looked at",
            "review_at": iso(world.clock.now() + timedelta(days=30)),
        }
        began = world.clock.monotonic()
        made = owner.call("POST", f"/api/v1/cameras/{yard}/restrictions", body)
        placed = world.clock.monotonic()
        hold(viewer.ended(5), "whoever watches the restricted camera is cut")
        cut_after = (viewer.taken.ended_at or placed) - placed
        hold(cut_after < CUT_WITHIN_S, f"the cut comes within a second, not {cut_after:.2f} s later")
        refused = refusal_of(lambda: fetch(owner, f"{world.url}/north/yard/live.mp4?token={handle}"))
        hold(refused == "423 footage-is-restricted", f"nobody watches it now: {refused}")
        time.sleep(0.5)
        hold(not neighbour.taken.ended_by, f"the other camera goes on: {neighbour.taken.ended_by}")
    told = {"reason": "the objection was decided", "requester_told_at": iso(world.clock.now())}
    _lift(world, "restriction", made["order_id"], told)
    again = world.token(owner, yard, "live")
    with LiveViewer(f"{world.url}/north/yard/live.mp4?token={again}", world.clock) as viewer:
        hold(viewer.first_byte(20), "once it is lifted, the camera is watched again")
    return {"placed in s": round(placed - began, 2), "cut after s": round(max(cut_after, 0.0), 3), "refused": refused}


def _lift(world: World, kind: str, order_id: str, why: Mapping[str, str]) -> tuple[str, Mapping[str, Any]]:
    """Propose the end of an order; return what approving alone is answered, and what a second person brings about."""
    owner, yard = world.north.owner, world.north.cameras["yard"]
    proposed = owner.call("POST", f"/api/v1/cameras/{yard}/{kind}s/{order_id}/end", why)
    path = f"/api/v1/operators/{world.north.operator_id}/approvals/{proposed['proposal_id']}/approve"
    alone = refusal_of(lambda: owner.call("POST", path))
    return alone, second_person(world).call("POST", path)


def second_person(world: World) -> ApiClient:
    """Return somebody else with the rights of a privacy admin."""
    if "privacy-admin" not in world.kept:
        world.kept["privacy-admin"], _, _ = person(
            world, world.north, "privacy@north.example.org", role="privacy-admin"
        )
    second: ApiClient = world.kept["privacy-admin"]
    return second


def _film(world: World, who: ApiClient, purpose: str) -> bytes:
    since, until = world.kept["held-span"]
    handle = world.token(who, world.north.cameras["yard"], "archive", purpose=purpose)
    return fetch(who, f"{world.url}/north/yard/archive-{since}-{until - since}.mp4?token={handle}")


def _newest_stored(world: World, camera_id: str) -> SegmentRow | None:
    rows = [row for row in every_segment(world.parts.db) if str(row.camera_id) == camera_id]
    return max((row for row in rows if row.state == State.STORED), key=lambda row: row.starts_us, default=None)


def _state(world: World, segment_id: SegmentId) -> str:
    return next(row.state for row in every_segment(world.parts.db) if row.id == segment_id)


def iso_us(moment_us: int) -> str:
    """Return a moment of our clock as the API takes it."""
    seconds, micros = divmod(moment_us, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{micros:06d}Z"
