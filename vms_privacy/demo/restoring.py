"""The step about a restore: an older database is told what has happened since, before it shows or records anything.

It is put back beside the running service, with copies of today's keyring, journal, spool and stores: what the replay
destroys is destroyed there.
"""

import shutil
from typing import Final
from uuid import UUID

from sqlalchemy import Engine

from archive.blobs.rules import DEFAULT_STORE
from archive.mandates import store as mandates
from archive.segments.rules import State
from vms_privacy.app import Assembly
from vms_privacy.custody.restoring import Restoring
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.theft import Copy, copy_if_there, copy_stores
from vms_privacy.demo.world import Operator, World, name_stores
from vms_privacy.ids import CameraId, MandateId, OperatorId, SegmentId
from vms_privacy.settings import Settings

_MANY: Final = 1000


def restore_forgets_nothing(world: World) -> Detail:
    """Put the copy of before the destruction back, replay the journal, release it; see what it knows then."""
    copy: Copy = world.kept["copy"]
    erased = _in_state(world.parts, State.ERASED)
    settings = _beside(world, copy)
    # With whatever is broken in the service that runs.
    parts = type(world.parts)(settings)
    try:
        yard = CameraId(UUID(world.north.cameras["yard"]))
        brought_back = erased & _in_state(parts, State.STORED)
        hold(brought_back, "the copy holds for kept what was destroyed since")
        hold(_may_record(parts, yard), "the copy says that an opt-in is in force that was withdrawn since")
        missing = _mandates(world.parts, world.north) - _mandates(parts, world.north)
        hold(missing, "the copy does not know of what two people have had destroyed since")
        Restoring(parts.journal, parts.clock, parts.randomness, parts.installation_id, _as_it_is).take_in(
            parts.db, settings.anchor
        )
        found = parts.custody.replay()
        parts.custody.release("the-story")
        left = brought_back - _in_state(parts, State.ERASED)
        hold(not left, f"what was destroyed since is destroyed in the copy too, but for {len(left)}")
        hold(not _may_record(parts, yard), "what was withdrawn since is withdrawn")
        forgotten = _mandates(world.parts, world.north) - _mandates(parts, world.north)
        hold(not forgotten, f"what two people have had destroyed stands again, but for {len(forgotten)}")
    finally:
        parts.journal.close()
        parts.db.close()
    return {
        "destroyed since and held for kept by the copy": len(brought_back),
        "of these kept after the replay": 0,
        "mandates brought back": len(missing),
        "unsettled": sorted({str(one.code) for one in found}),
    }


def _beside(world: World, copy: Copy) -> Settings:
    """Return the settings of an installation beside this one: the older database, and copies of all that is today's."""
    folder, today = world.folder / "restored", world.parts.settings
    data = folder / "data"
    data.mkdir(parents=True, mode=0o700)
    (folder / "stores").mkdir()
    # Stores before keys, keys before the journal: what is gone from the one is told of by the next.
    shutil.copytree(today.spool, data / "spool", copy_function=copy_if_there)
    copy_stores(world.parts.stores, folder / "stores")
    shutil.copytree(today.keyring, data / "keyring", copy_function=copy_if_there)
    for file in (today.journal, today.anchor, today.data_dir / "installation-id"):
        copy_if_there(str(file), str(data / file.name))
    return Settings(
        data_dir=data,
        database_url=copy.database,
        database_owner_url=copy.database,
        keyring_dir=data / "keyring",
        store="folder",
        archive_dir=folder / "stores" / DEFAULT_STORE,
        archive_region=today.default_store.region,
        stores_file=name_stores(folder, folder / "stores"),
        store_capacity_bytes=today.store_capacity_bytes,
    )


def _as_it_is(engine: Engine, schema: str) -> None:
    """Leave the schema alone: the copy was made by this very program."""


def _in_state(parts: Assembly, state: State) -> set[SegmentId]:
    return {SegmentId(row.id) for row in every_segment(parts.db) if row.state == state}


def _may_record(parts: Assembly, camera_id: CameraId) -> bool:
    with parts.db.reading() as session:
        return parts.ledger.permit(session, camera_id) is not None


def _mandates(parts: Assembly, operator: Operator) -> set[MandateId]:
    with parts.db.reading() as session:
        found = mandates.of_operator(session, OperatorId(UUID(operator.operator_id)), only_standing=False, most=_MANY)
    return {one.id for one in found}
