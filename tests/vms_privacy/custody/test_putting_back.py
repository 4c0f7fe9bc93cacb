"""A copy of the database: made of a running service, read strictly, and put in place of a lost one or not at all."""

import io
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from archive.segments.rules import State
from tests.given.clock import HandClock
from tests.given.databases import Databases
from tests.given.footage import House
from tests.given.restored import (
    INSTALLATION,
    custody_of,
    gone_on_with,
    killed_at,
    put_in_place_until_killed,
    restoring_of,
)
from tests.given.rows import every
from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.errors import ChainIsBroken
from vms_privacy.audit.sealer import Sealer
from vms_privacy.cli.files import new_file
from vms_privacy.custody.copying import Copies, Source, unpack
from vms_privacy.custody.errors import (
    CopiedElsewhere,
    CopyIsDamaged,
    CopyIsForeign,
    CopyIsNewer,
    JournalDoesNotReachCopy,
)
from vms_privacy.custody.restoring import Places, Restoring
from vms_privacy.custody.rules import Manifest, Step, read_manifest
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness
from vms_privacy.journal.journal import Journal, JournalIsDamaged
from vms_privacy.journal.rules import JournalKind
from vms_privacy.migrations import migrate, revision_of


@dataclass
class World:
    """A house with a segment in it, a copy of its database, and another segment since."""

    url: str
    folder: Path
    clock: HandClock
    copy: Path
    places: Places
    manifest: Manifest


def _sealer(house: House) -> Sealer:
    return Sealer(house.db, house.keyring, house.clock, Anchor(house.folder / "anchor"))


def _source(house: House, installation: str = INSTALLATION) -> Source:
    return Source(house.db, house.folder / "journal", installation, "0.1.0", revision_of(house.db.engine))


def _copied(house: House, to: Path, installation: str = INSTALLATION) -> Manifest:
    with new_file(to) as file:
        made = Copies(house.audit, house.clock, house.randomness)
        return made.make(_source(house, installation), house.folder / "scratch", file)


@pytest.fixture
def sqlite_only(request: pytest.FixtureRequest) -> None:
    """A server copies its own database; that it is refused here has a test of its own."""
    if request.config.getoption("--database") != "sqlite":
        pytest.skip("a server's database is copied by its own tools")


@pytest.fixture
def world(sqlite_only: None, databases: Databases, tmp_path: Path) -> World:
    url = databases.empty(tmp_path, "vms-privacy")
    with closing(Database(url)) as db:
        migrate(db.engine)
        house = House(db, HandClock(), tmp_path)
        house.opt_in()
        house.keep_for(timedelta(hours=50))
        house.record(2)
        sealer = _sealer(house)
        sealer.seal_once()
        sealer.checkpoint_once()
        manifest = _copied(house, tmp_path / "copy.tar")
        house.record(2)
        house.withdraw()
        sealer.seal_once()
        sealer.checkpoint_once()
        house.delivery.deliver()
        house.kill()
    places = Places(tmp_path / "vms-privacy.db", tmp_path / "anchor")
    return World(url, tmp_path, house.clock, tmp_path / "copy.tar", places, manifest)


def _lose(world: World) -> None:
    for ending in ("", "-wal", "-shm"):
        (world.folder / f"vms-privacy.db{ending}").unlink(missing_ok=True)


def _put_back(world: World, journal: Journal) -> Path | None:
    restoring = Restoring(journal, world.clock, SystemRandomness(), INSTALLATION, lambda engine, _: migrate(engine))
    with world.copy.open("rb") as file:
        return restoring.put_in_place(file, world.places).aside


def _is_in_custody(world: World, segments: int) -> None:
    with gone_on_with(world.url, world.folder, world.clock.now()) as house:
        assert custody_of(house).state() is not None
        assert len(house.rows()) == segments
        custody_of(house).replay()
        with house.db.reading() as session:
            assert house.ledger.permit(session, house.camera.camera_id) is None
        custody_of(house).release("ticket-17")
        house.revive()
        sealer = _sealer(house)
        sealer.seal_once()
        sealer.checkpoint_once()
        left = house.mend(house.check().findings).left
        assert [str(one) for one in left] == []
        assert house.is_in_order


