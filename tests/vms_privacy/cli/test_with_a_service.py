"""The commands against a running service and a camera: what each of them does is seen by another one."""

import io
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from streams.simulator.camera import CameraSimulator
from streams.simulator.service import Login, SimulatorThread
from tests.given.site import service_process, until
from tests.vms_privacy.cli.typed import Said, say
from vms_privacy.cli.running import run
from vms_privacy.cli.session import logged_in
from vms_privacy.client import ApiClient
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

Capture = pytest.CaptureFixture[str]
PASSWORD = "a pass phrase of some length 17"


@dataclass(frozen=True)
class Ground:
    """A running service with one operator and one camera, and the folder of whoever is its owner."""

    url: str
    data_dir: Path
    config: Path
    files: Path
    address: str

    def file(self, name: str, text: str = PASSWORD) -> Path:
        path = self.files / name
        path.write_text(f"{text}\n")
        return path


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    camera = CameraSimulator(1, bytes(range(1, 33)), SystemClock())
    login = Login("viewer", "p@ss/word")
    with (
        pytest.MonkeyPatch.context() as environment,
        service_process(folder) as service,
        SimulatorThread({"cam-1": camera}, SystemRandomness(), login=login) as cameras,
    ):
        address = cameras.url("cam-1").replace("://", f"://{login.user}@")
        ground = Ground(service.url, service.data_dir, folder / "config", folder, address)
        environment.setenv("XDG_CONFIG_HOME", str(ground.config))
        environment.setenv("VMS_URL", ground.url)
        mine, at_camera = ground.file("password"), ground.file("camera-password", login.password)
        code = ["--code", service.bootstrap_code]
        _done("operator", "setup", *code, "--operator", "north", "--login", "me", "--password-file", mine)
        _done("camera", "add", "gate", address, "--password-file", at_camera)
        yield ground


@pytest.fixture(autouse=True)
def here(nothing_here: None, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(ground.config))
    monkeypatch.setenv("VMS_URL", ground.url)
    monkeypatch.setenv("VMS_DATA_DIR", str(ground.data_dir))


def _done(*words: object) -> Any:
    told = io.StringIO()
    with redirect_stdout(told):
        code = run([*map(str, words), "--json"])
    assert code == 0, told.getvalue()
    return json.loads(told.getvalue())


def _refused(said: Said) -> tuple[int, str]:
    return said.code, said.document["code"]


def test_the_cameras_password_went_by_a_file_and_the_camera_runs(ground: Ground) -> None:
    until(lambda: _done("camera", "show", "gate")["status"]["state"] == "running", "the camera runs")
    assert _done("camera", "show", "gate")["has_credential"]


def test_a_camera_that_is_added_or_changed_says_how_it_is_doing(ground: Ground, capsys: Capture) -> None:
    address = ground.address.replace("viewer@", "nobody@")
    wrong = ground.file("wrong", "wrong")
    said = say(capsys, "camera", "add", "shed", address, "--password-file", wrong)
    assert "not connected yet (waiting, wrong-password: " in said.out
    assert "next: vms-privacy camera change shed --address rtsp://user@127.0.0.1:" in said.out
    watched = say(capsys, "camera", "watch", "shed")
    assert (watched.code, watched.err.split(":")[0]) == (0, "warning")
    assert "wrong-password" in watched.err
    assert _done("camera", "watch", "shed")["why"] == "wrong-password"
    right = ("--address", ground.address, "--password-file", ground.files / "camera-password")
    said = say(capsys, "camera", "change", "shed", *right)
    assert said.out == "shed is changed; its connection begins anew: connected, h264 1280×720.\n"
    assert say(capsys, "camera", "watch", "shed").err == ""
    said = say(capsys, "camera", "change", "shed", "--address", "rtsp://127.0.0.1:9/x")
    assert "waiting, unreachable" in said.out
    _done("camera", "remove", "shed", "--yes")


def test_a_span_without_footage_is_warned_of(ground: Ground, capsys: Capture) -> None:
    said = say(capsys, "camera", "archive", "gate", "2020-01-31T08:00:00Z", "PT5M")
    assert (said.code, said.err.split(":")[0]) == (0, "warning")
    assert _done("camera", "archive", "gate", "2020-01-31T08:00:00Z", "PT5M")["footage"] is False


