"""Whatever somebody makes of a receipt, a key history or a summary is refused with a code, and by two verifiers alike.

Bounded: every offset of small documents, and so many changes at random of the vectors.
"""

import re
from functools import cache
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.receipts.key_history import KeyHistory
from archive.receipts.lines import Invalid
from archive.receipts.rules import LARGEST_BYTES, cameras_of, extract
from archive.receipts.service import read_history, verify
from tests.archive.test_receipt_vectors import Given, of_the_other, of_the_service, read
from tests.guards.sources import ROOT
from tests.vectors.generate_receipt import HERE
from vms_privacy.cli.reasons import REASONS
from vms_privacy.cli.refusals import NotReceiptKeys

CODES: Final = frozenset(
    re.findall(r"`((?:receipt|summary|not)-[a-z-]+)`", (ROOT / "docs/formats/receipt-v1.md").read_text())
) - {"receipt-signing"}
SMALL: Final = ("receipt_of_one_leaf", "extract_of_one_leaf", "extract_gate", "keys_good", "summary_good")
ALL: Final = sorted(path.stem for path in HERE.glob("*.vector") if b"\npadded-to: " not in path.read_bytes())
"""But for those that are too large to be made anew for each question."""


@cache
def vector(name: str) -> Given:
    return read(HERE / f"{name}.vector")


def _answer(name: str, document: bytes) -> str:
    return of_the_service(Given(vector(name).told, document))


@pytest.mark.parametrize("name", SMALL)
def test_any_one_byte_changed_anywhere_is_refused_with_a_code(name: str) -> None:
    document = vector(name).document
    assert _answer(name, document) in {"valid", "extract"}
    for at in range(len(document)):
        for bit in (0x01, 0x20):
            changed = document[:at] + bytes([document[at] ^ bit]) + document[at + 1 :]
            assert _answer(name, changed) in CODES, (at, bit)


@pytest.mark.parametrize("name", SMALL)
def test_wherever_it_is_cut_off_it_is_refused_and_an_extract_may_only_leave_leaves_out(name: str) -> None:
    document = vector(name).document
    for end in range(len(document)):
        answer = _answer(name, document[:end])
        is_shorter_extract = answer == "extract" and document[:end].endswith(b"}\n")
        assert answer in CODES or (is_shorter_extract and name == "extract_gate"), end


@pytest.mark.parametrize("name", SMALL)
def test_any_one_byte_added_or_taken_out_is_refused_with_a_code(name: str) -> None:
    document = vector(name).document
    for at in range(len(document) + 1):
        for byte in (b"\n", b"0"):
            assert _answer(name, document[:at] + byte + document[at:]) in CODES, at
        assert at == len(document) or _answer(name, document[:at] + document[at + 1 :]) in CODES, at


_PIECES: Final = (
    b"\n",
    b"{}",
    b'"',
    b",",
    b":",
    b"\\u0000",
    b"\xff",
    b"\xed\xa0\x80",
    b"1e9",
    b"null",
    b"true",
    b"-0",
    b"[" * 50,
)


@settings(max_examples=300)
@given(st.sampled_from(ALL), st.data())
def test_two_verifiers_answer_alike_whatever_somebody_makes_of_a_document(name: str, data: st.DataObject) -> None:
    document = vector(name).document
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(document)))
        upto = min(len(document), at + data.draw(st.integers(0, 40)))
        other = data.draw(st.sampled_from(_PIECES) | st.binary(max_size=12) | st.just(document[upto : upto + 40]))
        document = document[:at] + other + document[upto:]
    changed = Given(vector(name).told, document)
    answer = of_the_service(changed)
    assert answer in CODES | {"valid", "extract"}
    assert answer == of_the_other(changed)


@settings(max_examples=200)
@given(st.binary(max_size=400), st.sampled_from(["", "receipt", "receipt keys", "monthly summary"]))
def test_noise_is_refused_with_a_code(noise: bytes, label: str) -> None:
    document = (f"vms-privacy {label} v1\n".encode() if label else b"") + noise
    for name in ("receipt_good", "keys_good", "summary_good"):
        assert _answer(name, document) in CODES


@settings(max_examples=200)
@given(
    st.sampled_from([name for name in ALL if name.startswith(("receipt_", "extract_", "leaf_", "head_"))]), st.data()
)
def test_no_part_is_taken_of_what_is_no_receipt_and_nothing_fails_in_another_way(
    name: str, data: st.DataObject
) -> None:
    document = vector(name).document
    at = data.draw(st.integers(0, len(document)))
    document = document[:at] + data.draw(st.sampled_from(_PIECES)) + document[at + data.draw(st.integers(0, 9)) :]
    cameras = cameras_of(document)
    if isinstance(cameras, Invalid):
        assert cameras.code in CODES | {"receipt-is-an-extract"}
        return
    for camera in cameras:
        assert extract(document, camera).startswith(b"vms-privacy receipt v1\n")


def test_an_enormous_receipt_is_refused_without_being_read() -> None:
    history = read_history(vector("keys_good").document)
    assert isinstance(history, KeyHistory)
    refused = verify(bytes(LARGEST_BYTES + 1), history)
    assert isinstance(refused, Invalid)
    assert refused.code == "receipt-too-large"


def test_every_code_has_an_explanation() -> None:
    explained = {reason.code for reason in REASONS} | {NotReceiptKeys.code}
    assert explained >= CODES
