"""The step about a mandate: one second out of the middle of a recording goes, and what lies around it plays on."""

from typing import Final

from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from streams.simulator.reading import read_bar_codes
from vms_privacy.demo.ordering import iso_us, second_person
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.viewer import fetch
from vms_privacy.demo.world import World, refusal_of

DESTROYED_WITHIN_S: Final = 15.0
MOST_GONE: Final = 75
"""Pictures of a second, of a fragment before it, and of the rest of a group of pictures behind it."""
_ON_ITS_WAY_MS: Final = 200
"""A picture is captured a little later than it was filmed."""
_GATE: Final = 1
"""What the gate's pictures say of themselves."""
_BEFORE_S, _BEHIND_S = 1, 3
_SECOND_US: Final = 1_000_000


def mandate_is_exact(world: World) -> Detail:
    """Have a second of the gate's recording destroyed by two people; see it gone at once, and its neighbours stay."""
    owner, gate = world.north.owner, world.north.cameras["gate"]
    segment = _longest(world, gate)
    middle_us = segment.starts_us + ((segment.ends_us or 0) - segment.starts_us) // 2
    since_us = middle_us // _SECOND_US * _SECOND_US
    asked = {"from": iso_us(since_us), "until": iso_us(since_us + _SECOND_US)}
    before = _pictures(world, since_us // _SECOND_US)
    told = owner.call("GET", f"/api/v1/cameras/{gate}/mandates/preview", None, **asked)
    wanted = {**asked, "reference": "request 4712", "reason": "a person asked for it, who is to be seen then"}
    proposed = owner.call("POST", f"/api/v1/cameras/{gate}/mandates", wanted)
    path = f"/api/v1/operators/{world.north.operator_id}/approvals/{proposed['proposal_id']}/approve"
    alone = refusal_of(lambda: owner.call("POST", path))
    hold(_state(world, segment) == State.STORED, "nothing goes before a second person approves")
    second_person(world).call("POST", path)
    gone = refusal_of(lambda: _film(world, since_us // _SECOND_US, 1))
    waited = world.until(
        lambda: _state(world, segment) == State.ERASED, DESTROYED_WITHIN_S, "key and bytes are destroyed"
    )
    after = _pictures(world, since_us // _SECOND_US)
    hold(alone == "409 second-person-needed", f"nobody has it destroyed alone, but: {alone}")
    hold(gone == "410 footage-is-gone", f"from the approval on nobody reads it: {gone}")
    hold(told["in_part"] == 1, f"the preview says that a file is cut: {told}")
    since_ms, until_ms = since_us // 1000, (since_us + _SECOND_US) // 1000
    inside = [one for one in after if since_ms <= one < until_ms - _ON_ITS_WAY_MS]
    hold(not inside, f"no picture of that second is left, but: {len(inside)}")
    hold(min(after) < since_ms and until_ms < max(after), "there are pictures before and after it")
    hold(
        len(before) - len(after) <= MOST_GONE,
        f"no more is gone than the next key picture needs: {len(before)}, {len(after)}",
    )
    return {
        "asked for s": 1,
        "approving alone": alone,
        "at once": gone,
        "pictures gone": len(before) - len(after),
        "pictures left": len(after),
        "destroyed after s": round(waited, 1),
    }


def _pictures(world: World, since: int) -> list[int]:
    """Return when each picture was filmed that can be played around a second, in milliseconds."""
    film = _film(world, since - _BEFORE_S, _BEFORE_S + 1 + _BEHIND_S)
    return [code.utc_ms for code in read_bar_codes(film) if code.camera == _GATE]


def _film(world: World, since: int, length: int) -> bytes:
    owner = world.north.owner
    handle = world.token(owner, world.north.cameras["gate"], "archive")
    return fetch(owner, f"{world.url}/north/gate/archive-{since}-{length}.mp4?token={handle}")


def _longest(world: World, camera_id: str) -> SegmentRow:
    stored = [
        row for row in every_segment(world.parts.db) if str(row.camera_id) == camera_id and row.state == State.STORED
    ]
    hold(stored, "there is closed footage of the gate")
    return max(stored, key=lambda row: (row.ends_us or 0) - row.starts_us)


def _state(world: World, segment: SegmentRow) -> str:
    return next(row.state for row in every_segment(world.parts.db) if row.id == segment.id)
