"""The audit shown: it verifies, and every kind of change to it is found. An intruder works on copies."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.rules import FIRST_LINK, event_bytes, leaf, link
from vms_privacy.audit.verify import AuditVerdict, verify
from vms_privacy.db import Database
from vms_privacy.demo.copies import copy_database, opened, take_guards_off
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.world import World
from vms_privacy.keyring.port import Purpose

_ROWS: Final = text(
    "SELECT position, event_id, tag, outcome, at_us, e.operator_id, camera_id, actor, reason, detail "
    "FROM audit_chain c JOIN audit_event e ON e.number = c.event_number ORDER BY position"
)


def audit_verifies(world: World) -> Detail:
    """Verify the audit, then copies of it that somebody who owns the database has worked on."""
    parts = world.parts
    parts.sealer.seal_once()
    parts.sealer.checkpoint_once()
    verdict = _verify(world, parts.db, parts.settings.anchor)
    hold(verdict.ok, f"the audit is whole: {verdict.reason}")
    hold(verdict.checkpoints > 0, "a checkpoint is anchored outside the database")
    hold(verdict.events > 30, "the story left its traces in it")
    found = {name: _tampered(world, name, change) for name, change in _CHANGES.items()}
    for name, told in found.items():
        hold(not told.ok, f"{name} is found")
    return {
        "events": verdict.events,
        "sealed": verdict.sealed,
        "checkpoints": verdict.checkpoints,
        **{name: f"found at {told.first_bad}: {told.fault}" for name, told in found.items()},
    }


def _change_a_row(connection: Connection) -> None:
    connection.execute(text("UPDATE audit_event SET reason = 'never happened' WHERE number = 3"))


def _recompute(connection: Connection) -> None:
    """Change a row and rebuild every leaf and head, so that the chain is right in itself."""
    _change_a_row(connection)
    head, new = FIRST_LINK, []
    for row in connection.execute(_ROWS).all():
        of_event = leaf(event_bytes(*row[1:]))
        head = link(head, of_event)
        new.append({"leaf": of_event, "head": head, "at": row[0]})
    connection.execute(text("UPDATE audit_chain SET leaf = :leaf, head = :head WHERE position = :at"), new)


def _cut_the_tail(connection: Connection) -> None:
    last = connection.scalar(text("SELECT max(position) FROM audit_chain"))
    of_tail = text("SELECT event_number FROM audit_chain WHERE position > :kept")
    events = [{"number": number} for number in connection.scalars(of_tail, {"kept": last - 5})]
    connection.execute(text("DELETE FROM audit_chain WHERE position > :kept"), {"kept": last - 5})
    connection.execute(text("DELETE FROM audit_event WHERE number = :number"), events)


_CHANGES: Final[dict[str, Callable[[Connection], None]]] = {
    "a changed row": _change_a_row,
    "a recomputed chain": _recompute,
    "a cut tail": _cut_the_tail,
}


def _tampered(world: World, name: str, change: Callable[[Connection], None]) -> AuditVerdict:
    anchor = world.folder / f"{name.replace(' ', '-')}.anchor"
    # A checkpoint that comes between the two copies is in one of them alone: take them again.
    world.until(lambda: _copied_whole(world, anchor), 20, "the copy is whole before anything is changed in it")
    with opened(world.kept["tampered"]) as db:
        take_guards_off(db)
        with db.engine.begin() as connection:
            change(connection)
        return _verify(world, db, anchor)


def _copied_whole(world: World, anchor: Path) -> bool:
    shutil.copy(world.parts.settings.anchor, anchor)
    world.kept["tampered"] = copy_database(world, "tampered")
    with opened(world.kept["tampered"]) as db:
        return _verify(world, db, anchor).ok


def _verify(world: World, db: Database, anchor: Path) -> AuditVerdict:
    return verify(db, Anchor(anchor), world.parts.keyring.public_keys(Purpose.CHECKPOINT_SIGNING))
