"""AC-11: a row changed, dropped or moved, a chain recomputed, a tail or the anchor cut: it is found, and where."""

import threading
from pathlib import Path

import pytest

from tests.given.audit import NORTH, SOUTH, Audit, Intruder
from tests.given.clock import HandClock
from tests.given.tampering import NotTaken
from vms_privacy.audit.rules import FIRST_LINK, event_bytes, leaf, link
from vms_privacy.audit.walk import Fault
from vms_privacy.db import Database
from vms_privacy.keyring.port import Purpose

# Three checkpoints: positions 1 to 4, 5 to 7, 8 to 10; number and position of a row are the same here.
GROWN = (4, 3, 3)


@pytest.fixture
def audit(db: Database, tmp_path: Path, clock: HandClock) -> Audit:
    audit = Audit(db, tmp_path, clock)
    audit.grow(GROWN)
    return audit


@pytest.fixture
def intruder(db: Database) -> Intruder:
    return Intruder(db)


def recompute(intruder: Intruder) -> None:
    """Rebuild every leaf and head so that the chain is right in itself."""
    rows = intruder.rows(
        "SELECT position, event_id, tag, outcome, at_us, e.operator_id, camera_id, actor, reason, detail "
        "FROM audit_chain c JOIN audit_event e ON e.number = c.event_number ORDER BY position"
    )
    head, new = FIRST_LINK, []
    for row in rows:
        of_event = leaf(event_bytes(*row[1:]))  # type: ignore[arg-type]
        head = link(head, of_event)
        new.append((of_event, head, row[5], row[0]))
    intruder.write("UPDATE audit_chain SET leaf = ?, head = ?, operator_id = ? WHERE position = ?", new)


def assert_found(audit: Audit, fault: Fault, position: int | None) -> None:
    verdict = audit.verify()
    assert (verdict.ok, verdict.fault, verdict.first_bad) == (False, fault, position)
    assert verdict.reason


def test_an_untouched_audit_is_found_good(audit: Audit) -> None:
    verdict = audit.verify()
    assert (verdict.ok, verdict.first_bad, verdict.reason) == (True, None, "")
    assert (verdict.events, verdict.sealed, verdict.checkpoints) == (10, 10, 3)


def test_an_empty_audit_is_found_good(db: Database, tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "empty").mkdir()
    verdict = Audit(db, tmp_path / "empty", clock).verify()
    assert (verdict.ok, verdict.events, verdict.sealed, verdict.checkpoints) == (True, 0, 0, 0)


def test_what_is_not_sealed_or_signed_yet_is_not_held_against_it(audit: Audit) -> None:
    audit.note(2)
    audit.sealer.seal_once()
    audit.note(1)
    verdict = audit.verify()
    assert (verdict.ok, verdict.events, verdict.sealed) == (True, 13, 12)


@pytest.mark.parametrize(
    "change",
    [
        "tag = 15",
        "outcome = 'refused'",
        "at_us = at_us + 1",
        "actor = 'person:00000000-0000-0000-0000-000000000099'",
        "reason = 'because'",
        "detail = '{\"added\":1}'",
        "detail = '{ }'",
        "camera_id = randomblob(16)",
        "operator_id = randomblob(16)",
        "operator_id = NULL",
        "event_id = randomblob(16)",
        "event_id = event_id || x'00'",
        "event_id = 'text'",
        "camera_id = zeroblob(16)",
        "operator_id = zeroblob(16)",
        "at_us = 'noon'",
        "at_us = at_us + 0.5",
        "tag = 70000",
        "tag = 'three'",
        "actor = CAST(actor AS BLOB)",
        "actor = CAST(x'ff' AS TEXT)",
        "outcome = 'perhaps'",
    ],
)
def test_a_changed_field_of_an_event_is_found(audit: Audit, intruder: Intruder, change: str) -> None:
    try:
        intruder.run(f"UPDATE audit_event SET {change} WHERE number = 5")
    except NotTaken:
        assert audit.verify().ok
    else:
        assert_found(audit, Fault.EVENT_CHANGED, 5)


def test_a_changed_leaf_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("UPDATE audit_chain SET leaf = randomblob(32) WHERE position = 5")
    assert_found(audit, Fault.EVENT_CHANGED, 5)


