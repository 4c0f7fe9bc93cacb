"""The vectors of audit-chain-v1, made by a program that knows only the page."""

import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest

from tests.vectors import generate_audit_chain
from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.rules import (
    FIRST_LINK,
    NO_ID,
    by_operator,
    bytes_of,
    leaf,
    link,
    merkle_root,
    moment_of,
    operators_root,
)
from vms_privacy.audit.verify import verify
from vms_privacy.audit.walk import Fault
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.keyring.port import PublicKey

FOLDER = Path(__file__).parents[1] / "vectors/audit_chain_v1"


def names(prefix: str) -> Sequence[str]:
    return sorted(path.stem for path in FOLDER.glob(f"{prefix}*.vector"))


def load(name: str) -> tuple[dict[str, str], bytes]:
    head, _, body = (FOLDER / f"{name}.vector").read_bytes().partition(b"\n\n")
    fields = (line.partition(":") for line in head.decode().splitlines())
    return {key: value.strip() for key, _, value in fields}, body


def rows(name: str) -> list[list[str]]:
    return [line.split(" ") for line in (FOLDER / f"{name}.vector").read_text().splitlines() if line]


def test_making_the_vectors_again_leaves_no_difference() -> None:
    made = generate_audit_chain.vectors()
    assert {path.stem for path in FOLDER.glob("*.vector")} == set(made)
    assert all((FOLDER / f"{name}.vector").read_bytes() == data for name, data in made.items())
    assert generate_audit_chain.worked_example() in generate_audit_chain.PAGE.read_text()


@pytest.mark.parametrize("name", names("event_"))
def test_an_event_has_the_one_encoding_of_the_page(name: str) -> None:
    head, body = load(name)
    event = Event(
        Tag(int(head["tag"])),
        moment_of(int(head["at_us"])),
        head["actor"],
        Outcome(head["outcome"]),
        OperatorId(UUID(head["operator"])) if "operator" in head else None,
        CameraId(UUID(head["camera"])) if "camera" in head else None,
        head["reason"],
        json.loads(head["detail"]),
    )
    encoded = bytes_of(event, UUID(head["event_id"]))
    assert encoded.hex() == body.decode().strip()
    assert leaf(encoded).hex() == head["leaf"]


def test_the_chain_is_linked_as_the_page_says() -> None:
    (_, _, first), *places = rows("chain")
    head = FIRST_LINK
    assert head.hex() == first
    for _, of_leaf, expected in places:
        head = link(head, bytes.fromhex(of_leaf))
        assert head.hex() == expected
    assert len(places) == 5


def test_roots_are_those_of_rfc_6962() -> None:
    leaves = [leaf(bytes([count])) for count in range(20)]
    for count, expected in rows("merkle"):
        assert merkle_root(leaves[: int(count)]).hex() == expected


def test_operators_roots_are_those_of_the_page() -> None:
    entries = []
    for name in generate_audit_chain.EVENTS:
        head, _ = load(f"event_{name}")
        operator = bytes.fromhex(head["operator"]) if "operator" in head else NO_ID
        entries.append((operator, bytes.fromhex(head["leaf"])))
    for count, expected in rows("operators"):
        assert operators_root(by_operator(entries[: int(count)])).hex() == expected


@pytest.mark.parametrize("name", names("anchor_"))
def test_an_anchor_is_taken_or_refused_as_the_vector_says(name: str, db: Database, tmp_path: Path) -> None:
    head, body = load(name)
    path = tmp_path / "anchor"
    path.write_bytes(body)
    verdict = verify(db, Anchor(path), [PublicKey(head["kid"], bytes.fromhex(head["public-key"]))])
    assert verdict.checkpoints == int(head["good"])
    if head["expect"] == "anchor-changed":
        assert verdict.fault is Fault.ANCHOR_CHANGED
    else:
        # There is no chain here: an anchor that is good says that its chain is gone.
        assert verdict.fault is (Fault.TAIL_CUT if int(head["good"]) else None)
