"""An operator leaves over the wire: who reads what before and after, and what a hold leaves to its case."""

import hashlib
import io
from datetime import timedelta
from typing import Any

import pytest

from archive.receipts.service import holds
from auth.principal import Principal, Role
from tests.given.destroyed import record
from tests.given.stage import Stage
from vms_privacy.off_boarding.manifest import ValidManifest, check

WHY = {"reason": "the contract has ended"}


class Operator:
    """The operator of a stage, whose people ask by name."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.path = f"/api/v1/operators/{stage.operator_id}"
        self.second = stage.person(Role.PRIVACY_ADMIN)
        self.investigator = stage.person(Role.INVESTIGATOR)
        fed = record(stage)
        self.since = fed[0].captured_from_us // 1_000_000
        parts = stage.parts
        parts.delivery.deliver()

    def ask(self, who: Principal, method: str, path: str, body: Any = None) -> Any:
        with self.stage.app.client(self.stage.log_in(who)) as client:
            return client.request(method, path, json=body)

    def decide(self, made: Any) -> None:
        approve = f"{self.path}/approvals/{made.json()['proposal_id']}/approve"
        assert self.ask(self.second, "POST", approve).status_code == 200

    def look(self, who: Principal, purpose: str) -> int:
        """The status of looking at what was recorded."""
        camera = self.stage.camera
        body = {"actions": ["archive"], "purpose": purpose}
        handle = self.ask(who, "POST", f"/api/v1/cameras/{camera.camera_id}/tokens", body).json()["handle"]
        name = f"{self.stage.name}/{camera.name}"
        with self.stage.app.client() as client:
            return client.get(f"/{name}/archive-{self.since}-3.mp4", params={"token": handle}).status_code

    def begin(self) -> None:
        self.decide(self.ask(self.stage.owner, "POST", f"{self.path}/off-boarding", WHY))

    def listed(self) -> str:
        """Have a manifest made, fetch and verify it; return its digest."""
        owner = self.stage.owner
        assert self.ask(owner, "POST", f"{self.path}/off-boarding/manifest").status_code == 202
        assert self.stage.parts.manifest_maker.round() == ""
        document = self.ask(owner, "GET", f"{self.path}/off-boarding/manifest").content
        verdict = check(io.BytesIO(document), self.stage.parts.receipts.history, holds)
        assert isinstance(verdict, ValidManifest)
        assert hashlib.sha256(b"".join(document.splitlines(True)[:2])).hexdigest() == verdict.digest
        return verdict.digest

    def confirm(self) -> None:
        body = {**WHY, "manifest": self.listed()}
        self.decide(self.ask(self.stage.owner, "POST", f"{self.path}/off-boarding/confirmation", body))

    def carry_out(self) -> Any:
        """What the worker does; return how far that is."""
        parts = self.stage.parts
        self.stage.app.forward(timedelta(minutes=1))
        assert parts.off_boarding_rounds.round() == ""
        assert parts.eraser.carry_out_mandates().is_clean
        assert parts.off_boarding_rounds.round() == ""
        return self.ask(self.stage.owner, "GET", f"{self.path}/off-boarding")

    def hold(self) -> str:
        """Hold everything of the camera for the investigator's case; return where the order is."""
        now = self.stage.app.clock.now()
        body = {
            "from": (now - timedelta(hours=1)).isoformat(),
            "until": now.isoformat(),
            "case": "2026/17",
            "ground": "court-order",
            "authority": "district court",
            "reason": "an accident at the gate",
            "review_at": (now + timedelta(days=30)).isoformat(),
            "people": [str(self.investigator.person_id)],
        }
        holds_of = f"/api/v1/cameras/{self.stage.camera.camera_id}/holds"
        made = self.ask(self.stage.owner, "POST", holds_of, body)
        assert made.status_code == 201, made.text
        return f"{holds_of}/{made.json()['order_id']}"