def test_a_copy_put_in_place_of_a_lost_database_is_in_custody_and_withdrawn_is_withdrawn(world: World) -> None:
    _lose(world)
    with closing(Journal(world.folder / "journal", world.clock)) as journal:
        assert _put_back(world, journal) is None
        told = [one.facts for one in journal.entries() if one.kind is JournalKind.DATABASE_RESTORED]
    assert told[0]["backup"] == str(world.manifest.backup_id)
    assert told[0]["copied_number"] == world.manifest.journal_number
    _is_in_custody(world, segments=1)


def test_the_present_database_is_set_aside_whole_and_not_destroyed(world: World) -> None:
    with closing(Journal(world.folder / "journal", world.clock)) as journal:
        aside = _put_back(world, journal)
    assert aside is not None
    with closing(Database(f"sqlite:///{aside}")) as db, db.reading() as session:
        assert len(every(session)) == 2
    _is_in_custody(world, segments=1)


def test_the_audit_goes_on_from_what_the_copy_knows_and_the_whole_anchor_is_kept(world: World) -> None:
    before = list(Anchor(world.places.anchor).lines())
    _lose(world)
    with closing(Journal(world.folder / "journal", world.clock)) as journal:
        _put_back(world, journal)
    assert list(Anchor(world.places.anchor).lines()) == before[:1]
    (whole,) = world.folder.glob("anchor-until-*")
    assert list(Anchor(whole).lines()) == before
    with gone_on_with(world.url, world.folder, world.clock.now()) as house:
        _sealer(house).seal_once()
        assert _sealer(house).checkpoint_once() is not None


def test_an_older_database_that_nobody_takes_into_custody_is_noticed_by_the_audit(world: World) -> None:
    _lose(world)
    with world.copy.open("rb") as file:
        unpack(file, world.places.database)
    with gone_on_with(world.url, world.folder, world.clock.now()) as house, pytest.raises(ChainIsBroken):
        _sealer(house).seal_once()


@pytest.mark.parametrize("step", [one for one in Step if one <= Step.IN_PLACE])
@pytest.mark.parametrize("is_lost", [True, False])
def test_killed_between_any_two_steps_there_is_the_database_before_or_none_or_one_in_custody(
    world: World, step: Step, is_lost: bool
) -> None:
    if is_lost:
        _lose(world)
    given = (world.copy, world.places, world.folder / "journal", world.clock.now())
    with killed_at(step, put_in_place_until_killed, *given):
        pass
    there = world.places.database.exists()
    if step is Step.IN_PLACE:
        assert there
    elif step is Step.SET_ASIDE or is_lost:
        assert not there
    else:
        with closing(Database(world.url)) as db, db.reading() as session:
            assert len(every(session)) == 2
    if step is not Step.IN_PLACE:
        with closing(Journal(world.folder / "journal", world.clock)) as journal:
            _put_back(world, journal)
    _is_in_custody(world, segments=1)


def test_a_copy_holds_no_key_no_footage_and_nothing_that_was_deleted(world: World) -> None:
    octets = world.copy.read_bytes()
    with tarfile.open(world.copy) as packed:
        assert packed.getnames() == ["manifest.json", "database.sqlite3"]
    for sealed in (world.folder / "archive").rglob("*"):
        if sealed.is_file() and sealed.stat().st_size > 64:
            assert sealed.read_bytes()[:64] not in octets
    for key in (world.folder / "keyring").rglob("*"):
        if key.is_file() and key.stat().st_size >= 32:
            assert key.read_bytes()[-32:] not in octets
    # The control: what is in the database is found so.
    assert b"north-gate" in octets
    assert world.copy.stat().st_mode & 0o077 == 0


