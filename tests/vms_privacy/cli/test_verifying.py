"""Receipts and summaries are verified offline, with two or three files and nothing else."""

from pathlib import Path

import pytest

from tests.archive.test_receipt_vectors import read
from tests.vectors.generate_receipt import HERE
from tests.vectors.receipt_by_hand import FIRST, STRANGER, fingerprint
from tests.vms_privacy.cli.typed import Said, say

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No service, no installation, no log-in."""
    monkeypatch.setenv("VMS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "nothing"))


def laid(folder: Path, *names: str) -> list[Path]:
    """Lay documents of vectors down as files."""
    folder.mkdir(exist_ok=True)
    files = []
    for name in names:
        files.append(folder / f"{name}.txt")
        files[-1].write_bytes(read(HERE / f"{name}.vector").document)
    return files


def verified(capsys: Capture, *words: object) -> Said:
    return say(capsys, "verify", *words, "--json")


def test_a_receipt_of_a_retired_key_verifies_with_the_history_and_one_fingerprint(
    tmp_path: Path, capsys: Capture
) -> None:
    receipt, keys = laid(tmp_path / "files", "receipt_good", "keys_good")
    said = verified(capsys, "receipt", receipt, "--keys", keys, "--fingerprint", fingerprint(FIRST))
    assert said.code == 0
    told = {name: said.document[name] for name in ("valid", "key_state", "key_was_in_use", "keys_pinned", "is_extract")}
    assert told == {
        "valid": True,
        "key_state": "retired",
        "key_was_in_use": True,
        "keys_pinned": True,
        "is_extract": False,
    }
    lines = say(capsys, "verify", "receipt", receipt, "--keys", keys).out
    assert "version 1, retired, in use then" in lines
    assert "as given: compare one fingerprint" in lines


def test_a_receipt_that_names_a_moment_when_its_key_was_not_in_use_is_told_as_that(
    tmp_path: Path, capsys: Capture
) -> None:
    receipt, keys = laid(tmp_path / "files", "receipt_newest_key", "keys_good")
    said = verified(capsys, "receipt", receipt, "--keys", keys)
    assert (said.code, said.document["key_was_in_use"]) == (0, False)
    assert "NOT in use at the moment it names" in say(capsys, "verify", "receipt", receipt, "--keys", keys).out


def test_of_an_extract_it_is_said_how_much_of_the_receipt_it_is(tmp_path: Path, capsys: Capture) -> None:
    part, keys = laid(tmp_path / "files", "extract_gate", "keys_good")
    said = verified(capsys, "receipt", part, "--keys", keys)
    assert (said.document["segments"], said.document["segments_of_the_receipt"]) == (2, 3)
    assert "2 destroyed, of 3 in the receipt" in say(capsys, "verify", "receipt", part, "--keys", keys).out


@pytest.mark.parametrize(
    ("receipt", "code"),
    [
        ("installation_other_with_its_key", "receipt-of-another-installation"),
        ("key_stranger", "receipt-unknown-key"),
        ("signature_bit", "receipt-signature"),
        ("leaf_dropped", "receipt-leaves"),
        ("receipt_body_not_utf_8", "receipt-not-canonical"),
        ("receipt_body_key_twice", "receipt-not-canonical"),
        ("receipt_no_last_line_end", "not-a-receipt"),
    ],
)
def test_a_receipt_that_does_not_hold_says_why_with_a_code_of_its_own(
    receipt: str, code: str, tmp_path: Path, capsys: Capture
) -> None:
    file, keys = laid(tmp_path / "files", receipt, "keys_good")
    said = verified(capsys, "receipt", file, "--keys", keys)
    assert (said.code, said.document["valid"], said.document["code"]) == (6, False, code)
    assert say(capsys, "verify", "receipt", file, "--keys", keys).out.startswith("NOT valid: ")
    assert say(capsys, "problems", code).code == 0


def test_an_enormous_file_is_refused_and_not_read_to_its_end(tmp_path: Path, capsys: Capture) -> None:
    (keys,) = laid(tmp_path / "files", "keys_good")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    said = verified(capsys, "receipt", huge, "--keys", keys)
    assert (said.code, said.document["code"]) == (6, "receipt-too-large")
    said = verified(capsys, "receipt", keys, "--keys", huge)
    assert (said.code, said.document["code"]) == (6, "receipt-keys-too-large")
    said = verified(capsys, "summary", huge, "--keys", keys)
    assert (said.code, said.document["code"]) == (6, "summary-too-large")


def test_keys_that_a_written_down_fingerprint_does_not_lead_to_are_not_taken(tmp_path: Path, capsys: Capture) -> None:
    receipt, keys, slipped = laid(tmp_path / "files", "receipt_good", "keys_good", "keys_pinned_and_slipped_in")
    said = verified(capsys, "receipt", receipt, "--keys", keys, "--fingerprint", fingerprint(STRANGER))
    assert (said.code, said.document["code"]) == (6, "receipt-keys-not-pinned")
    said = verified(capsys, "receipt", receipt, "--keys", slipped, "--fingerprint", fingerprint(FIRST))
    assert (said.code, said.document["code"]) == (6, "receipt-keys-not-pinned")
    said = verified(capsys, "receipt", receipt, "--keys", receipt)
    assert (said.code, said.document["code"]) == (2, "not-receipt-keys")


def test_a_summary_verifies_alone_with_its_receipts_and_with_the_month_before(tmp_path: Path, capsys: Capture) -> None:
    first, second, keys = laid(tmp_path / "files", "summary_good", "summary_of_nothing", "keys_good")
    laid(tmp_path / "receipts", "receipt_good", "receipt_of_february")
    said = verified(capsys, "summary", first, "--keys", keys)
    assert (said.code, said.document["receipts_compared"], said.document["receipts"]) == (0, False, 1)
    said = verified(capsys, "summary", first, "--keys", keys, "--receipts", tmp_path / "receipts")
    assert (said.code, said.document["receipts_compared"]) == (0, True)
    words = ("summary", second, "--keys", keys, "--previous", first)
    said = verified(capsys, *words)
    assert (said.code, said.document["previous_compared"], said.document["segments"]) == (0, True, 0)
    lines = say(capsys, "verify", *words).out
    assert "0 segments, 0 B" in lines
    assert "it follows that summary" in lines
    said = verified(capsys, "summary", first, "--keys", keys, "--previous", second)
    assert (said.code, said.document["code"]) == (6, "summary-previous")


def test_a_receipt_that_is_missing_from_the_folder_is_seen(tmp_path: Path, capsys: Capture) -> None:
    summary, keys = laid(tmp_path / "files", "summary_good", "keys_good")
    laid(tmp_path / "receipts", "receipt_of_february")
    said = verified(capsys, "summary", summary, "--keys", keys, "--receipts", tmp_path / "receipts")
    assert (said.code, said.document["code"]) == (6, "summary-receipt-missing")
    laid(tmp_path / "receipts", "extract_gate")
    said = verified(capsys, "summary", summary, "--keys", keys, "--receipts", tmp_path / "receipts")
    assert (said.code, said.document["code"]) == (6, "summary-receipt-unusable")
