"""The keyring from the command line while no service runs: told without a key, and its root rotated with a trace."""

from pathlib import Path

import pytest

from tests.vms_privacy.cli.typed import NO_BACKUP, say
from vms_privacy.journal.journal import verify_journal
from vms_privacy.keyring.port import Purpose

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "data"))
    assert say(capsys, "init", *NO_BACKUP).code == 0
    return tmp_path / "data"


def test_the_root_is_rotated_and_every_key_lives_on(installed: Path, capsys: Capture) -> None:
    before = say(capsys, "keys", "status", "--json").document
    assert (before["root"]["version"], before["root"]["rotating"], before["bucket_keys"]) == (1, False, 0)
    made = say(capsys, "keys", "rotate", "root", "--json").document
    assert (made["root_version"], made["roots_destroyed"]) == (2, 1)
    assert made["keys_rewrapped"] == len(before["purposes"])
    after = say(capsys, "keys", "status", "--json").document
    assert after["root"]["version"] == 2
    assert [(one["version"], one["state"]) for one in after["root"]["keys"]] == [(2, "active")]
    assert after["purposes"] == before["purposes"]


def test_each_key_is_told_with_its_state_and_date(installed: Path, capsys: Capture) -> None:
    assert say(capsys, "keys", "rotate", "camera-credential").code == 0
    keys = say(capsys, "keys", "status", "--json").document["purposes"]["camera-credential"]
    assert [(one["version"], one["state"]) for one in keys] == [(1, "deactivated"), (2, "active")]
    assert all(one["made_at"] for one in keys)


def test_a_rotation_stands_in_journal_and_audit(installed: Path, capsys: Capture) -> None:
    assert say(capsys, "keys", "rotate", "root").code == 0
    assert say(capsys, "keys", "rotate", "receipt-signing").code == 0
    assert verify_journal(installed / "journal").ok
    assert b"root-rotated" in (installed / "journal").read_bytes()
    said = say(capsys, "verify", "audit", "--json")
    assert (said.code, said.document["ok"]) == (0, True)


def test_every_purpose_with_versions_can_be_rotated_and_bucket_keys_cannot(installed: Path, capsys: Capture) -> None:
    for purpose in set(Purpose) - {Purpose.ARCHIVE_BUCKET}:
        assert say(capsys, "keys", "rotate", purpose).code == 0
    assert say(capsys, "keys", "rotate", "archive-bucket").code == 2


def test_people_read_ages_and_units(installed: Path, capsys: Capture) -> None:
    told = say(capsys, "keys", "status").out
    assert "version 1, 0 d old, gone by " in told
    assert "receipt-signing" in told
