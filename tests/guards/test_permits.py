"""Permits and the gate's yes are built in one place each. A test may forge one, to show what happens then."""

import ast
from typing import Final

import pytest

from tests.guards.lints.proofs import PROOFS, Proof
from tests.guards.sources import ROOT, python_files

EACH = pytest.mark.parametrize("proof", PROOFS, ids=[proof.name for proof in PROOFS])
STRANGER = "archive/playback/http.py"
OPENS_FOR_A_CHECK: Final = "archive/check/opening.py"
OPENS_EDGES: Final = "archive/mandates/edges.py"
VERIFIES: Final = "archive/erasure/verifier.py"
_HOMES: Final = {
    "unwrap_for_check": {OPENS_FOR_A_CHECK, VERIFIES},
    "permit_for_check": {OPENS_FOR_A_CHECK, VERIFIES},
    "unwrap_for_edge": {OPENS_EDGES},
    "permit_for_edge": {OPENS_EDGES},
}


@EACH
def test_proofs_are_built_only_where_their_question_is_decided(proof: Proof) -> None:
    assert [found for path, text in python_files() for found in proof.forgeries(text, path)] == []


@EACH
def test_the_home_of_a_proof_is_where_the_guard_thinks(proof: Proof) -> None:
    assert f"{proof.name}(" in (ROOT / proof.home).read_text()


@EACH
def test_an_exception_is_still_needed(proof: Proof) -> None:
    alone = Proof(proof.name, proof.home)
    for path in proof.excepted:
        assert alone.forgeries((ROOT / path).read_text(), path) != []


@EACH
@pytest.mark.parametrize(
    "source",
    [
        "{name}(camera, entry, given, None, later)",
        "rules.{name}(camera, entry, given, None, later)",
        "replace({word}, ask_again_at=later)",
        "dataclasses.replace(self.{word}, camera_id=other)",
        "class Mine({name}): pass",
        "from somewhere.rules import {name} as Quiet",
        "Quiet = {name}",
        "object.__new__({name})",
        "make({name})",
    ],
)
def test_a_forged_proof_is_seen(proof: Proof, source: str) -> None:
    word = "permit" if proof.name.endswith("Permit") else "granted"
    assert len(proof.forgeries(source.format(name=proof.name, word=word), STRANGER)) == 1


@EACH
@pytest.mark.parametrize(
    "source",
    [
        "from somewhere.rules import {name}",
        "def record(proof: {name} | None) -> None: ...",
        "isinstance(value, {name})",
        "proof = permit_at(entries, camera_id, now)",
        "replace(segment, ends_at=now)",
    ],
)
def test_using_a_proof_is_not_forging_one(proof: Proof, source: str) -> None:
    assert proof.forgeries(source.format(name=proof.name), STRANGER) == []


@EACH
def test_its_maker_may_build_it(proof: Proof) -> None:
    assert proof.forgeries(f"{proof.name}(camera)", proof.home) == []


def strangers(source: str, path: str) -> list[str]:
    """Name each place outside of its home that opens a key in the name of a check or of a mandate."""
    nodes = ast.walk(ast.parse(source))
    named = [one.attr if isinstance(one, ast.Attribute) else one.id for one in nodes if isinstance(one, _NAMES)]
    return [f"{path} {name}" for name in named if path not in _HOMES.get(name, {path})]


_NAMES: Final = (ast.Attribute, ast.Name)


def test_a_key_is_opened_in_the_name_of_a_check_or_a_mandate_by_few_alone() -> None:
    ours = [(path, text) for path, text in python_files() if not path.startswith("tests/")]
    assert [found for path, text in ours for found in strangers(text, path)] == []
    for home in (OPENS_FOR_A_CHECK, OPENS_EDGES, VERIFIES):
        assert strangers((ROOT / home).read_text(), STRANGER) != []


TELLS: Final = {
    OPENS_FOR_A_CHECK: {"Decoding.run": "Tried", "Opening.try_out": "Opened | DoesNotOpen"},
    OPENS_EDGES: {
        "Edge.segment_id": "SegmentId",
        "Edge.cut": "Cut | None",
        "Edge.seal": "SealedPart",
        "Edges.open": "Edge",
        "Edges.name": "str",
        "Edges.seal": "SealedPart",
        "Edges.wrap": "KeptPart",
        "Edges.discard": "None",
    },
    VERIFIES: {"Sample.verify": "int"},
}


@pytest.mark.parametrize("path", TELLS)
def test_whoever_opens_for_a_check_or_a_mandate_hands_out_no_byte(path: str) -> None:
    """Every public method there answers with counts, moments and ciphertext: neither bytes nor a reader of them."""
    module = ast.parse((ROOT / path).read_text())
    told = {
        f"{scope.name}.{one.name}": ast.unparse(one.returns) if one.returns else ""
        for scope in module.body
        if isinstance(scope, ast.ClassDef) and not scope.name.startswith("_")
        for one in scope.body
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")
    }
    assert told == TELLS[path]
