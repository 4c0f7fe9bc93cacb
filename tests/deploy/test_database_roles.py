"""The two roles that the database's container makes are the two that the service wants."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.postgres import OWNER, Postgres, postgres
from tests.given.tools import missing
from tests.guards.deployment import compose_of
from tests.guards.sources import ROOT
from vms_privacy.install import DatabaseRoleMayRewrite, initialise, refuse_unless_ready
from vms_privacy.settings import Settings

pytestmark = pytest.mark.needs("psql")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A server of its own, because roles are all databases'; the real file was run on it."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for role in ("owner", "service"):
        (secrets / f"database-{role}-password").write_text(f"it's {role}\n")
    text = (ROOT / "deploy/database-roles.sql").read_text()
    assert text.count("/run/secrets/") == 2
    with postgres() as made:
        command = [shutil.which("psql") or "", "-X", "-q", "-h", str(made.folder), "-U", OWNER, "-d", "postgres"]
        text = text.replace("/run/secrets/", f"{secrets}/")
        said = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=True)
        assert said.stdout + said.stderr == ""
        yield made


def _settings(server: Postgres, folder: Path, role: str) -> Settings:
    return Settings(
        data_dir=folder / "data",
        database_url=server.url("privacy", role),
        database_owner_url=server.url("privacy", "privacy_owner"),
    )


def test_an_installation_is_made_with_the_one_and_runs_with_the_other(server: Postgres, tmp_path: Path) -> None:
    settings = _settings(server, tmp_path, "privacy_service")
    initialise(settings)
    refuse_unless_ready(settings)
    with pytest.raises(DatabaseRoleMayRewrite):
        refuse_unless_ready(_settings(server, tmp_path, "privacy_owner"))


NO_ANSWER, NOT_EVEN_ASKED = 2, 3


@pytest.mark.needs("pg_isready", "setpriv")
def test_the_databases_health_is_asked_by_a_user_that_has_no_name(tmp_path: Path) -> None:
    """The container's user is a number: a client that looks for its name would never ask, nor call anything well."""
    if os.geteuid() != 0:
        missing("the rights of root, to become another user")
    database = compose_of((ROOT / "docker-compose.yml").read_text())["services"]["database"]
    how, *words = database["healthcheck"]["test"]
    user, _, group = database["user"].partition(":")
    drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--"]
    nowhere = [f"--host={tmp_path}/nowhere" if word.startswith("--host=") else word for word in words]
    nameless = [word for word in nowhere if not word.startswith("--username=")]
    ended = [subprocess.run([*drop, *asked], timeout=30, check=False).returncode for asked in (nowhere, nameless)]
    assert (how, ended) == ("CMD", [NO_ANSWER, NOT_EVEN_ASKED])


def test_each_role_has_its_password_and_no_further_power(server: Postgres) -> None:
    asked = (
        "SELECT rolname, rolpassword LIKE 'SCRAM-SHA-256$%', rolsuper OR rolcreaterole OR rolcreatedb OR "
        "rolreplication OR rolbypassrls FROM pg_authid WHERE rolname LIKE 'privacy%' ORDER BY rolname"
    )
    with server.connected() as connection:
        assert connection.execute(asked.encode()).fetchall() == [
            ("privacy_owner", True, False),
            ("privacy_service", True, False),
        ]
    assert "it's" not in (server.folder / "log").read_text(), "no password is in the server's log"