def test_a_list_is_a_table_with_units_and_no_row_of_program_text(ground: Ground, capsys: Capture) -> None:
    until(lambda: _done("camera", "list")["items"][0]["status"]["state"] == "running", "the camera runs")
    head, row = say(capsys, "camera", "list").out.splitlines()
    assert head.split("  ")[0] == "NAME"
    assert row.startswith("gate  running  h264 1280×720  ")
    assert "  72 h  " in row
    assert row.endswith("Z")
    assert not set("{}[]'") & set(row)


def test_nobody_is_needed_for_readiness_and_the_public_keys(ground: Ground, tmp_path: Path, capsys: Capture) -> None:
    with pytest.MonkeyPatch.context() as stranger:
        stranger.setenv("XDG_CONFIG_HOME", str(tmp_path))
        said = say(capsys, "status")
        assert "database  ready" in said.out
        assert "told to who is logged in" in said.out
        assert say(capsys, "receipt", "keys", "--to", tmp_path / "keys.txt").code == 0
        assert say(capsys, "receipt", "keys", "--to", tmp_path / "keys.txt").code == 5


def test_status_tells_cameras_debt_and_time(ground: Ground, capsys: Capture) -> None:
    told = _done("status")
    assert told["ready"]
    assert sum(told["cameras"].values()) == 1
    assert told["deletion_debt"]["total"]["segments"] == 0
    said = say(capsys, "status")
    assert "none: nothing is overdue" in said.out
    assert "trusted" in said.out


def test_recording_is_switched_on_seen_and_switched_off(ground: Ground, capsys: Capture) -> None:
    assert _refused(say(capsys, "camera", "opt-in", "gate", "--json")) == (2, "answer-needed")
    _done("camera", "opt-in", "gate", "--purpose", "against burglary", "--yes", "--sign")
    assert _done("camera", "show", "gate")["recording"] is True
    until(lambda: _recorded_ms() > 3000, "three seconds are recorded")
    opened_ms = _done("camera", "ranges", "gate")["ranges"][0]["opened_at"]
    start = opened_ms // 1000 + 1
    named = _done("camera", "ranges", "gate")["ranges"][0]["from"]
    assert datetime.fromisoformat(named).timestamp() * 1000 == opened_ms
    assert _done("camera", "archive", "gate", named, "PT1S")["footage"]
    told = _done("camera", "archive", "gate", start, "PT1S")
    assert f"/north/gate/archive-{start}-1.m3u8?token=p1." in told["hls"]
    assert told["footage"]
    film = ground.files / "film.mp4"
    said = say(capsys, "camera", "archive", "gate", start, "PT1S", "--save", film)
    assert (said.code, film.read_bytes()[4:8], film.stat().st_mode & 0o777) == (0, b"ftyp", 0o600)
    assert "in clear" in said.err
    _done("camera", "withdraw", "gate")
    assert _done("camera", "show", "gate")["recording"] is False
    answers = [one["answer"] for one in _done("camera", "opt-ins", "gate")["items"]]
    assert answers == ["given", "withdrawn"]


def _recorded_ms() -> int:
    return sum(int(one["closed_at"] - one["opened_at"]) for one in _done("camera", "ranges", "gate")["ranges"])


def test_footage_that_is_not_there_leaves_no_file(ground: Ground, capsys: Capture) -> None:
    film = ground.files / "nothing.mp4"
    said = say(capsys, "camera", "archive", "gate", "1000000000", "PT1S", "--save", film, "--json")
    assert said.code == 4
    assert not film.exists()


def test_retention_is_shown_set_and_refused_with_its_rule(ground: Ground, capsys: Capture) -> None:
    assert _done("camera", "retention", "gate", "PT48H")["keep_for"] == "PT48H"
    assert "2 d" not in say(capsys, "camera", "retention", "gate").out
    assert re.search(r"^\d+ +48 h +\S+ \S+Z  me$", say(capsys, "camera", "retention", "gate").out, re.MULTILINE)
    said = say(capsys, "camera", "retention", "gate", "P30D", "--json")
    assert _refused(said) == (2, "retention-refused")
    assert said.document["rule"] == "retention-needs-justification"
    _done("camera", "retention", "gate", "P30D", "--justification", "an investigation that is going on")
    _done("camera", "retention", "gate", "PT72H")