def test_an_entry_given_to_another_operator_is_found(audit: Audit, intruder: Intruder) -> None:
    north, south = (f"x'{operator.hex}'" for operator in (NORTH, SOUTH))
    intruder.run(f"UPDATE audit_chain SET operator_id = {south} WHERE position = 4 AND operator_id = {north}")
    assert_found(audit, Fault.EVENT_CHANGED, 4)


def test_an_entry_hidden_from_the_platform_by_a_zero_operator_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("UPDATE audit_chain SET operator_id = zeroblob(16) WHERE position = 3 AND operator_id IS NULL")
    assert_found(audit, Fault.EVENT_CHANGED, 3)


def test_a_changed_head_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("UPDATE audit_chain SET head = randomblob(32) WHERE position = 6")
    assert_found(audit, Fault.ENTRY_MOVED, 6)


def test_a_deleted_event_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("DELETE FROM audit_event WHERE number = 3")
    assert_found(audit, Fault.EVENT_MISSING, 3)


def test_an_entry_deleted_with_its_event_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("DELETE FROM audit_chain WHERE position = 3", "DELETE FROM audit_event WHERE number = 3")
    assert_found(audit, Fault.ENTRY_MISSING, 3)


def test_the_first_entry_deleted_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("DELETE FROM audit_chain WHERE position = 1", "DELETE FROM audit_event WHERE number = 1")
    assert_found(audit, Fault.ENTRY_MISSING, 1)


def test_two_exchanged_events_are_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run(
        "UPDATE audit_event SET number = -1 WHERE number = 2",
        "UPDATE audit_event SET number = 2 WHERE number = 3",
        "UPDATE audit_event SET number = 3 WHERE number = -1",
    )
    assert_found(audit, Fault.EVENT_CHANGED, 2)


def test_two_exchanged_entries_are_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run(
        "UPDATE audit_chain SET position = 99 WHERE position = 5",
        "UPDATE audit_chain SET position = 5 WHERE position = 6",
        "UPDATE audit_chain SET position = 6 WHERE position = 99",
    )
    assert_found(audit, Fault.ENTRY_MOVED, 5)


@pytest.mark.parametrize(("changed", "first_bad"), [(1, 1), (4, 1), (5, 5), (7, 5), (9, 8)])
def test_a_recomputed_chain_is_found_by_the_anchor(
    audit: Audit, intruder: Intruder, changed: int, first_bad: int
) -> None:
    intruder.run(f"UPDATE audit_event SET reason = 'never happened' WHERE number = {changed}")
    recompute(intruder)
    assert_found(audit, Fault.REWRITTEN, first_bad)


def test_a_chain_recomputed_without_an_event_is_found_by_the_anchor(audit: Audit, intruder: Intruder) -> None:
    intruder.run(
        "DELETE FROM audit_event WHERE number = 6",
        "DELETE FROM audit_chain WHERE position = 6",
        *(f"UPDATE audit_chain SET position = {place - 1} WHERE position = {place}" for place in range(7, 11)),
    )
    recompute(intruder)
    assert_found(audit, Fault.REWRITTEN, 5)


def test_a_chain_recomputed_and_signed_with_another_key_is_found(
    db: Database, tmp_path: Path, clock: HandClock
) -> None:
    (tmp_path / "other").mkdir()
    other = Audit(db, tmp_path / "other", clock)
    other.grow(GROWN)
    audit = Audit(db, tmp_path, clock)
    audit.anchor_path.write_text(other.anchor_path.read_text())
    assert other.verify().ok
    assert_found(audit, Fault.ANCHOR_CHANGED, 1)


@pytest.mark.parametrize("left", [0, 1, 9])
def test_a_cut_tail_is_found_by_the_anchor(audit: Audit, intruder: Intruder, left: int) -> None:
    intruder.run(
        f"DELETE FROM audit_chain WHERE position > {left}",
        f"DELETE FROM audit_event WHERE number > {left}",
    )
    assert_found(audit, Fault.TAIL_CUT, left + 1)


def test_a_tail_cut_and_grown_again_is_found_by_the_anchor(audit: Audit, intruder: Intruder) -> None:
    intruder.run("DELETE FROM audit_chain WHERE position > 8", "DELETE FROM audit_event WHERE number > 8")
    audit.note(5)
    recompute(intruder)
    rows = intruder.rows("SELECT number FROM audit_event WHERE number > 8 ORDER BY number")
    intruder.write(
        "INSERT INTO audit_chain (position, event_number, leaf, head) VALUES (?, ?, zeroblob(32), zeroblob(32))",
        [(position, number) for position, (number,) in enumerate(rows, 9)],
    )
    intruder.run("DELETE FROM audit_unsealed")
    recompute(intruder)
    assert_found(audit, Fault.REWRITTEN, 8)


