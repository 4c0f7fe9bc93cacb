"""The step about off-boarding: an operator leaves with a list of everything, and nothing of it is left."""

import io
import json
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from archive.keys.tables import BucketRow
from archive.receipts.key_history import KeyHistory
from archive.receipts.service import holds, read_history
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from vms_privacy.client import ApiClient
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import Detail, DoesNotHold, hold
from vms_privacy.demo.viewer import ask, fetch
from vms_privacy.demo.world import World, person, refusal_of, session_of
from vms_privacy.off_boarding.manifest import ValidManifest, check

LISTED_WITHIN_S: Final = 30.0
CLOSED_WITHIN_S: Final = 40.0
_WHY: Final = "the contract has ended"


def operator_leaves(world: World) -> Detail:
    """Have the other operator leave, by two people twice; see its list, the end of looking, and what is left of it."""
    owner, path = world.south.owner, f"/api/v1/operators/{world.south.operator_id}/off-boarding"
    second, _, _ = person(world, world.south, "second@south.example.org", role="privacy-admin")
    before = _footage_of_south(world)
    hold(before and all(row.state == State.STORED for row in before), "there is footage of the operator")
    proposed = owner.call("POST", path, {"reason": _WHY})
    alone = refusal_of(lambda: _approve(world, owner, proposed))
    hold(alone == "409 second-person-needed", f"nobody begins it alone, but: {alone}")
    _approve(world, second, proposed)
    again = refusal_of(lambda: world.opt_in(world.south, "dock"))
    hold(again == "409 recording-has-ended", f"nothing is switched on any more, but: {again}")
    owner.call("POST", f"{path}/manifest")
    world.until(lambda: owner.call("GET", path)["manifest"]["digest"], LISTED_WITHIN_S, "everything is listed")
    digest, listed = _verified(owner, fetch(owner, f"{world.url}{path}/manifest"))
    hold(listed == {str(row.id) for row in before}, "the manifest lists each segment, and no other")
    play = _play(world, before)
    hold(len(fetch(owner, play)) > 0, "until the confirmation the footage can be taken away")
    _approve(world, second, owner.call("POST", f"{path}/confirmation", {"manifest": digest, "reason": _WHY}))
    gone = refusal_of(lambda: fetch(owner, play))
    hold(gone == "410 footage-is-gone", f"from the confirmation on nobody reads it: {gone}")
    admin = session_of(world, "platform admin")
    waited = world.until(lambda: _closed(world, admin), CLOSED_WITHIN_S, "the operator is closed")
    left = [row for row in _footage_of_south(world) if row.state != State.ERASED]
    hold(not left, f"every segment is destroyed, but {len(left)} are not")
    keys = _living_keys(world)
    hold(not keys, f"every key is destroyed, but {keys} are not")
    nobody = refusal_of(lambda: owner.call("GET", path))
    hold(nobody == "401 not-authenticated", f"nobody of it is logged in any more, but: {nobody}")
    told = _told_by_receipts(world, admin)
    hold(listed <= told, "receipts tell of every segment")
    world.log_ins[:] = [one for one in world.log_ins if not one.login.endswith("south.example.org")]
    return {
        "segments listed": len(listed),
        "beginning alone": alone,
        "at once": gone,
        "left after s": round(waited, 1),
        "keys left": keys,
        "told by receipts": len(listed & told),
    }


def _footage_of_south(world: World) -> list[SegmentRow]:
    return [row for row in every_segment(world.parts.db) if str(row.operator_id) == world.south.operator_id]


def _approve(world: World, who: ApiClient, proposed: Any) -> None:
    path = f"/api/v1/operators/{world.south.operator_id}/approvals/{proposed['proposal_id']}/approve"
    who.call("POST", path)


def _verified(owner: ApiClient, document: bytes) -> tuple[str, set[str]]:
    """Return the digest of a manifest that holds, and the segments that it lists."""
    history = read_history(owner.fetch("/api/v1/receipt-keys/document"))
    if not isinstance(history, KeyHistory):
        raise DoesNotHold(f"the key history is valid: {history}")
    verdict = check(io.BytesIO(document), history, holds)
    if not isinstance(verdict, ValidManifest):
        raise DoesNotHold(f"the manifest is valid: {verdict}")
    return verdict.digest, {str(json.loads(line)["segment_id"]) for line in document.splitlines()[3:]}


def _play(world: World, rows: list[SegmentRow]) -> str:
    """Return the address of the first second of what is recorded."""
    since = min(row.starts_us for row in rows) // 1_000_000 + 1
    handle = world.token(world.south.owner, world.south.cameras["dock"], "archive")
    return f"{world.url}/south/dock/archive-{since}-1.mp4?token={handle}"


def _closed(world: World, admin: ApiClient) -> bool:
    return _listed(world, admin)["closed_at"] is not None


def _listed(world: World, admin: ApiClient) -> Any:
    found = admin.call("GET", "/api/v1/off-boardings")
    return next(one for one in found if one["operator_id"] == world.south.operator_id)


def _living_keys(world: World) -> int:
    of_south = BucketRow.operator_id == UUID(world.south.operator_id)
    with world.parts.db.reading() as session:
        return len(session.scalars(select(BucketRow).where(of_south, BucketRow.destroyed_at.is_(None))).all())


def _told_by_receipts(world: World, admin: ApiClient) -> set[str]:
    one = _listed(world, admin)
    path = f"{world.url}/api/v1/off-boardings/{one['off_boarding_id']}/receipts"
    documents = [ask(admin, f"{path}/{receipt}/document").body for receipt in one["gone"]["receipts"]]
    leaves = [json.loads(line) for document in documents for line in document.splitlines()[3:]]
    return {str(leaf["segment_id"]) for leaf in leaves}
