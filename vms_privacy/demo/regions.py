"""The step about regions: an operator's footage lies in the store of its region, and in no other."""

from archive.segments.rules import Place, State
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.world import ELSEWHERE, World

RECORD_S = 3.0


def footage_stays_in_its_region(world: World) -> Detail:
    """Record the operator whose footage was promised to lie elsewhere; look for each file in every store."""
    dock = world.south.cameras["dock"]
    if not world.south.owner.call("GET", f"/api/v1/cameras/{dock}/opt-ins"):
        world.opt_in(world.south, "dock")
    world.until(
        lambda: sum(one["closed_at"] - one["opened_at"] for one in world.ranges(world.south, "dock")) > RECORD_S * 1000,
        20,
        "the other operator's camera is recorded",
    )
    world.south.owner.call("DELETE", f"/api/v1/cameras/{dock}/opt-ins/video-recording")
    world.until(lambda: _is_delivered(world, dock), 30, "its footage is in a store")
    there = {name: set(store.names()) for name, store in world.parts.stores.items()}
    rows = {row.blob_name: row for row in every_segment(world.parts.db)}
    of_south = {name for name, row in rows.items() if str(row.camera_id) == dock}
    hold(of_south <= there[ELSEWHERE], "the footage of one operator lies in its region")
    strays = [name for store, found in there.items() for name in found if name in rows and rows[name].store != store]
    hold(not strays, f"each file lies in the store of its row, but {len(strays)} do not")
    hold(all(there.values()), "there are files in each store")
    in_both = set.intersection(*there.values())
    hold(not in_both, f"no file lies in two stores, but {len(in_both)} do")
    return {"files by store": {name: len(found) for name, found in there.items()}, "misplaced": 0}


def _is_delivered(world: World, camera_id: str) -> bool:
    rows = [row for row in every_segment(world.parts.db) if str(row.camera_id) == camera_id]
    return bool(rows) and all((row.state, row.place) == (State.STORED, Place.STORE) for row in rows)
