"""An installation is made once, whole, with nothing anybody could know; the service starts on nothing less."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.given.postgres import OWNER, SERVICE, Postgres, postgres
from tests.given.tampering import plainly
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Tag
from vms_privacy.db import Base, Database
from vms_privacy.db_guards import refused_acts
from vms_privacy.install import (
    AlreadyInitialised,
    DatabaseRoleMayRewrite,
    DataFolderIsNotPrivate,
    NotInitialised,
    SchemaIsOld,
    initialise,
    new_bootstrap_code,
    refuse_unless_ready,
)
from vms_privacy.keyring.rules import SIGNING
from vms_privacy.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def test_an_installation_is_whole_and_its_folders_are_its_owners_alone(settings: Settings) -> None:
    made = initialise(settings)
    refuse_unless_ready(settings)
    assert (settings.data_dir / "installation-id").read_text().strip() == made.installation_id
    for folder in (settings.data_dir, settings.keyring, settings.archive, settings.spool):
        assert folder.stat().st_mode & 0o777 == 0o700, folder.name


def test_an_empty_folder_that_was_there_before_becomes_its_owners_alone(settings: Settings) -> None:
    settings.data_dir.mkdir()
    settings.data_dir.chmod(0o755)
    initialise(settings)
    refuse_unless_ready(settings)
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777])
def test_a_folder_with_something_in_it_that_others_have_rights_to_is_refused_and_left_as_it_is(
    settings: Settings, mode: int
) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "left-by-somebody").touch()
    settings.data_dir.chmod(mode)
    with pytest.raises(DataFolderIsNotPrivate) as refused:
        initialise(settings)
    assert "chmod 700" in str(refused.value)
    assert settings.data_dir.stat().st_mode & 0o777 == mode
    assert [path.name for path in settings.data_dir.iterdir()] == ["left-by-somebody"]
    # With nobody else's rights it is taken as it is, such as a mounted disk with its `lost+found`.
    settings.data_dir.chmod(0o700)
    initialise(settings)


def test_another_users_folder_and_what_is_no_folder_are_refused(tmp_path: Path) -> None:
    foreign = Path("/")
    if os.geteuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir(mode=0o700)
        os.chown(foreign, 65534, 65534)
    with pytest.raises(DataFolderIsNotPrivate, match="another user"):
        initialise(Settings(data_dir=foreign, keyring_dir=tmp_path / "keys", archive_dir=tmp_path / "footage"))
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataFolderIsNotPrivate, match="is a file"):
        initialise(Settings(data_dir=file))


def test_no_file_of_the_database_can_be_read_by_others_whatever_the_umask_says(settings: Settings) -> None:
    before = os.umask(0)
    try:
        initialise(settings)
        db = Database(settings.url)
        with db.writing() as session, db.reading() as looking:
            # Both are open, so the journal and its index are there too.
            looking.execute(text("SELECT count(*) FROM person"))
            session.execute(text("UPDATE alembic_version SET version_num = version_num"))
            modes = {path.name: path.stat().st_mode & 0o777 for path in settings.data_dir.glob("vms-privacy.db*")}
        db.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("vms-privacy.db", "vms-privacy.db-wal", "vms-privacy.db-shm"), 0o600)


@pytest.mark.parametrize(("name", "mode"), [(".", 0o750), ("vms-privacy.db", 0o644)])
def test_nothing_starts_where_others_came_to_have_rights(settings: Settings, name: str, mode: int) -> None:
    initialise(settings)
    (settings.data_dir / name).chmod(mode)
    with pytest.raises(DataFolderIsNotPrivate, match="chmod"):
        refuse_unless_ready(settings)


def test_the_bootstrap_code_is_shown_once_and_kept_nowhere(settings: Settings) -> None:
    made = initialise(settings)
    assert made.bootstrap_code not in repr(made)
    held = [path for path in settings.data_dir.rglob("*") if path.is_file() and _holds(path, made.bootstrap_code)]
    assert held == []
    # The search would find it.
    (settings.data_dir / "note").write_text(made.bootstrap_code)
    assert _holds(settings.data_dir / "note", made.bootstrap_code)


def test_another_code_is_another_event_than_the_installation(settings: Settings) -> None:
    initialise(settings)
    new_bootstrap_code(settings)
    db = Database(settings.url)
    with db.reading() as session:
        tags = session.execute(text("SELECT tag FROM audit_event ORDER BY number")).scalars().all()
    db.close()
    assert tags[-2:] == [Tag.SERVICE_INITIALISED, Tag.BOOTSTRAP_CODE_RENEWED]
    assert tags.count(Tag.SERVICE_INITIALISED) == 1


def _holds(path: Path, text_: str) -> bool:
    return text_.encode() in path.read_bytes()


def test_there_is_no_account_and_no_secret_to_begin_with(settings: Settings) -> None:
    initialise(settings)
    db = Database(settings.url)
    with db.reading() as session:
        assert session.execute(text("SELECT count(*) FROM person")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM operator")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM enrolment_code")).scalar_one() == 1
    db.close()


def test_a_second_installation_is_never_made_over_the_first(settings: Settings) -> None:
    initialise(settings)
    with pytest.raises(AlreadyInitialised):
        initialise(settings)


def test_nothing_starts_where_nothing_was_installed(settings: Settings) -> None:
    with pytest.raises(NotInitialised):
        refuse_unless_ready(settings)


def test_nothing_starts_on_a_database_of_another_version(settings: Settings) -> None:
    initialise(settings)
    db = Database(settings.url)
    with db.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    db.close()
    with pytest.raises(SchemaIsOld):
        refuse_unless_ready(settings)


def test_a_new_bootstrap_code_voids_the_lost_one(settings: Settings) -> None:
    first = initialise(settings).bootstrap_code
    second = new_bootstrap_code(settings)
    assert first != second
    db = Database(settings.url)
    with db.reading() as session:
        living = session.execute(text("SELECT count(*) FROM enrolment_code WHERE used_at IS NULL")).scalar_one()
    db.close()
    assert living == 1


def test_two_installations_share_no_key(tmp_path: Path) -> None:
    keys = []
    for name in ("a", "b"):
        settings = Settings(data_dir=tmp_path / name)
        initialise(settings)
        keyring = Assembly(settings).keyring
        keys += [key.raw for purpose in SIGNING for key in keyring.public_keys(purpose)]
    assert len(set(keys)) == len(keys) == 2 * len(SIGNING)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as started:
        yield started


def test_on_postgresql_the_service_has_a_role_that_cannot_rewrite_what_is_only_ever_added(
    server: Postgres, tmp_path: Path
) -> None:
    name = server.create()
    owner, service = server.url(name), server.url(name, SERVICE)
    settings = Settings(data_dir=tmp_path / "data", database_url=service, database_owner_url=owner)
    initialise(settings)
    refuse_unless_ready(settings)
    db = Database(settings.url)
    tables = {table.name: refused_acts(table) for table in Base.metadata.sorted_tables if refused_acts(table)}
    assert {"audit_event", "audit_chain", "audit_checkpoint", "consent_entry", "receipt"} <= set(tables)
    assert tables["segment"] == {"TRUNCATE"}, "what is held is refused by row"
    for table, acts in tables.items():
        deleting = [f"DELETE FROM {table}"] if "DELETE" in acts else []
        for forbidden in (*deleting, f"TRUNCATE {table}", f"ALTER TABLE {table} DISABLE TRIGGER ALL"):
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                plainly(db, forbidden)
    with pytest.raises(ProgrammingError, match="permission denied"):
        plainly(db, "UPDATE audit_event SET reason = 'never happened'")
    assert plainly(db, "SELECT count(*) FROM audit_event") == [(1,)]
    db.close()


@pytest.mark.parametrize("role", [OWNER, "plain_owner"])
def test_on_postgresql_nothing_starts_with_a_role_that_may_rewrite_or_take_that_right(
    server: Postgres, tmp_path: Path, role: str
) -> None:
    """Whoever owns the tables gives every right to itself, or takes the triggers off."""
    name = server.create()
    with server.connected() as connection:
        if role != OWNER:
            connection.execute("CREATE ROLE plain_owner LOGIN")
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO plain_owner").format(sql.Identifier(name)))
    service, owner = server.url(name, SERVICE), server.url(name, role)
    settings = Settings(data_dir=tmp_path / "data", database_url=service, database_owner_url=owner)
    initialise(settings)
    refuse_unless_ready(settings)
    with pytest.raises(DatabaseRoleMayRewrite):
        refuse_unless_ready(Settings(data_dir=tmp_path / "data", database_url=owner))


def test_on_postgresql_one_role_for_all_is_refused_before_anything_is_made(server: Postgres, tmp_path: Path) -> None:
    name = server.create()
    service, owner = server.url(name, SERVICE), server.url(name)
    with pytest.raises(DatabaseRoleMayRewrite, match="VMS_DATABASE_OWNER_URL"):
        initialise(Settings(data_dir=tmp_path / "data", database_url=owner))
    initialise(Settings(data_dir=tmp_path / "data", database_url=service, database_owner_url=owner))