@pytest.fixture
def operator(stage: Stage) -> Operator:
    return Operator(stage)


def test_until_the_confirmation_it_plays_from_then_on_it_is_gone_and_in_the_end_nobody_is_logged_in(
    operator: Operator,
) -> None:
    owner = operator.stage.owner
    operator.begin()
    assert operator.look(owner, "archive_view") == 200
    operator.confirm()
    assert operator.look(owner, "archive_view") == 410
    assert operator.carry_out().status_code == 401
    admin = operator.stage.access.platform_admin(f"admin-{operator.stage.name}")
    found = operator.ask(admin, "GET", "/api/v1/off-boardings").json()
    (mine,) = [one for one in found if one["operator_id"] == str(operator.stage.operator_id)]
    assert mine["closed_at"] is not None
    assert mine["gone"]["segments"] == 1
    (receipt,) = mine["gone"]["receipts"]
    path = f"/api/v1/off-boardings/{mine['off_boarding_id']}/receipts/{receipt}/document"
    assert operator.ask(admin, "GET", path).content.startswith(b"vms-privacy receipt v1\n")
    shown = operator.ask(admin, "GET", "/api/v1/operators").json()["items"]
    (closed,) = [one for one in shown if one["operator_id"] == str(operator.stage.operator_id)]
    assert closed["closed_at"] is not None
    assert closed["name"].startswith("closed-")


def test_what_a_hold_keeps_opens_for_its_case_alone_until_two_people_lift_it(operator: Operator) -> None:
    owner, investigator = operator.stage.owner, operator.investigator
    order = operator.hold()
    operator.begin()
    operator.confirm()
    far = operator.carry_out().json()
    assert (far["step"], far["waits_for"], far["left"]["kept_by_orders"]) == ("cameras-removed", "orders", 1)
    assert operator.look(owner, "archive_view") == operator.look(owner, "evidence") == 410
    assert operator.look(investigator, "archive_view") == 410
    assert operator.look(investigator, "evidence") == 200
    operator.decide(operator.ask(owner, "POST", f"{order}/end", {"reason": "the case is closed"}))
    assert operator.look(investigator, "evidence") == 410
    assert operator.carry_out().status_code == 401


def _seen_by_the_platform(operator: Operator, admin: Principal) -> Any:
    found = operator.ask(admin, "GET", "/api/v1/off-boardings").json()
    (mine,) = [one for one in found if one["operator_id"] == str(operator.stage.operator_id)]
    return mine


def test_the_platform_is_told_nothing_of_what_keeps_it(operator: Operator) -> None:
    operator.hold()
    operator.begin()
    operator.confirm()
    operator.carry_out()
    admin = operator.stage.access.platform_admin(f"admin-{operator.stage.name}")
    mine = _seen_by_the_platform(operator, admin)
    assert mine["gone"] is None
    assert not {"left", "waits_for"} & set(mine)


def test_the_platform_gets_receipts_once_nobody_of_the_operator_is_left_and_not_before(operator: Operator) -> None:
    parts = operator.stage.parts
    admin = operator.stage.access.platform_admin(f"admin-{operator.stage.name}")
    operator.begin()
    operator.confirm()
    assert parts.off_boarding_rounds.round() == ""
    assert parts.eraser.carry_out_mandates().is_clean
    (made,) = operator.ask(operator.stage.owner, "POST", f"{operator.path}/receipts").json()
    off_boarding = _seen_by_the_platform(operator, admin)["off_boarding_id"]
    path = f"/api/v1/off-boardings/{off_boarding}/receipts/{made['id']}/document"
    assert operator.ask(admin, "GET", path).status_code == 404
    assert parts.off_boarding_rounds.round() == ""
    assert operator.ask(admin, "GET", path).status_code == 200
    other = f"/api/v1/off-boardings/{off_boarding}/receipts/{parts.randomness.uuid()}/document"
    assert operator.ask(admin, "GET", other).status_code == 404
