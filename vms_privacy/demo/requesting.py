"""The step about requests: one that came a month ago is overdue as it is entered, and closes with an outcome alone."""

from typing import Any, Final

from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from vms_privacy.demo.ordering import iso_us, second_person
from vms_privacy.demo.proving import head_of, signed_now
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.viewer import ask, fetch
from vms_privacy.demo.world import World, iso, refusal_of
from vms_privacy.subject_requests.clocks import PROMISED_WITHIN

ERASED_WITHIN_S: Final = 30.0
REQUESTER: Final = "Ida Invented, 1 Nowhere Lane"


def request_has_a_clock(world: World) -> Detail:
    """Enter a letter of a month ago, see it overdue, have its footage erased by two people, answer and close it."""
    owner, path = world.north.owner, f"/api/v1/operators/{world.north.operator_id}/requests"
    wanted = _oldest_of_the_gate(world)
    now = world.clock.now()
    body = {
        "kind": "erasure",
        "channel": "letter",
        "received_at": iso(now - PROMISED_WITHIN),
        "identity": "confirmed",
        "contact": REQUESTER,
        "items": [_item(world, wanted)],
    }
    made = owner.call("POST", path, body)
    one = f"{path}/{made['request_id']}"
    hold(made["is_overdue"] and made["missed_promise"], "what came a month ago is overdue as it is entered")
    hold(_overdue(world) == 1, f"the metrics count it: {_overdue(world)}")
    told = {"told_at": iso(now)}
    open_yet = refusal_of(lambda: owner.call("POST", f"{one}/closing", told))
    hold(open_yet == "409 request-is-undecided", f"without an outcome it is not closed, but: {open_yet}")
    (item,) = owner.call("POST", f"{one}/decision", {"items": [{"item": 1, "answer": "erase"}]})["items"]
    approve = f"/api/v1/operators/{world.north.operator_id}/approvals/{item['proposal_id']}/approve"
    alone = refusal_of(lambda: owner.call("POST", approve))
    hold(alone == "409 second-person-needed", f"nobody erases alone, but: {alone}")
    second_person(world).call("POST", approve)
    waited = world.until(lambda: _standing(world, one) == "done", ERASED_WITHIN_S, "keyring and store have confirmed")
    _hold_proof(world, made["request_id"])
    statement = fetch(owner, f"{world.url}{one}/statement").decode()
    hold("It is granted." in statement and REQUESTER not in statement, "the statement tells the outcome, and no name")
    closed = owner.call("POST", f"{one}/closing", {"told_at": iso(world.clock.now())})
    hold((closed["outcome"], _overdue(world)) == ("granted", 0), "closed with its outcome, it is overdue no more")
    return {"received": made["received_at"], "promised by": made["promised_by"], "gone after s": round(waited, 1)}


def _oldest_of_the_gate(world: World) -> SegmentRow:
    gate = world.north.cameras["gate"]
    rows = [row for row in every_segment(world.parts.db) if str(row.camera_id) == gate and row.state == State.STORED]
    return min(rows, key=lambda row: row.starts_us)


def _item(world: World, wanted: SegmentRow) -> dict[str, str]:
    last_us = (wanted.destroy_from_us or 0) - wanted.keep_us
    return {"camera_id": world.north.cameras["gate"], "from": iso_us(wanted.starts_us), "until": iso_us(last_us)}


def _hold_proof(world: World, request_id: str) -> None:
    """Hold that the request has a receipt of its own, which says why, and that two people decided."""
    heads = [head_of(world, one) for one in signed_now(world)]
    own = [head for head in heads if (head["kind"], head.get("reference")) == ("request", request_id)]
    hold(len(own) == 1, f"the request has one receipt of its own: {len(own)}")
    (mandate,) = own[0]["mandates"]
    hold(mandate["proposed_by"] != mandate["approved_by"], "which names the two people who decided")


def _standing(world: World, path: str) -> Any:
    return world.north.owner.call("GET", path)["items"][0]["standing"]


def _overdue(world: World) -> int:
    lines = ask(world.north.owner, f"{world.url}/metrics").body.decode().splitlines()
    return int(float(next(line for line in lines if line.startswith("vms_requests_overdue ")).split(" ")[1]))