def test_recording_times_are_shown_set_and_refused_with_their_rule(ground: Ground, capsys: Capture) -> None:
    assert "daily 00:00-24:00" in say(capsys, "camera", "times", "gate").out
    made = _done("camera", "times", "gate", "fri-mon 22:00-06:00", "WED,thu 08:00-18:00", "--zone", "Europe/Paris")
    assert made["stretches"] == [
        {"days": ["mon", "fri", "sat", "sun"], "begins": "22:00", "ends": "06:00"},
        {"days": ["wed", "thu"], "begins": "08:00", "ends": "18:00"},
    ]
    assert (made["version"], made["zone"], made["changes_at"] is not None) == (1, "Europe/Paris", True)
    said = say(capsys, "camera", "times", "gate", "mon 08:00-18:00", "--zone", "Europe/Nowhere", "--json")
    assert _refused(said) == (2, "recording-times-refused")
    assert said.document["rule"] == "unknown-zone"
    told = say(capsys, "camera", "times", "gate").out
    assert re.search(r"^1 +Europe/Paris +mon\+fri\+sat\+sun=22:00-06:00 \S+ +\S+ \S+Z  me$", told, re.MULTILINE)
    assert _done("camera", "times", "gate", "--always")["is_recorded_now"] is True


def test_a_camera_is_changed_and_what_is_not_named_stays(ground: Ground, capsys: Capture) -> None:
    before = _done("camera", "show", "gate")
    _done("camera", "change", "gate", "--title", "The gate")
    after = _done("camera", "show", "gate")
    assert (after["title"], after["purpose"], after["host"]) == ("The gate", before["purpose"], before["host"])
    assert after["has_credential"]
    assert _refused(say(capsys, "camera", "change", "gate", "--json")) == (2, "wrong-usage")


def test_who_looks_is_listed_and_cut(ground: Ground, capsys: Capture) -> None:
    until(lambda: _done("camera", "show", "gate")["status"]["state"] == "running", "the camera runs")
    address = urlsplit(_done("camera", "watch", "gate")["mp4"])
    looking = ApiClient(ground.url).download(address.path, **dict(parse_qsl(address.query)))
    until(lambda: _starts(looking), "the picture comes")
    session = _done("session", "list")["items"][0]
    assert f"gate    live      {session['protocol']}" in say(capsys, "session", "list").out
    _done("session", "cut", session["id"])
    with pytest.raises(OSError, match=r"."):
        for _ in looking:
            pass
    assert say(capsys, "session", "list").out == "Nobody is looking.\n"


def _starts(looking: Iterator[bytes]) -> bool:
    return bool(next(looking))


def test_people_are_invited_enrolled_given_rights_and_disabled(ground: Ground, tmp_path: Path, capsys: Capture) -> None:
    code = _done("operator", "invite", "anna")["code"]
    assert _refused(say(capsys, "operator", "invite", "anna", "--json")) == (5, "name-is-taken")
    code = _done("operator", "invite", "anna", "--again")["code"]
    grant = _done("operator", "grant", "anna", "viewer", "--camera", "gate", "--depth", "PT1H")
    assert "camera gate" in say(capsys, "operator", "grants", "anna").out
    with pytest.MonkeyPatch.context() as hers:
        hers.setenv("XDG_CONFIG_HOME", str(tmp_path))
        file = ground.file("hers")
        _done("operator", "enrol", "--code", code, "--login", "anna", "--password-file", file)
        assert "/north/gate/live.mp4" in _done("camera", "watch", "gate")["mp4"]
        listed = _done("camera", "list")["items"]
        assert [(one["name"], one["recording"], one["keep_for"]) for one in listed] == [("gate", None, None)]
        assert _refused(say(capsys, "receipt", "list", "--json")) == (3, "not-allowed")
        wanted = ground.file("another", f"{PASSWORD} and more")
        _done("operator", "password", "--present-file", file, "--password-file", wanted)
    _done("operator", "withdraw", grant["grant_id"])
    assert _done("operator", "grants", "anna")["items"] == []
    _done("operator", "disable", "anna", "--yes")
    assert "disabled" in say(capsys, "operator", "people").out
    assert _refused(say(capsys, "operator", "disable", "berta", "--yes", "--json")) == (4, "no-such-person")


