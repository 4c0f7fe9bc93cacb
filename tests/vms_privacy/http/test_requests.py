"""Requests over the API, where the outcome table does not reach: rights, neighbours, refusals, numbers, statements."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from archive.retention.rules import Profile, Terms
from auth.principal import Principal, Right
from tests.given.destroyed import record
from tests.given.stage import Stage
from tests.vms_privacy.http.asking import iso, new_request, request_of, restriction
from vms_privacy.audit.events import Tag
from vms_privacy.camera_care import CameraCare
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.metrics import ServiceCollector
from vms_privacy.worker import Jobs

ERASE = frozenset({Right.ERASE})


@contextmanager
def _asker(stage: Stage, *rights: Right, who: Principal | None = None) -> Iterator[httpx.Client]:
    with stage.app.client(stage.log_in(who or stage.person(rights))) as client:
        yield client


def _path(stage: Stage, rest: str = "") -> str:
    return f"/api/v1/operators/{stage.operator_id}/requests{rest}"


def _code(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()
    return answer.status_code, told["code"], told.get("rule", "")


def _metric(stage: Stage, name: str) -> float:
    registry = CollectorRegistry()
    registry.register(ServiceCollector(stage.parts, Jobs([], stage.app.clock), CameraCare(stage.parts, "a run")))
    found = registry.get_sample_value(f"vms_{name}")
    assert found is not None
    return found


def test_a_neighbours_request_answers_byte_for_byte_like_one_that_is_not_there(stage: Stage) -> None:
    request_id = request_of(stage)
    nothing = stage.parts.randomness.uuid()
    with _asker(stage, who=stage.neighbour) as neighbour:
        path = f"/api/v1/operators/{stage.neighbour_id}/requests"
        for rest in ("", "/contact", "/search", "/preview", "/statement"):
            theirs, missing = neighbour.get(f"{path}/{request_id}{rest}"), neighbour.get(f"{path}/{nothing}{rest}")
            assert (theirs.status_code, theirs.content) == (404, missing.content)
        body = {"told_at": iso(stage.app.clock.now())}
        theirs, missing = (neighbour.post(f"{path}/{one}/closing", json=body) for one in (request_id, nothing))
        assert (theirs.status_code, theirs.content) == (404, missing.content)
        camera = {**(new_request(stage).body or {})}
        assert neighbour.post(path, json=camera).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"received_at": "+1d"}, (422, "request-refused", "received-in-the-future")),
        ({"received_at": "-4000d"}, (422, "request-refused", "received-too-long-ago")),
        ({"until": "-3h"}, (422, "request-refused", "runs-backward")),
        ({"from": "-300d"}, (422, "request-refused", "window-too-long")),
        ({"until": "+1h"}, (422, "request-refused", "lies-ahead")),
        ({"twice": ""}, (422, "request-refused", "items-overlap")),
        ({"doubt": "sender-is-unknown"}, (422, "request-refused", "no-such-step")),
        ({"kind": "withdrawal"}, (422, "invalid-request", "")),
        ({"contact": "x" * 2001}, (422, "invalid-request", "")),
        ({"many": ""}, (422, "invalid-request", "")),
    ],
)
def test_what_contradicts_itself_is_refused_by_name_and_noted(
    stage: Stage, change: dict[str, str], code: tuple[int, str, str]
) -> None:
    body: dict[str, Any] = dict(new_request(stage).body or {})
    item = dict(body["items"][0])
    now = stage.app.clock.now()
    for name, value in change.items():
        if name in {"received_at", "from", "until"}:
            number, unit = int(value[:-1]), value[-1]
            moment = iso(now + timedelta(**{"days" if unit == "d" else "hours": number}))
            (body if name == "received_at" else item)[name] = moment
        elif name not in {"twice", "many"}:
            body[name] = value
    body["items"] = [item] * (2 if "twice" in change else 51 if "many" in change else 1)
    before = stage.app.last_event()
    with _asker(stage, Right.ERASE) as client:
        assert _code(client.post(_path(stage), json=body)) == code
    if code[1] != "invalid-request":
        (event,) = stage.app.events_after(before)
        assert (event.tag, event.reason) == (Tag.ACT_REFUSED, "request-refused")


def test_a_request_cannot_be_closed_without_outcome_and_answer(stage: Stage) -> None:
    path = _path(stage, f"/{request_of(stage)}")
    now = stage.app.clock.now()
    with _asker(stage, Right.ERASE) as client:
        told = {"told_at": iso(now)}
        assert _code(client.post(f"{path}/closing", json=told)) == (409, "request-is-undecided", "")
        assert _code(client.get(f"{path}/statement")) == (409, "request-is-undecided", "")
        decided = client.post(f"{path}/decision", json={"items": [{"item": 1, "answer": "nothing-there"}]})
        assert decided.json()["items"][0]["standing"] == "nothing-there"
        ahead = {"told_at": iso(now + timedelta(seconds=1))}
        assert _code(client.post(f"{path}/closing", json=ahead)) == (422, "request-refused", "requester-not-told")
        before_receipt = {"told_at": iso(now - timedelta(days=3))}
        assert client.post(f"{path}/closing", json=before_receipt).status_code == 422
        closed = client.post(f"{path}/closing", json=told).json()
        assert (closed["outcome"], closed["missed_promise"]) == ("nothing-there", False)
        assert _code(client.post(f"{path}/closing", json=told)) == (409, "request-is-closed", "")


def test_an_overdue_request_is_in_the_numbers_from_its_very_second(stage: Stage) -> None:
    before = {name: _metric(stage, f"requests_{name}") for name in ("open", "overdue", "promise_missed")}
    body = {**(new_request(stage).body or {}), "received_at": iso(stage.app.clock.now() - timedelta(days=28))}
    with _asker(stage, Right.ERASE, Right.AUDIT) as client:
        made = client.post(_path(stage), json=body).json()
    request = next(one for one in _of(stage) if str(one.id) == made["request_id"])
    stage.app.forward(request.answer_by - stage.app.clock.now())
    assert _metric(stage, "requests_overdue") == before["overdue"]
    stage.app.forward(timedelta(seconds=1))
    after = {name: _metric(stage, f"requests_{name}") for name in before}
    assert after == {name: value + 1 for name, value in before.items()}
    assert _metric(stage, "requests_seconds_left") <= -1
    with _asker(stage, Right.AUDIT) as auditor:
        clocks = auditor.get(_path(stage, "/clocks")).json()
        assert (clocks["open"], clocks["overdue"], clocks["promise_missed"]) == (1, 1, 1)
        assert auditor.get(_path(stage)).status_code == 403
    reminders = _metric(stage, "request_reminders_total")
    assert stage.parts.request_care.round() == ""
    assert _metric(stage, "request_reminders_total") > reminders


def _of(stage: Stage) -> list[Any]:
    with stage.parts.db.reading() as session:
        return list(stage.parts.requests.of_operator(session, stage.operator_id, only_open=True))


def test_a_restriction_takes_the_right_to_restrict_and_showing_footage_that_to_disclose(stage: Stage) -> None:
    order = restriction(stage).body or {}
    decision = {
        "restriction": {
            "items": [{"item": 1, "answer": "restrict"}],
            "ground": "accuracy-contested",
            "review_at": order["review_at"],
        },
        "access": {"items": [{"item": 1, "answer": "offer-viewing"}]},
    }
    needed = {"restriction": Right.RESTRICT, "access": Right.DISCLOSE}
    for kind, right in needed.items():
        body = {**(new_request(stage).body or {}), "kind": kind}
        if kind == "restriction":
            body["items"] = [{**body["items"][0], "until": iso(stage.app.clock.now() + timedelta(hours=1))}]
        with _asker(stage, Right.ERASE) as narrow:
            path = _path(stage, f"/{narrow.post(_path(stage), json=body).json()['request_id']}")
            assert _code(narrow.post(f"{path}/decision", json=decision[kind])) == (403, "not-allowed", "")
            assert _code(narrow.get(f"{path}/preview")) == (422, "request-refused", "answer-does-not-fit")
        with _asker(stage, Right.ERASE, right) as wide:
            made = wide.post(f"{path}/decision", json=decision[kind])
            assert made.json()["items"][0]["standing"] == "done"


def test_whom_to_complain_to_is_the_authority_of_the_operators_profile_unless_another_is_named(stage: Stage) -> None:
    path = _path(stage, f"/{request_of(stage)}")
    with _asker(stage, Right.ERASE) as client:
        refusal = {"reason": "legal-claims"}
        nobody = client.post(f"{path}/refusal", json=refusal)
        assert _code(nobody) == (422, "request-refused", "complaint-contact-missing")
        granted = stage.parts.gate.judge_operator(stage.owner, Right.RETAIN, stage.operator_id)
        assert granted is not None
        with stage.parts.db.writing() as session:
            stage.parts.retention_terms.set(session, granted, Terms(profile=Profile.FRANCE))
        assert "CNIL" in client.post(f"{path}/refusal", json=refusal).json()["complaint_to"]
        text = client.get(f"{path}/statement")
        assert text.headers["content-type"].startswith("text/plain")
        assert "CNIL" in text.text
        assert "somebody@example.org" not in text.text


def test_an_erasure_is_approved_by_another_person_and_then_under_way(stage: Stage) -> None:
    record(stage)
    now = stage.app.clock.now()
    item = {
        "camera_id": str(stage.camera.camera_id),
        "from": iso(now - timedelta(days=1)),
        "until": iso(now),
    }
    body = {**(new_request(stage).body or {}), "items": [item]}
    with _asker(stage, Right.ERASE) as first, _asker(stage, Right.ERASE) as second:
        made = first.post(_path(stage), json=body).json()
        path = _path(stage, f"/{made['request_id']}")
        (there,) = first.get(f"{path}/search").json()
        assert (there["segments"], there["kept_by_orders"]) == (1, None)
        (preview,) = first.get(f"{path}/preview").json()
        assert (preview["segments"], preview["kept_by_orders"]) == (1, None)
        wanted = {"items": [{"item": 1, "answer": "erase"}]}
        (decided,) = first.post(f"{path}/decision", json=wanted).json()["items"]
        approve = f"/api/v1/operators/{stage.operator_id}/approvals/{decided['proposal_id']}/approve"
        assert _code(first.post(approve)) == (409, "second-person-needed", "")
        assert second.post(approve).status_code == 200
        (item,) = first.get(path).json()["items"]
        assert item["standing"] == "under-way"
        assert [one["is_confirmed"] for one in item["stores"]] == [False, False]
        assert _code(first.post(f"{path}/closing", json={"told_at": iso(now)})) == (409, "request-is-under-way", "")
        stage.parts.eraser.carry_out_mandates()
        (item,) = first.get(path).json()["items"]
        assert item["standing"] == "done"
        assert [(one["store"], one["is_confirmed"]) for one in item["stores"]] == [
            ("keyring", True),
            ("footage store", True),
        ]
        assert first.post(f"{path}/closing", json={"told_at": iso(now)}).json()["outcome"] == "granted"


def test_withdrawing_with_what_was_recorded_takes_the_right_to_erase_and_leaves_the_rest_to_a_second(
    stage: Stage,
) -> None:
    record(stage)
    path = f"/api/v1/cameras/{stage.camera.camera_id}/opt-ins/{ConsentKind.VIDEO_RECORDING}"
    with _asker(stage, Right.RECORD) as narrow:
        assert _code(narrow.delete(path, params={"footage": "erase"})) == (403, "not-allowed", "")
        assert narrow.delete(path, params={"footage": "burn"}).status_code == 422
    with _asker(stage, Right.RECORD, Right.ERASE) as client:
        made = client.delete(path, params={"footage": "erase"}).json()
        assert made["kinds"] == ["video-recording"]
        assert len(made["proposals"]) == 1
        request = client.get(_path(stage, f"/{made['request_id']}")).json()
        assert (request["kind"], request["items"][0]["standing"]) == ("withdrawal", "waits-for-second-person")
        before = stage.app.last_event()
        again = client.delete(path, params={"footage": "erase"})
        assert _code(again) == (409, "not-opted-in", "")
        assert [event.reason for event in stage.app.events_after(before)] == ["not-opted-in"]
        other = path.replace("video-recording", "live-audio")
        assert _code(client.delete(other, params={"footage": "erase"})) == (422, "footage-choice-does-not-fit", "")


def test_keeping_is_the_default_and_opens_no_request(stage: Stage) -> None:
    record(stage)
    path = f"/api/v1/cameras/{stage.camera.camera_id}/opt-ins/{ConsentKind.VIDEO_RECORDING}"
    with _asker(stage, Right.RECORD) as client:
        made = client.delete(path).json()
    assert (made["request_id"], made["proposals"], _of(stage)) == (None, [], [])
