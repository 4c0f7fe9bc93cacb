"""The audit shown: it verifies, and every kind of change to it is found. An intruder works on copies."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.rules import FIRST_LINK, event_bytes, leaf, link
from vms_privacy.audit.verify import AuditVerdict, verify
from vms_privacy.db import Database
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.world import World
from vms_privacy.keyring.port import Purpose

_ROWS = (
    "SELECT position, event_id, tag, outcome, at_us, e.operator_id, camera_id, actor, reason, detail "
    "FROM audit_chain c JOIN audit_event e ON e.number = c.event_number ORDER BY position"
)


def audit_verifies(world: World) -> Detail:
    """Verify the audit, then copies of it that somebody with the database's file has worked on."""
    parts = world.parts
    parts.sealer.seal_once()
    parts.sealer.checkpoint_once()
    verdict = _verify(world, parts.db, world.data_dir / "anchor")
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


def _change_a_row(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE audit_event SET reason = 'never happened' WHERE number = 3")


def _recompute(connection: sqlite3.Connection) -> None:
    """Change a row and rebuild every leaf and head, so that the chain is right in itself."""
    _change_a_row(connection)
    head, new = FIRST_LINK, []
    for row in connection.execute(_ROWS).fetchall():
        of_event = leaf(event_bytes(*row[1:]))
        head = link(head, of_event)
        new.append((of_event, head, row[0]))
    connection.executemany("UPDATE audit_chain SET leaf = ?, head = ? WHERE position = ?", new)


def _cut_the_tail(connection: sqlite3.Connection) -> None:
    last = connection.execute("SELECT max(position) FROM audit_chain").fetchone()[0]
    connection.execute(
        "DELETE FROM audit_event WHERE number IN (SELECT event_number FROM audit_chain WHERE position > ?)", (last - 5,)
    )
    connection.execute("DELETE FROM audit_chain WHERE position > ?", (last - 5,))


_CHANGES: dict[str, Callable[[sqlite3.Connection], None]] = {
    "a changed row": _change_a_row,
    "a recomputed chain": _recompute,
    "a cut tail": _cut_the_tail,
}


def _tampered(world: World, name: str, change: Callable[[sqlite3.Connection], None]) -> AuditVerdict:
    folder = world.folder / name.replace(" ", "-")
    folder.mkdir()
    path = folder / "tampered.db"
    source = sqlite3.connect(world.data_dir / "vms-privacy.db")
    with closing(source), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        source.backup(copy)
        for (trigger,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            copy.execute(f"DROP TRIGGER {trigger}")
        change(copy)
    shutil.copy(world.data_dir / "anchor", folder / "anchor")
    db = Database(f"sqlite:///{path}")
    try:
        return _verify(world, db, folder / "anchor")
    finally:
        db.close()


def _verify(world: World, db: Database, anchor: Path) -> AuditVerdict:
    return verify(db, Anchor(anchor), world.parts.keyring.public_keys(Purpose.CHECKPOINT_SIGNING))
