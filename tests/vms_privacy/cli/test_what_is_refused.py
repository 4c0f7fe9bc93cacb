"""What the command line refuses by itself, by code, with its exit code and nothing that should stay unsaid."""

import json
import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from archive.retention.rules import LARGEST_KEEP_FOR, SMALLEST_KEEP_FOR
from tests.given.full_disk import a_full_disk
from tests.given.tls import make_certificate, server_context
from tests.vms_privacy.cli.typed import NO_BACKUP, say
from vms_privacy.cli import clock
from vms_privacy.cli.advice import ADVICE
from vms_privacy.cli.cameras import _with_password
from vms_privacy.cli.files import write_new
from vms_privacy.cli.refusals import FileIsThere, FileUnusable
from vms_privacy.cli.session import Kept, KeptSessions, Service, Session
from vms_privacy.web import format_duration

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def installed(tmp_path: Path, capsys: Capture) -> Path:
    folder = tmp_path / "data"
    assert say(capsys, "init", *NO_BACKUP, "--data-dir", folder).code == 0
    return folder


def test_what_is_made_elsewhere_is_served_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    folder = tmp_path / "my data"
    assert say(capsys, "init", *NO_BACKUP, "--data-dir", folder, "--json").document["next"][0] == (
        f"vms-privacy serve --data-dir '{folder}'"
    )
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "other"))
    assert say(capsys, "init", *NO_BACKUP, "--json").document["next"][0] == "vms-privacy serve"


def test_without_a_log_in_it_is_not_logged_in(capsys: Capture) -> None:
    said = say(capsys, "camera", "list")
    assert said.code == 3
    assert said.err.startswith("not-logged-in: nobody is logged in at http://127.0.0.1:9")
    assert "vms-privacy operator log-in" in said.err


def test_what_others_may_read_is_no_log_in(tmp_path: Path, capsys: Capture) -> None:
    sessions = KeptSessions()
    with sessions.alone():
        sessions.keep("http://127.0.0.1:9", Kept("a-token", "me"))
    file = tmp_path / "config/vms-privacy/session.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert say(capsys, "camera", "list", "--json").document["code"] == "service-unreachable"
    file.chmod(0o644)
    said = say(capsys, "camera", "list", "--json").document
    assert (said["code"], "others than you may read" in said["detail"]) == ("not-logged-in", True)


def test_a_kept_log_in_that_cannot_be_read_says_which_file(tmp_path: Path, capsys: Capture) -> None:
    sessions = KeptSessions()
    with sessions.alone():
        sessions.keep("http://127.0.0.1:9", Kept("a-token", "me"))
    file = tmp_path / "config/vms-privacy/session.json"
    file.write_text("{}")
    assert str(file) in say(capsys, "camera", "list", "--json").document["detail"]


def test_where_nothing_answers_it_says_so(capsys: Capture) -> None:
    said = say(capsys, "status", "--json")
    assert (said.code, said.document["code"]) == (7, "service-unreachable")


def test_an_address_of_no_service_is_refused(capsys: Capture) -> None:
    said = say(capsys, "status", "--url", "localhost:8080", "--json")
    assert (said.code, said.document["code"]) == (2, "bad-service-address")


def test_what_would_be_asked_for_is_named_where_nobody_can_answer(capsys: Capture) -> None:
    said = say(capsys, "operator", "log-in", "--login", "me", "--json")
    assert (said.code, said.document["code"]) == (2, "answer-needed")
    assert "--password-file" in said.document["detail"]


def test_an_empty_password_file_is_no_answer(tmp_path: Path, capsys: Capture) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\nsecret\n")
    said = say(capsys, "operator", "log-in", "--login", "me", "--password-file", empty, "--json")
    assert (said.code, said.document["code"]) == (2, "answer-needed")


