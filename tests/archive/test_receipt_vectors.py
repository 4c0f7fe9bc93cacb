"""The vectors of receipt-v1: the service and a verifier written from the page alone answer what each expects."""

import functools
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from archive.receipts import key_history, rules, summary
from archive.receipts.key_history import KeyHistory
from archive.receipts.lines import Invalid
from archive.receipts.monthly import check, compare
from archive.receipts.service import read_history, verify
from archive.receipts.summary import ValidSummary, follows
from tests.guards.sources import ROOT
from tests.vectors import receipt_verifier
from tests.vectors.generate_receipt import HERE, all_vectors

VECTORS = sorted(HERE.glob("*.vector"))


@dataclass(frozen=True)
class Given:
    """One vector as it lies on the disk."""

    told: dict[str, str]
    document: bytes

    def given(self, what: str) -> list[bytes]:
        return [read(HERE / f"{name}.vector").document for name in self.told.get(what, "").split()]


def read(path: Path) -> Given:
    head, _, document = path.read_bytes().partition(b"\n\n")
    told = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return Given(told, document.ljust(int(told.get("padded-to", 0)), b"\n"))


@functools.cache
def history_of(document: bytes) -> KeyHistory:
    history = read_history(document)
    assert isinstance(history, KeyHistory)
    return history


def of_the_service(vector: Given) -> str:
    if vector.told["kind"] == "keys":
        found = read_history(vector.document, vector.told.get("pinned"))
        return found.code if isinstance(found, Invalid) else "valid"
    (keys,) = vector.given("keys")
    history = history_of(keys)
    if vector.told["kind"] == "receipt":
        verdict = verify(vector.document, history)
        return verdict.code if isinstance(verdict, Invalid) else "extract" if verdict.partial else "valid"
    return _of_a_summary(vector, history)


def _of_a_summary(vector: Given, history: KeyHistory) -> str:
    found = check(vector.document, history)
    if isinstance(found, Invalid):
        return found.code
    for document in vector.given("previous"):
        before = check(document, history)
        assert isinstance(before, ValidSummary)
        refused = follows(found, before)
        if refused is not None:
            return refused.code
    beside = [(str(at), one) for at, one in enumerate(vector.given("receipts"))]
    refused = compare(found, beside, history) if beside else None
    return "valid" if refused is None else refused.code


def of_the_other(vector: Given) -> str:
    keys, previous = vector.given("keys"), vector.given("previous")
    return receipt_verifier.verify(
        vector.told["kind"],
        vector.document,
        keys[0] if keys else b"",
        vector.told.get("pinned", ""),
        vector.given("receipts") or None,
        previous[0] if previous else b"",
    )


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_service_and_a_verifier_written_from_the_page_answer_what_the_vector_expects(path: Path) -> None:
    vector = read(path)
    assert (of_the_service(vector), of_the_other(vector)) == (vector.told["expect"],) * 2


def test_the_files_are_what_the_program_makes() -> None:
    assert {path.name: path.read_bytes() for path in VECTORS} == {
        f"{vector.name}.vector": vector.octets() for vector in all_vectors()
    }


def test_every_kind_of_failure_has_a_vector() -> None:
    """Whatever a verifier may answer stands in the page, and each answer is somewhere expected."""
    page = (ROOT / "docs/formats/receipt-v1.md").read_text()
    stated = set(re.findall(r"`((?:receipt|summary|not)-[a-z-]+)`", page)) - {"receipt-signing"}
    expected = {read(path).told["expect"] for path in VECTORS} - {"valid", "extract"}
    assert stated == expected
    sources = [Path(module.__file__ or "").read_text() for module in (rules, key_history, summary)]
    written = set(re.findall(r'"((?:receipt|summary|not)-[a-z-]+)"', "".join(sources)))
    assert written - {"receipt-keys", "receipt-is-an-extract"} <= expected


def test_the_other_verifier_shares_no_code_with_the_service() -> None:
    """It runs where the service's packages cannot be imported, and says of two files what it says here."""
    (keys,) = read(HERE / "receipt_good.vector").given("keys")
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('archive', 'vms_privacy', 'auth', 'streams')));"
        "from tests.vectors.receipt_verifier import verify; d, k = sys.stdin.buffer.read().split(b'\\0');"
        "print(verify('receipt', d, k))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        input=read(HERE / "receipt_good.vector").document + b"\0" + keys,
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert said.stdout == b"valid\n"