def _changed(world: World, change: str) -> bytes:
    octets = bytearray(world.copy.read_bytes())
    match change:
        case "cut":
            return bytes(octets[: len(octets) // 2])
        case "empty":
            return b""
        case "text":
            return b"this is no copy"
        case "flipped":
            octets[-20_000] ^= 1
            return bytes(octets)
        case "flipped-manifest":
            octets[600] ^= 1
            return bytes(octets)
        case "more":
            made = io.BytesIO(bytes(octets))
            with tarfile.open(fileobj=made, mode="a:") as packed:
                packed.addfile(tarfile.TarInfo("more"), io.BytesIO())
            return made.getvalue()
    raise AssertionError(change)


@pytest.mark.parametrize("change", ["cut", "empty", "text", "flipped", "flipped-manifest", "more"])
def test_a_copy_that_is_not_as_it_was_written_is_refused_and_nothing_is_touched(world: World, change: str) -> None:
    world.copy.write_bytes(_changed(world, change))
    with closing(Journal(world.folder / "journal", world.clock)) as journal:
        head = journal.head
        with pytest.raises(CopyIsDamaged):
            _put_back(world, journal)
        assert journal.head == head
    with closing(Database(world.url)) as db, db.reading() as session:
        assert len(every(session)) == 2
    assert list(world.folder.glob("*.copy*")) == []


def test_a_copy_of_another_installation_or_a_newer_program_or_beyond_the_journal_is_refused(world: World) -> None:
    with gone_on_with(world.url, world.folder, world.clock.now()) as house:
        foreign = world.folder / "foreign.tar"
        _copied(house, foreign, "installation-2")
        with foreign.open("rb") as file, pytest.raises(CopyIsForeign):
            restoring_of(house).put_in_place(file, world.places)

        def refuse(_: Engine, revision: str) -> None:
            raise CopyIsNewer(revision)

        newer = Restoring(house.journal, house.clock, house.randomness, INSTALLATION, refuse)
        with world.copy.open("rb") as file, pytest.raises(CopyIsNewer):
            newer.put_in_place(file, world.places)
        assert list(world.folder.glob("*.copy*")) == []
    (world.folder / "journal").rename(world.folder / "journal-lost")
    with closing(Journal(world.folder / "journal", world.clock)) as begun_anew:
        with pytest.raises(JournalDoesNotReachCopy):
            _put_back(world, begun_anew)


def test_no_copy_is_made_while_the_journal_is_not_as_it_was_written(world: World) -> None:
    with gone_on_with(world.url, world.folder, world.clock.now()) as house:
        journal = world.folder / "journal"
        octets = bytearray(journal.read_bytes())
        octets[100] ^= 1
        journal.write_bytes(octets)
        with pytest.raises(JournalIsDamaged):
            _copied(house, world.folder / "another.tar")


def test_a_servers_database_is_left_to_its_own_tools(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> None:
    if request.config.getoption("--database") != "postgresql":
        pytest.skip("SQLite has no server")
    with closing(Database(databases.with_tables(tmp_path))) as db:
        house = House(db, HandClock(), tmp_path)
        with pytest.raises(CopiedElsewhere, match="pg_dump"):
            _copied(house, tmp_path / "copy.tar")
        house.kill()


def test_a_copy_says_what_it_is_and_a_manifest_is_read_as_it_was_written_alone(world: World) -> None:
    assert read_manifest(world.manifest.text()) == world.manifest
    for wrong in (
        replace(world.manifest, sha256="0"),
        replace(world.manifest, journal_number=-1),
        replace(world.manifest, schema="../9"),
        replace(world.manifest, installation_id=""),
    ):
        with pytest.raises(ValueError):
            read_manifest(wrong.text())
    with pytest.raises(ValueError):
        read_manifest(world.manifest.text().replace(b"vms-privacy-backup-v1", b"vms-privacy-backup-v2"))
    with pytest.raises(ValueError):
        read_manifest(world.manifest.text() + b" ")


def test_the_copy_is_of_one_moment_while_others_write(world: World) -> None:
    with tarfile.open(world.copy) as packed:
        taken = packed.extractfile("database.sqlite3")
        assert taken is not None
        (world.folder / "looked-at.db").write_bytes(taken.read())
    with closing(sqlite3.connect(world.folder / "looked-at.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT state FROM segment").fetchall() == [(str(State.STORED),)]
