"""The commands of requests against a running service: from a letter to its answer, and a withdrawal that erases."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.given.site import ServiceProcess, service_process
from tests.vms_privacy.cli.typed import say
from vms_privacy.cli.running import run
from vms_privacy.clock import SystemClock

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

Capture = pytest.CaptureFixture[str]
PASSWORD = "a pass phrase of some length 17"
CONTACT = "Ida Invented, 1 Nowhere Lane"


def _done(*words: object) -> Any:
    told = io.StringIO()
    with redirect_stdout(told):
        code = run([*map(str, words), "--json"])
    assert code == 0, told.getvalue()
    return json.loads(told.getvalue())


def _ago(**span: float) -> str:
    return (SystemClock().now() - timedelta(**span)).isoformat()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


@pytest.fixture(autouse=True)
def here(nothing_here: None, service: ServiceProcess, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config))
    monkeypatch.setenv("VMS_URL", service.url)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("requests")
    with pytest.MonkeyPatch.context() as environment, service_process(folder) as running:
        environment.setenv("XDG_CONFIG_HOME", str(config))
        environment.setenv("VMS_URL", running.url)
        password = folder / "password"
        password.write_text(f"{PASSWORD}\n")
        code = ["--code", running.bootstrap_code]
        _done("operator", "setup", *code, "--operator", "north", "--login", "me", "--password-file", password)
        _done("camera", "add", "gate", "rtsp://127.0.0.1:9/x")
        yield running


def test_a_letter_is_entered_narrowed_down_refused_told_and_closed(
    service: ServiceProcess, tmp_path: Path, capsys: Capture
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text(CONTACT)
    said = say(
        capsys, "request", "enter", "erasure", "--received", _ago(days=31), "--channel", "letter",
        "--identity", "asked-for", "--doubt", "sender-is-unknown", "--contact-file", letter,
    )  # fmt: skip
    assert said.code == 0, said.err
    (one,) = _done("request", "list")["items"]
    request = one["request_id"]
    assert one["missed_promise"]
    assert "OVERDUE" in say(capsys, "request", "list").out
    assert say(capsys, "status").out.count("1 OVERDUE") == 1
    assert _done("request", "contact", request)["contact"] == CONTACT
    item = f"gate/{_ago(hours=2)}/{_ago(hours=1)}"
    assert len(_done("request", "scope", request, "--item", item)["items"]) == 1
    assert _done("request", "search", request)["items"][0]["segments"] == 0
    assert _done("request", "preview", request)["items"][0]["segments"] == 0
    refused = say(
        capsys, "request", "extend", request, "1", "--reason", "complex", "--told-at", _ago(hours=1), "--json"
    )
    assert (refused.code, refused.document["rule"]) == (2, "too-late-to-extend")
    refused = say(capsys, "request", "decide", request, "erase", "--json")
    assert (refused.code, refused.document["code"]) == (5, "identity-is-unconfirmed")
    assert say(capsys, "request", "close", request, "--json").document["code"] == "request-is-undecided"
    assert "confirmed; the answer is due" in say(capsys, "request", "identity", request, "confirmed").out
    assert say(capsys, "request", "decide", request, "erase", "--json").document["code"] == "nothing-to-destroy"
    _done("request", "refuse", request, "--reason", "excessive", "--complaint-to", "the authority of nowhere")
    text = say(capsys, "request", "statement", request).out
    assert "It is refused." in text
    assert "the authority of nowhere" in text
    assert CONTACT not in text
    assert "refused" in say(capsys, "request", "show", request).out
    assert _done("request", "close", request)["outcome"] == "refused"
    assert say(capsys, "request", "list").out == "Nobody waits for an answer.\n"
    assert len(_done("request", "list", "--closed")["items"]) == 1


def test_an_item_is_written_in_one_way(service: ServiceProcess, capsys: Capture) -> None:
    said = say(capsys, "request", "scope", "no-request", "--item", "gate", "--json")
    assert (said.code, said.document["code"]) == (2, "wrong-usage")
    gone = say(capsys, "request", "show", str(service.port), "--json")
    assert (gone.code, gone.document["code"]) == (2, "invalid-request")


def test_a_withdrawal_says_that_nothing_is_there_to_be_erased(service: ServiceProcess, capsys: Capture) -> None:
    _done("camera", "opt-in", "gate", "--purpose", "protection of the gate", "--yes", "--sign")
    said = say(capsys, "camera", "withdraw", "gate", "--erase")
    assert said.code == 0, said.err
    assert said.out.endswith("Nothing is there that could be erased.\n")