def test_a_platform_admin_has_the_clock_and_no_cameras(ground: Ground, tmp_path: Path, capsys: Capture) -> None:
    assert say(capsys, "clock", "show").code == 3
    with pytest.MonkeyPatch.context() as theirs:
        theirs.setenv("XDG_CONFIG_HOME", str(tmp_path))
        _done("operator", "log-in", "--login", "admin+me", "--password-file", ground.file("password"))
        assert _done("clock", "show")["doubt"] is None
        said = say(capsys, "clock", "settle", "time-server-was-wrong", "--yes", "--json")
        assert _refused(said) == (5, "clock-not-in-doubt")
        assert _refused(say(capsys, "camera", "list", "--json")) == (3, "not-of-an-operator")
        assert _done("audit", "--tag", "logged-in")["items"]
        assert _done("operator", "who")["kind"] == "platform-admin"
        name = _done("operator", "region", "north")["name"]
        assert _done("operator", "region", name, "here")["region"] == "here"
        assert _refused(say(capsys, "operator", "region", name, "moon", "--json")) == (2, "region-is-not-served")
        assert _refused(say(capsys, "operator", "region", "nobody", "--json")) == (4, "no-such-operator")
    assert _refused(say(capsys, "operator", "region", "north", "--json")) == (3, "not-a-platform-admin")


def test_what_is_not_there_is_said_by_name(ground: Ground, capsys: Capture) -> None:
    assert _refused(say(capsys, "camera", "show", "nowhere", "--json")) == (4, "no-such-camera")
    said = say(capsys, "receipt", "fetch", "00000000-0000-4000-8000-000000000000", "--to", ground.files / "r", "--json")
    assert _refused(said) == (4, "not-found")


def test_an_id_that_is_none_is_refused_by_the_service_in_words(ground: Ground, capsys: Capture) -> None:
    for line in ("receipt fetch a/b\tc --to x", "operator withdraw ../x", "session cut ü"):
        said = say(capsys, *line.split(" "), "--json")
        assert said.document["code"] in {"invalid-request", "not-found"}, line


def test_a_camera_may_be_named_by_its_id(ground: Ground) -> None:
    camera_id = _done("camera", "show", "gate")["camera_id"]
    assert "/north/gate/" in _done("camera", "watch", camera_id)["hls"]


def test_the_audit_tells_what_happened_newest_first(ground: Ground, capsys: Capture) -> None:
    found = _done("audit", "--limit", "5")["items"]
    assert [one["position"] for one in found] == sorted((one["position"] for one in found), reverse=True)
    wanted = ("audit", "--tag", "camera-created", "--camera", "gate")
    until(lambda: _done(*wanted)["items"], "the newest events are sealed, within a second")
    said = say(capsys, *wanted)
    assert "camera-created" in said.out
    assert "  me  " in said.out
    assert "gate" in said.out


def test_keys_are_told_without_one_and_rotated_beside_the_service(ground: Ground, capsys: Capture) -> None:
    before = _done("keys", "status")
    for purpose, keys in before["purposes"].items():
        assert _done("keys", "rotate", purpose)["version"] == keys[-1]["version"] + 1
    after = _done("keys", "status")
    assert [one["state"] for one in after["purposes"]["camera-credential"]] == ["deactivated", "active"]
    assert [one["state"] for one in after["purposes"]["token-signing"]] == ["active"]
    # The service signs with the new key from its next token on, and its audit still holds.
    assert _done("camera", "watch", "gate")
    assert _done("verify", "audit")["ok"]
    secrets = {path.read_bytes()[-32:] for path in (ground.data_dir / "keyring").rglob("*.key")}
    assert len(secrets) >= 5
    assert not any(secret.hex() in json.dumps(after) for secret in secrets)
    assert _refused(say(capsys, "keys", "rotate", "root", "--json")) == (5, "journal-is-taken")
    old = str(before["purposes"]["camera-credential"][0]["version"])
    said = say(capsys, "keys", "destroy", "camera-credential", "--version", old, "--yes", "--json")
    assert _refused(said) == (5, "key-is-needed")
    assert len(_done("keys", "status")["purposes"]["camera-credential"]) == 2
    assert _done("audit", "--limit", "1")


def test_commands_at_once_do_not_end_each_others_session(ground: Ground) -> None:
    kept = ground.config / "vms-privacy/session.json"
    before = kept.read_text()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: logged_in(ground.url).login, range(8))) == ["me"] * 8
    assert before != kept.read_text()
    assert PASSWORD not in kept.read_text()
    assert _done("operator", "who")["login"] == "me"


def test_after_a_log_out_nobody_is_logged_in(ground: Ground, tmp_path: Path, capsys: Capture) -> None:
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("XDG_CONFIG_HOME", str(tmp_path))
        _done("operator", "log-in", "--login", "me", "--password-file", ground.file("password"))
        _done("operator", "log-out")
        assert _refused(say(capsys, "operator", "who", "--json")) == (3, "not-logged-in")
