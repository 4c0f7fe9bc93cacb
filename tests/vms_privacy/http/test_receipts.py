"""Receipts, summaries and the key history over HTTP: exact bytes that verify without the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from archive.receipts.key_history import KeyHistory
from archive.receipts.lines import Invalid
from archive.receipts.monthly import check, compare
from archive.receipts.months import end_of, month_of
from archive.receipts.rules import Valid
from archive.receipts.service import read_history, verify
from archive.receipts.summary import ValidSummary
from auth.principal import Right
from tests.given.destroyed import destroy
from tests.given.stage import Stage, Who
from vms_privacy.keyring.port import Purpose


@contextmanager
def _auditor(stage: Stage) -> Iterator[httpx.Client]:
    somebody = stage.somebody(Who.RIGHT, frozenset({Right.AUDIT}))
    assert somebody is not None
    with stage.app.client(stage.log_in(somebody)) as client:
        yield client


def _history(client: httpx.Client, pinned: str | None = None) -> KeyHistory:
    answer = client.get("/api/v1/receipt-keys/document")
    assert answer.status_code == 200
    found = read_history(answer.content, pinned)
    assert isinstance(found, KeyHistory), found
    return found


def test_a_receipt_of_a_retired_key_still_verifies_from_the_fingerprint_of_its_day(stage: Stage) -> None:
    destroy(stage)
    path = f"/api/v1/operators/{stage.operator_id}/receipts"
    with _auditor(stage) as client:
        written_down = _history(client).fingerprint
        (made,) = client.post(path).json()
        for _ in range(2):
            stage.app.forward(timedelta(minutes=1))
            stage.parts.keyring.rotate(Purpose.RECEIPT_SIGNING)
        history = _history(client, written_down)
        shown = client.get("/api/v1/receipt-keys").json()
        document = client.get(f"{path}/{made['id']}/document").content
        part = client.get(f"{path}/{made['id']}/document", params={"camera_id": str(stage.camera.camera_id)}).content
    assert [key["state"] for key in shown["keys"]] == ["active", "retired", "retired"]
    assert [key["kid"] for key in shown["keys"]] == [key.kid for key in reversed(history.keys)]
    assert shown["keys"][1]["in_use_until"] == shown["keys"][0]["in_use_from"]
    for one in (document, part):
        verdict = verify(one, history)
        assert isinstance(verdict, Valid)
        assert (verdict.key.state, verdict.key.was_in_use(verdict.head["signed_at"])) == ("retired", True)


def test_a_months_summary_is_listed_and_fetched_and_lists_every_receipt(stage: Stage) -> None:
    month = month_of(stage.app.clock.now())
    destroy(stage)
    path = f"/api/v1/operators/{stage.operator_id}"
    with _auditor(stage) as client:
        (made,) = client.post(f"{path}/receipts").json()
        receipt = client.get(f"{path}/receipts/{made['id']}/document").content
    stage.app.forward(end_of(month) + timedelta(hours=1) - stage.app.clock.now())
    stage.parts.summaries.sign_due()
    with _auditor(stage) as client:
        listed = client.get(f"{path}/receipt-summaries").json()
        assert [(one["month"], one["receipts"], one["segments"]) for one in listed] == [(month, 1, 1)]
        assert client.get(f"{path}/receipt-summaries", params={"before": month}).json() == []
        answer = client.get(f"{path}/receipt-summaries/{month}/document")
        history = _history(client)
    assert answer.headers["cache-control"] == "no-store"
    found = check(answer.content, history)
    assert isinstance(found, ValidSummary)
    assert compare(found, [("the receipt", receipt)], history) is None
    refused = compare(found, [], history)
    assert isinstance(refused, Invalid)
    assert refused.code == "summary-receipt-missing"


@pytest.mark.parametrize("month", ["2030-13", "2030-1", "2030-01-01", "0", "2030-00", "２０３０-01", "2030-01%0A"])
def test_what_is_no_month_is_refused_and_a_month_without_a_summary_is_not_there(stage: Stage, month: str) -> None:
    path = f"/api/v1/operators/{stage.operator_id}/receipt-summaries"
    with _auditor(stage) as client:
        answer = client.get(f"{path}/{month}/document")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
        answer = client.get(f"{path}/1999-01/document")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
