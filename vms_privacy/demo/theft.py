"""A thief in the story: an older copy of database and files, today's keyring, our own code, and nobody who is asked."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from archive.blobs.folder_store import FolderStore
from archive.keys.rules import DecryptPermit
from archive.keys.wrap import SegmentKeys
from archive.playback.opening import Look
from archive.playback.service import Footage
from archive.segments.rules import Span, State
from vms_privacy.db import Database
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import hold
from vms_privacy.demo.world import World
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed


def take_copy(world: World) -> Path:
    """Copy database, spool and store while the service works, over any copy before; return the folder."""
    to = world.folder / "older-copy"
    if to.exists():
        shutil.rmtree(to)
    to.mkdir()
    source = sqlite3.connect(world.data_dir / "vms-privacy.db")
    with closing(source), closing(sqlite3.connect(to / "old.db")) as target:
        source.backup(target)
    # In this order: what is delivered meanwhile goes from the one to the other.
    for folder in ("spool", "archive"):
        shutil.copytree(world.data_dir / folder, to / folder, copy_function=_copy_if_there)
    return to


def open_all(world: World, copy: Path) -> tuple[set[SegmentId], set[SegmentId]]:
    """Return what of a copy opens with today's keyring, and what does not because its key is destroyed.

    Raises DoesNotHold if something is kept from opening by anything else.
    """
    old = Database(f"sqlite:///{copy / 'old.db'}")
    keys = SegmentKeys(world.parts.keyring, world.randomness, world.clock)
    store = FolderStore(copy / "archive")
    there = {*store.names(), *(path.name for path in (copy / "spool").iterdir())}
    opened, refused = set(), set()
    try:
        rows = [row for row in every_segment(old) if row.state == State.STORED and row.blob_name in there]
        stolen = Footage(old, _Early(), keys, copy / "spool", store, lambda _: None)
        for row in rows:
            camera_id, segment_id = CameraId(row.camera_id), SegmentId(row.id)
            permit = DecryptPermit(OperatorId(row.operator_id), camera_id)
            look = Look(camera_id, Span(0, 2**60), None, permit)
            try:
                sealed, index = stolen.segment(look, segment_id)
                stolen.read(look, sealed, index, range(len(index.entries)))
                opened.add(segment_id)
            except KeyIsDestroyed:
                refused.add(segment_id)
            except Refusal as refusal:
                hold(condition=False, what=f"a copied segment opens or its key is destroyed, but: {refusal.code}")
    finally:
        old.close()
    return opened, refused


class _Early:
    """A thief's clock: it stands so early that nothing has expired."""

    def now(self) -> datetime:
        return datetime(1971, 1, 1, tzinfo=UTC)

    def for_reading(self) -> datetime:
        return self.now()

    def for_destroying(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return 0.0


def _copy_if_there(source: str, target: str) -> str:
    try:
        return shutil.copy2(source, target)
    except FileNotFoundError:
        # Delivered or destroyed since the folder was listed.
        return ""