def test_a_password_file_that_is_no_text_is_named(tmp_path: Path, capsys: Capture) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    said = say(capsys, "operator", "log-in", "--login", "me", "--password-file", binary, "--json")
    assert (said.code, said.document["code"]) == (7, "file-unusable")
    assert str(binary) in said.document["detail"]


def test_a_justification_without_a_duration_is_not_passed_over(capsys: Capture) -> None:
    said = say(capsys, "camera", "retention", "yard", "--justification", "the court asked", "--json")
    assert (said.code, said.document["code"]) == (2, "answer-needed")


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-31T08:00:00", "2026-13-01T00:00:00Z"])
def test_a_moment_without_its_zone_or_sense_is_refused(moment: str, capsys: Capture) -> None:
    said = say(capsys, "camera", "archive", "yard", moment, "PT5M", "--json")
    assert (said.code, said.document["code"]) == (2, "bad-moment")


@pytest.mark.parametrize("length", ["5m", "P1M", "PT0S"])
def test_a_span_of_no_fixed_length_is_refused(length: str, capsys: Capture) -> None:
    said = say(capsys, "camera", "archive", "yard", "2026-01-31T08:00:00Z", length, "--json")
    assert (said.code, said.document["code"]) == (2, "bad-duration")


@pytest.mark.parametrize("length", ["-PT1H", "2d", "P1Y", "-x"])
def test_what_is_no_retention_says_how_one_is_written(
    length: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(Session, "camera_path", lambda *_: "/api/v1/cameras/x")
    monkeypatch.setattr("vms_privacy.cli.keeping.logged_in", lambda url: Session(Service(url), "me", "x", "north"))
    said = say(capsys, "camera", "retention", "yard", length)
    assert (said.code, said.err.split(":")[0]) == (2, "bad-duration")
    assert "written like PT48H or P3D" in said.err
    assert f"from {_iso(SMALLEST_KEEP_FOR)} to {_iso(LARGEST_KEEP_FOR)}" in said.err


def _iso(length: timedelta) -> str:
    return f"P{length.days}D" if length.days else format_duration(length)


@pytest.mark.parametrize("stretch", ["always", "mon 8-18", "mon-fri", "someday 08:00-18:00", "mon--fri 08:00-18:00"])
def test_what_is_no_stretch_says_how_one_is_written(stretch: str, capsys: Capture) -> None:
    said = say(capsys, "camera", "times", "yard", stretch, "--zone", "UTC", "--json")
    assert (said.code, said.document["code"]) == (2, "bad-stretch")
    assert "mon-fri 08:00-18:00" in said.document["detail"]


@pytest.mark.parametrize(
    "wanted", [("mon 08:00-18:00",), ("mon 08:00-18:00", "--always"), ("--zone", "Europe/Paris")], ids=str
)
def test_times_without_a_zone_or_a_zone_without_times_are_not_passed_over(
    wanted: tuple[str, ...], capsys: Capture
) -> None:
    said = say(capsys, "camera", "times", "yard", *wanted, "--json")
    assert (said.code, said.document["code"]) == (2, "answer-needed")


def test_a_port_that_is_taken_cannot_be_listened_on(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = say(capsys, "camera-sim", "--port", listener.getsockname()[1], "--json")
    assert (said.code, said.document["code"]) == (5, "cannot-listen")
    assert said.document["next"].startswith("name another one with --port")


def test_wrong_settings_are_named_and_their_values_are_not(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("VMS_PORT", "hunter2")
    said = say(capsys, "check")
    assert (said.code, said.err.split(":")[0]) == (2, "settings-are-wrong")
    assert "VMS_PORT" in said.err
    assert "hunter2" not in said.err


@pytest.mark.parametrize("command", ["serve", "init", "check"])
def test_a_variable_that_is_no_setting_is_told_with_the_nearest(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (tmp_path / "file").write_text("so that none of them gets far")
    monkeypatch.setenv("VMS_POTR", "hunter2")
    monkeypatch.setenv("VMS_XYZZY", "hunter2")
    said = say(capsys, command, "--data-dir", tmp_path / "file", "--json")
    assert said.document["code"]
    assert said.err.splitlines() == [
        "warning: VMS_POTR is no setting and changes nothing; did you mean VMS_PORT?",
        "warning: VMS_XYZZY is no setting and changes nothing; `vms-privacy settings-manual` lists them",
    ]


def test_what_the_command_line_itself_goes_by_is_no_stranger(tmp_path: Path, capsys: Capture) -> None:
    # VMS_URL and VMS_DATA_DIR are set here.
    assert say(capsys, "check", "--data-dir", tmp_path / "nothing", "--json").err == ""


def test_a_public_address_without_tls_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("VMS_HOST", "0.0.0.0")
    said = say(capsys, "serve", "--json")
    assert (said.code, said.document["code"]) == (2, "settings-are-wrong")
    assert "VMS_TLS_CERTIFICATE" in said.document["detail"]


@pytest.mark.parametrize("command", ["serve", "check", "migrate", "bootstrap-code", "verify audit"])
def test_a_folder_without_an_installation_is_not_made_one(command: str, tmp_path: Path, capsys: Capture) -> None:
    said = say(capsys, *command.split(), "--data-dir", tmp_path / "elsewhere", "--json")
    assert (said.code, said.document["code"]) == (5, "not-initialised")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("command", ["serve", "check", "migrate"])
def test_a_damaged_database_is_a_sentence_and_stays_as_it_is(command: str, installed: Path, capsys: Capture) -> None:
    database = installed / "vms-privacy.db"
    damaged = b"this is no database" * 1000
    database.write_bytes(damaged)
    for beside in installed.glob("vms-privacy.db-*"):
        beside.unlink()
    said = say(capsys, command, "--data-dir", installed, "--json")
    assert (said.code, said.document["code"]) == (6, "database-is-damaged"), said
    assert database.read_bytes() == damaged


@pytest.mark.parametrize("command", ["serve", "check", "migrate"])
def test_a_missing_database_is_not_begun_anew(command: str, installed: Path, capsys: Capture) -> None:
    (installed / "vms-privacy.db").unlink()
    said = say(capsys, command, "--data-dir", installed, "--json")
    assert (said.code, said.document["code"]) == (7, "database-unavailable")
    assert not (installed / "vms-privacy.db").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: Capture) -> None:
    said = say(capsys, "verify", "receipt", tmp_path / "gone", "--keys", tmp_path / "gone", "--json")
    assert (said.code, said.document["code"]) == (4, "no-such-file")
    assert str(tmp_path / "gone") in said.document["detail"]


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    with pytest.raises(FileIsThere, match="not written over"):
        write_new(file, b"other")
    assert file.read_text() == "mine"
    assert ADVICE[FileIsThere.code] == "name another file"


def test_a_file_where_none_can_be_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match="cannot be written"):
        write_new(tmp_path / "no folder" / "file", b"mine")


def test_a_disk_that_fills_leaves_no_half_a_file_and_says_so(tmp_path: Path) -> None:
    with a_full_disk(room=1000), pytest.raises(FileUnusable, match="nothing of it is kept"):
        write_new(tmp_path / "file", b"x" * 100_000)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_nobody_can_read_is_left_to_the_service() -> None:
    address = "rtsp://user@[fe80::1/stream"
    assert _with_password(address, None) == address


def test_after_an_init_that_found_no_database_the_next_one_makes_a_whole_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    folder = tmp_path / "data"
    monkeypatch.setenv("VMS_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("VMS_DATABASE_OWNER_URL", "postgresql+psycopg://somebody@127.0.0.1:1/none")
    said = say(capsys, "init", *NO_BACKUP, "--data-dir", folder, "--json")
    assert (said.code, said.document["code"]) == (7, "database-unavailable")
    assert "VMS_DATABASE_URL" in said.document["next"]
    monkeypatch.delenv("VMS_DATABASE_URL")
    monkeypatch.delenv("VMS_DATABASE_OWNER_URL")
    assert say(capsys, "init", *NO_BACKUP, "--data-dir", folder).code == 0


@pytest.mark.parametrize(
    "address", ["postgres://role@host/database", "postgresql://host/database", "mysql://a/b", "vms.db"]
)
def test_a_database_of_another_kind_says_which_ones_there_are(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("VMS_DATABASE_URL", address)
    said = say(capsys, "init", *NO_BACKUP, "--json")
    assert (said.code, said.document["code"]) == (2, "settings-are-wrong")
    assert "postgresql+psycopg://ROLE@HOST/DATABASE" in said.document["detail"]
    assert address not in said.document["detail"]


def test_where_the_data_folder_should_be_is_a_file(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("mine")
    said = say(capsys, "init", *NO_BACKUP, "--data-dir", tmp_path / "file", "--json")
    assert (said.code, said.document["detail"]) == (5, "where the data folder should be is a file")
    assert said.document["next"].startswith("name another place")


def test_a_certificate_of_nobody_known_is_not_taken_for_a_silent_service(tmp_path: Path, capsys: Capture) -> None:
    context = server_context(*make_certificate(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_shake_hands, args=(listener, context))
        answering.start()
        said = say(capsys, "status", "--url", f"https://127.0.0.1:{listener.getsockname()[1]}", "--json")
        answering.join()
    assert (said.code, said.document["code"]) == (7, "certificate-not-trusted")
    assert "SSL_CERT_FILE" in said.document["next"]


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    link, _ = listener.accept()
    with link, pytest.raises((ssl.SSLError, ConnectionError)), context.wrap_socket(link, server_side=True) as told:
        told.recv(1)


def test_the_clock_is_for_platform_admins(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    owner = Session(Service("http://127.0.0.1:9"), "me", "an-id", "north")
    monkeypatch.setattr(clock, "logged_in", lambda _: owner)
    said = say(capsys, "clock", "show", "--json")
    assert (said.code, said.document["code"]) == (3, "not-a-platform-admin")
    assert "as the platform admin" in said.document["next"]


def test_keys_that_are_none_are_not_taken_for_a_bad_receipt(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [{"kid": "x"}]}))
    said = say(capsys, "verify", "receipt", file, "--keys", file, "--json")
    assert (said.code, said.document["code"]) == (2, "not-receipt-keys")


def test_a_page_of_another_program_is_old(tmp_path: Path, capsys: Capture) -> None:
    page = tmp_path / "settings.md"
    assert say(capsys, "settings-manual", "--write", page).code == 0
    assert say(capsys, "settings-manual", "--check", page).code == 0
    page.write_text("other")
    said = say(capsys, "settings-manual", "--check", page, "--json")
    assert (said.code, said.document["code"]) == (5, "page-is-old")


def test_a_code_that_no_refusal_has_is_no_such_problem(capsys: Capture) -> None:
    said = say(capsys, "problems", "no-such-code", "--json")
    assert (said.code, said.document["code"]) == (4, "no-such-problem")


def test_two_log_in_sessions_of_two_services_do_not_mix(tmp_path: Path) -> None:
    sessions = KeptSessions(tmp_path / "kept")
    with sessions.alone():
        sessions.keep("http://127.0.0.1:1", Kept("one", "me"))
        sessions.keep("http://127.0.0.1:2", Kept("two", "me"))
        sessions.forget("http://127.0.0.1:1")
    assert sessions.of("http://127.0.0.1:2") == Kept("two", "me")
    assert "two" not in repr(sessions.of("http://127.0.0.1:2"))


def test_without_a_command_a_group_shows_its_help(capsys: Capture) -> None:
    said = say(capsys, "camera")
    assert said.code == 2
    assert "opt-in" in said.out
