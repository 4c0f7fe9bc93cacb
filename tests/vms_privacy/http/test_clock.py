"""A doubt about the time is shown to platform admins, and one of them ends it, by name and with a reason."""

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from tests.given.stage import Stage, Who
from vms_privacy.audit.events import Tag

HOUR = timedelta(hours=1)


@pytest.fixture
def admin(stage: Stage) -> Iterator[httpx.Client]:
    with stage.app.client(stage.access_token(Who.PLATFORM, stage.somebody(Who.PLATFORM))) as client:
        yield client


def _settle(admin: httpx.Client, reason: str = "time-server-was-wrong") -> httpx.Response:
    return admin.post("/api/v1/clock/settle", json={"reason": reason})


def test_a_doubt_is_shown_until_somebody_settles_it_and_then_the_machines_clock_counts(
    stage: Stage, admin: httpx.Client
) -> None:
    assert admin.get("/api/v1/clock").json()["doubt"] is None
    stage.parts.machine.step(-HOUR)
    shown = admin.get("/api/v1/clock").json()
    assert (shown["doubt"]["cause"], shown["doubt"]["apart"]) == ("stepped-back", "PT1H")
    assert shown["for_destroying"] < shown["now"]
    settled = _settle(admin)
    assert settled.status_code == 200
    assert settled.json()["doubt"] == shown["doubt"]
    after = admin.get("/api/v1/clock").json()
    assert after["doubt"] is None
    assert after["now"] == after["for_destroying"] == settled.json()["at"] == shown["for_destroying"]


def test_the_audit_says_who_settled_what_and_why(stage: Stage) -> None:
    somebody = stage.somebody(Who.PLATFORM)
    assert somebody is not None
    stage.parts.machine.step(HOUR)
    before = stage.app.last_event()
    with stage.app.client(stage.access_token(Who.PLATFORM, somebody)) as client:
        assert _settle(client, "ticket-4711").status_code == 200
    (event,) = stage.app.events_after(before)
    assert (event.tag, event.actor, event.reason) == (Tag.CLOCK_SETTLED, somebody.label, "ticket-4711")
    assert json.loads(event.detail) == {"cause": "stepped-forward", "apart_s": 3600}


def test_there_is_nothing_to_settle_without_a_doubt(admin: httpx.Client) -> None:
    refused = _settle(admin)
    assert (refused.status_code, refused.json()["code"]) == (409, "clock-not-in-doubt")


@pytest.mark.parametrize("reason", ["", "Mr. Smith said so", "a@example.org", "no", "-", "x" * 65])
def test_a_reason_is_needed_and_is_no_free_text(stage: Stage, admin: httpx.Client, reason: str) -> None:
    stage.parts.machine.step(HOUR)
    refused = _settle(admin, reason)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-request")
    assert _settle(admin).status_code == 200


def test_while_the_databases_clock_says_otherwise_nobody_settles_it(stage: Stage, admin: httpx.Client) -> None:
    stage.parts.machine.step(HOUR)
    stage.parts.database_apart = 2 * HOUR
    refused = _settle(admin)
    assert (refused.status_code, refused.json()["code"]) == (409, "clocks-disagree")
    stage.parts.database_apart = timedelta(0)
    assert _settle(admin).status_code == 200
