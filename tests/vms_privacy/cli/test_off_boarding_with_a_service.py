"""The commands of off-boarding against a running service: an operator leaves, by two people with a log-in each."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.given.site import ServiceProcess, service_process, until
from tests.vms_privacy.cli.typed import say
from vms_privacy.cli.running import run

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

Capture = pytest.CaptureFixture[str]
PASSWORD = "a pass phrase of some length 17"
WHY = ("--reason", "the contract has ended")


def _done(*words: object) -> Any:
    told = io.StringIO()
    with redirect_stdout(told):
        code = run([*map(str, words), "--json"])
    assert code == 0, told.getvalue()
    return json.loads(told.getvalue())


class Desk:
    """Where two people sit, each with a session of their own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._environment = folder, monkeypatch

    def sit(self, who: str) -> None:
        """Let somebody type from here on."""
        self._environment.setenv("XDG_CONFIG_HOME", str(self._folder / who))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceProcess]:
    with service_process(tmp_path) as running:
        yield running


@pytest.fixture
def desk(nothing_here: None, service: ServiceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An operator with an owner and a second person, who are logged in, and a platform admin."""
    monkeypatch.setenv("VMS_URL", service.url)
    made, password = Desk(tmp_path, monkeypatch), tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    made.sit("owner")
    code = ["--code", service.bootstrap_code]
    _done("operator", "setup", *code, "--operator", "north", "--login", "me", "--password-file", password)
    _done("camera", "add", "gate", "rtsp://127.0.0.1:9/x")
    invited = _done("operator", "invite", "second")
    _done("operator", "grant", "second", "privacy-admin")
    made.sit("second")
    _done("operator", "enrol", "--code", invited["code"], "--login", "second", "--password-file", password)
    made.sit("admin")
    _done("operator", "log-in", "--login", "admin+me", "--password-file", password)
    made.sit("owner")
    return made


def _approved(desk: Desk, made: Any) -> None:
    desk.sit("second")
    _done("approval", "approve", made["proposal_id"], "--yes")
    desk.sit("owner")


def test_an_operator_leaves_by_the_command_line_alone(desk: Desk, tmp_path: Path, capsys: Capture) -> None:
    assert say(capsys, "off-boarding", "show", "--json").document["code"] == "not-found"
    made = _done("off-boarding", "begin", *WHY)
    assert say(capsys, "approval", "approve", made["proposal_id"], "--yes").code == 5
    _approved(desk, made)
    refused = say(capsys, "camera", "opt-in", "gate", "--purpose", "protection", "--yes", "--sign", "--json")
    assert (refused.code, refused.document["code"]) == (5, "recording-has-ended")
    assert say(capsys, "camera", "add", "yard", "rtsp://127.0.0.1:9/y", "--json").document["code"] == (
        "operator-is-leaving"
    )
    _done("off-boarding", "manifest")
    until(lambda: _done("off-boarding", "show")["manifest"]["digest"], "the manifest is signed")
    assert "confirm DIGEST" in say(capsys, "off-boarding", "show").out

    file, keys = tmp_path / "manifest.txt", tmp_path / "keys"
    _done("off-boarding", "fetch", "--to", file)
    _done("receipt", "keys", "--to", keys)
    verdict = _done("verify", "manifest", file, "--keys", keys)
    assert (verdict["valid"], verdict["segments"]) == (True, 0)
    assert verdict["digest"] in say(capsys, "verify", "manifest", file, "--keys", keys).out
    file.write_bytes(file.read_bytes().replace(b'"segments":0', b'"segments":1'))
    changed = say(capsys, "verify", "manifest", file, "--keys", keys, "--json")
    assert (changed.code, changed.document["code"]) == (6, "manifest-signature")

    other = say(capsys, "off-boarding", "confirm", "0" * 64, *WHY, "--yes", "--json")
    assert (other.code, other.document["code"]) == (5, "manifest-is-another")
    made = _done("off-boarding", "confirm", verdict["digest"], *WHY, "--yes")
    _approved(desk, made)

    desk.sit("admin")
    until(lambda: _done("off-boarding", "list")["items"][0]["closed_at"], "the operator is closed")
    assert verdict["digest"] == _done("off-boarding", "list")["items"][0]["confirmed_digest"]
    assert say(capsys, "off-boarding", "list").out.startswith("OPERATOR ")
    desk.sit("owner")
    assert say(capsys, "operator", "who").code == 3


def test_an_operator_stays_after_all(desk: Desk, capsys: Capture) -> None:
    _approved(desk, _done("off-boarding", "begin", *WHY))
    assert "stays" in say(capsys, "off-boarding", "take-back").out
    assert "taken back" in say(capsys, "off-boarding", "show").out
    assert say(capsys, "off-boarding", "take-back", "--json").document["code"] == "no-off-boarding"
    _done("camera", "opt-in", "gate", "--purpose", "protection of the gate", "--yes", "--sign")
