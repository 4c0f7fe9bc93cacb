"""One camera's part of a receipt: of a camera that the receipt tells of, or no file at all."""

import base64
from pathlib import Path

import pytest

from archive.receipts import merkle
from archive.receipts.key_history import ACTIVE, KeyHistory, KnownKey
from archive.receipts.rules import Head, Leaf, Valid, check, signed_part, write
from tests.vms_privacy.cli.typed import say

Capture = pytest.CaptureFixture[str]
GATE = "01890a5d-ac96-774b-bcce-b302099a8057"
YARD = "01890a5d-ac96-774b-bcce-b302099a8058"
SIGNATURE = bytes(range(64))
WHEN = "2030-01-15T12:00:00.000000Z"


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    leaves = [
        Leaf(camera, f"s{number}", WHEN, WHEN, "expiry", "e1", "b1", WHEN, WHEN, WHEN, "erased", number).octets()
        for number, camera in enumerate((YARD, GATE, YARD))
    ]
    top = merkle.Tree([merkle.leaf_hash(leaf) for leaf in leaves]).root
    root = base64.urlsafe_b64encode(top).rstrip(b"=").decode()
    head = Head("r1", "i1", "o1", "hourly", "worker:sweep", WHEN, WHEN, WHEN, len(leaves), root, WHEN).octets()
    file = tmp_path / "receipt.txt"
    file.write_bytes(write(head, "k1", SIGNATURE, leaves))
    return file


def test_an_extract_has_the_leaves_of_its_camera_and_verifies(receipt: Path, capsys: Capture) -> None:
    to = receipt.with_name("e.txt")
    assert say(capsys, "receipt", "extract", receipt, "--camera-id", YARD, "--to", to, "--json").code == 0
    keys = KeyHistory("i1", WHEN, (KnownKey(1, "k1", b"raw", ACTIVE, None, None, None),))
    verdict = check(to.read_bytes(), keys, lambda *told: told == (b"raw", signed_part(_head(receipt)), SIGNATURE))
    assert isinstance(verdict, Valid)
    assert [leaf["camera_id"] for leaf in verdict.leaves] == [YARD, YARD]


@pytest.mark.parametrize("named", ["yard", YARD[:-1], "", YARD.upper()])
def test_a_camera_that_is_not_in_the_receipt_is_refused_with_those_that_are(
    named: str, receipt: Path, capsys: Capture
) -> None:
    to = receipt.with_name("e.txt")
    said = say(capsys, "receipt", "extract", receipt, "--camera-id", named, "--to", to, "--json")
    assert (said.code, said.document["code"]) == (4, "camera-not-in-receipt")
    assert f"{GATE}, {YARD}" in said.document["detail"]
    assert not to.exists()


def test_of_an_extract_or_of_any_other_file_no_part_is_taken(receipt: Path, capsys: Capture) -> None:
    extract, to = receipt.with_name("e.txt"), receipt.with_name("e2.txt")
    assert say(capsys, "receipt", "extract", receipt, "--camera-id", YARD, "--to", extract).code == 0
    # A receipt's first line alone, one that is cut, an extract, and something else.
    head = receipt.read_bytes().split(b"\n")[0] + b"\n"
    (receipt.with_name("head.txt")).write_bytes(head)
    (receipt.with_name("cut.txt")).write_bytes(receipt.read_bytes()[:-30] + b"\n")
    for file in (extract, receipt.with_name("head.txt"), receipt.with_name("cut.txt"), Path(__file__)):
        said = say(capsys, "receipt", "extract", file, "--camera-id", YARD, "--to", to, "--json")
        assert (said.code, said.document["code"]) == (2, "not-a-whole-receipt"), file
        assert not to.exists()


def _head(receipt: Path) -> bytes:
    return receipt.read_bytes().split(b"\n")[1]
