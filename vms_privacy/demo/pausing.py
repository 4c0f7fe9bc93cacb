"""The step about recording times: outside of them nothing is recorded, opt-in or not."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.world import World
from vms_privacy.recording_times.rules import DAYS

PAUSE_S: Final = 1.4
HEARD_WITHIN_MS: Final = 500
"""The recorder hears of it at once; the fragment in its hand is half a second long."""


def recording_times_pause(world: World) -> Detail:
    """Record at other times of the day for a moment, then always again; see that nothing is there of that moment."""
    path = f"/api/v1/cameras/{world.north.cameras['gate']}"
    paused_ms = _set(world, path, _elsewhere(world))
    time.sleep(PAUSE_S)
    resumes_ms = round(world.clock.now().timestamp() * 1000)
    _set(world, path, {"begins": "00:00", "ends": "24:00"})
    waited = world.until(
        lambda: world.ranges(world.north, "gate")[-1]["closed_at"] > resumes_ms + 1000, 10, "it is recorded again"
    )
    from_ms = paused_ms + HEARD_WITHIN_MS
    there_ms = sum(
        max(0, min(one["closed_at"], resumes_ms) - max(one["opened_at"], from_ms))
        for one in world.ranges(world.north, "gate")
    )
    hold(there_ms == 0, f"nothing is recorded outside of the recording times, not {there_ms} ms")
    middle = datetime.fromtimestamp((resumes_ms - 100) / 1000, UTC).isoformat()
    told = world.north.owner.call("GET", f"{path}/why", None, moment=middle)
    hold(
        told["because"] == [{"code": "gap", "about": "outside-recording-times"}], f"why says so, not {told['because']}"
    )
    return {
        "paused for ms": resumes_ms - paused_ms,
        "recorded of it in ms": 0,
        "recorded again after s": round(waited, 1),
    }


def _set(world: World, path: str, stretch: dict[str, Any]) -> int:
    body = {"zone": "UTC", "stretches": [{"days": [str(day) for day in DAYS], **stretch}]}
    world.north.owner.call("PUT", f"{path}/recording-times", body)
    return round(world.clock.now().timestamp() * 1000)


def _elsewhere(world: World) -> dict[str, Any]:
    """An hour of each day that begins half a day from now."""
    hour = (world.clock.now() + timedelta(hours=12)).hour
    return {"begins": f"{hour:02}:00", "ends": f"{(hour + 1) % 24:02}:00"}