def test_an_event_kept_from_the_sealer_is_found(audit: Audit, intruder: Intruder) -> None:
    audit.note(1)
    intruder.run("DELETE FROM audit_unsealed")
    assert_found(audit, Fault.NEVER_SEALED, None)


def test_an_event_deleted_before_it_was_sealed_is_found(audit: Audit, intruder: Intruder) -> None:
    audit.note(1)
    intruder.run("DELETE FROM audit_event WHERE number = 11")
    assert_found(audit, Fault.EVENT_MISSING, None)


def test_entries_taken_out_of_the_chain_with_their_events_left_are_found(audit: Audit, intruder: Intruder) -> None:
    audit.note(2)
    audit.sealer.seal_once()
    intruder.run("DELETE FROM audit_chain WHERE position > 10")
    assert_found(audit, Fault.NEVER_SEALED, None)


@pytest.mark.parametrize(
    ("line", "field", "first_bad"), [(0, 9, 1), (2, 9, 8), *((1, field, 5) for field in range(10))]
)
def test_a_changed_field_of_the_anchor_is_found(audit: Audit, line: int, field: int, first_bad: int) -> None:
    lines = audit.anchor_path.read_text().splitlines()
    fields = lines[line].split(" ")
    fields[field] = fields[field][:-1] + ("1" if fields[field][-1] != "1" else "2")
    lines[line] = " ".join(fields)
    audit.anchor_path.write_text("\n".join(lines) + "\n")
    assert_found(audit, Fault.ANCHOR_CHANGED, first_bad)


def test_a_line_taken_from_the_middle_of_the_anchor_is_found(audit: Audit) -> None:
    lines = audit.anchor_path.read_text().splitlines()
    audit.anchor_path.write_text(f"{lines[0]}\n{lines[2]}\n")
    assert_found(audit, Fault.ANCHOR_CHANGED, 5)


@pytest.mark.parametrize(("left", "first_bad"), [(0, 1), (1, 5), (2, 8)])
def test_an_anchor_that_was_cut_is_found_by_the_copies(audit: Audit, left: int, first_bad: int) -> None:
    lines = audit.anchor_path.read_text().splitlines()
    audit.anchor_path.write_text("".join(f"{line}\n" for line in lines[:left]))
    assert_found(audit, Fault.ANCHOR_CUT, first_bad)


def test_an_anchor_whose_last_line_lost_its_end_is_found_by_the_copies(audit: Audit) -> None:
    audit.anchor_path.write_bytes(audit.anchor_path.read_bytes()[:-1])
    assert_found(audit, Fault.ANCHOR_CUT, 8)


def test_a_missing_anchor_is_found_by_the_copies(audit: Audit) -> None:
    audit.anchor_path.unlink()
    assert_found(audit, Fault.ANCHOR_CUT, 1)


def test_a_changed_copy_of_a_checkpoint_is_found(audit: Audit, intruder: Intruder) -> None:
    intruder.run("UPDATE audit_checkpoint SET line = line || ' ' WHERE number = 2")
    assert_found(audit, Fault.ANCHOR_CHANGED, 5)


def test_roots_that_were_signed_wrongly_are_found(db: Database, tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "wrong").mkdir()
    audit = Audit(db, tmp_path / "wrong", clock)
    audit.note(2)
    audit.sealer.seal_once()
    audit.sealer.checkpoint_once()
    fields = audit.anchor_path.read_text().split(" ")
    fields[6] = "0" * 64
    text = " ".join(fields[:8])
    kid, signature = audit.keyring.sign(Purpose.CHECKPOINT_SIGNING, text.encode())
    line = f"{text} {kid} {signature.hex()}"
    audit.anchor_path.write_text(f"{line}\n")
    Intruder(db).write("UPDATE audit_checkpoint SET line = ?", [(line,)])
    assert_found(audit, Fault.ROOTS_DIFFER, 1)


def test_it_is_found_good_at_any_moment_while_the_service_works(audit: Audit) -> None:
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            audit.grow([2])

    worker = threading.Thread(target=work)
    worker.start()
    verdicts = [audit.verify() for _ in range(15)]
    stopped.set()
    worker.join(60)
    assert [verdict.reason for verdict in verdicts if not verdict.ok] == []
    assert verdicts[-1].checkpoints > 3
