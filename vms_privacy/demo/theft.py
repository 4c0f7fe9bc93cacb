"""A thief in the story: older copies of database and stores, today's keyring, our own code, and nobody who is asked."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from archive.blobs.folder_store import FolderStore
from archive.blobs.router import StoreRouter
from archive.blobs.store import BlobStore
from archive.keys.rules import DecryptPermit
from archive.keys.wrap import SegmentKeys
from archive.playback.opening import Look
from archive.playback.service import Footage
from archive.segments.rules import Span, State
from archive.segments.store_names import RowStores
from vms_privacy.demo.copies import copy_database, opened
from vms_privacy.demo.rows import every_segment, read_whole
from vms_privacy.demo.story import hold
from vms_privacy.demo.world import World
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed


@dataclass(frozen=True, slots=True)
class Copy:
    """What was taken at one moment: the database's address, and a folder with the spool and every store."""

    database: str
    folder: Path

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def stores(self) -> Mapping[str, FolderStore]:
        """Return every store of the copy by its name; whatever each was, it is in folders now."""
        return {path.name: FolderStore(path) for path in (self.folder / "stores").iterdir()}


def take_copy(world: World) -> Copy:
    """Copy database, spool and stores while the service works, over any copy before."""
    copy = Copy(copy_database(world, "older"), world.folder / "older-copy")
    if copy.folder.exists():
        shutil.rmtree(copy.folder)
    (copy.folder / "stores").mkdir(parents=True)
    # In this order: what is delivered meanwhile goes from the one to the other.
    shutil.copytree(world.parts.settings.spool, copy.spool, copy_function=copy_if_there)
    copy_stores(world.parts.stores, copy.folder / "stores")
    return copy


def copy_stores(stores: Mapping[str, BlobStore], to: Path) -> None:
    """Copy every blob of every store into a folder of the store's name."""
    for name, store in stores.items():
        copied = FolderStore.create(to / name)
        for blob in store.names():
            data = read_whole(store, blob)
            if data is not None:
                copied.put(blob, BytesIO(data), len(data))


def open_all(world: World, copy: Copy) -> tuple[set[SegmentId], set[SegmentId]]:
    """Return what of a copy opens with today's keyring, and what does not because its key is destroyed.

    Raises DoesNotHold if something is kept from opening by anything else.
    """
    keys = SegmentKeys(world.parts.keyring, world.randomness, world.clock)
    opened_ids, refused = set(), set()
    with opened(copy.database) as old:
        store = StoreRouter(copy.stores, RowStores(old))
        there = {*store.names(), *(path.name for path in copy.spool.iterdir())}
        rows = [row for row in every_segment(old) if row.state == State.STORED and row.blob_name in there]
        stolen = Footage(old, _Early(), keys, copy.spool, store, lambda _: None)
        for row in rows:
            camera_id, segment_id = CameraId(row.camera_id), SegmentId(row.id)
            permit = DecryptPermit(OperatorId(row.operator_id), camera_id)
            look = Look(camera_id, Span(0, 2**60), None, permit)
            try:
                sealed, index = stolen.segment(look, segment_id)
                stolen.read(look, sealed, index, range(len(index.entries)))
                opened_ids.add(segment_id)
            except KeyIsDestroyed:
                refused.add(segment_id)
            except Refusal as refusal:
                hold(condition=False, what=f"a copied segment opens or its key is destroyed, but: {refusal.code}")
    return opened_ids, refused


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


def copy_if_there(source: str, target: str) -> str:
    """Copy a file, unless it was moved or destroyed since its folder was listed."""
    try:
        return shutil.copy2(source, target)
    except FileNotFoundError:
        return ""
