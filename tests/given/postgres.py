"""A throw-away PostgreSQL: a real server on a socket of its own.

It is a child that ends with this process, however that ends; as root it runs as `nobody`. One serves a whole test
session: a test takes a database of its own. Debian has it in postgresql.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.given.nobody import as_nobody, give_to_nobody
from tests.given.tools import missing
from vms_privacy.clock import SystemClock

PROGRAMS: Final = ("initdb", "postgres")
OWNER: Final = "test"
SERVICE: Final = "service"
"""A role that owns nothing, as the service's own."""
_DEADLINE_S: Final = 30.0
_SETTINGS: Final[dict[str, str]] = {
    # Nothing outlives its test, so no flush is waited for.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "listen_addresses": "",
}


class Postgres:
    """One server. Starts in half a second; `stop` ends it. What `kill` interrupts goes on with `start`."""

    def __init__(self, programs: Path, *, keeps_commits: bool = False, durable: bool = False) -> None:
        # The path of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self._numbers = count(1)
        self._postgres = str(programs / "postgres")
        # What the server has not handed to the system dies with it.
        self._settings = _SETTINGS | ({"synchronous_commit": "on"} if keeps_commits else {})
        if durable:
            # As it comes, with the memory that its manual asks for.
            self._settings = {name: _SETTINGS[name] for name in ("max_connections", "listen_addresses")}
            self._settings["shared_buffers"] = "1GB"
        give_to_nobody(self.folder)
        made = ["-D", str(self._data), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        self._environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
        initdb = as_nobody(str(programs / "initdb"), *made)
        subprocess.run(
            initdb, check=True, capture_output=True, env=self._environment, cwd=self.folder, timeout=_DEADLINE_S
        )
        self.start()
        try:
            self._execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(SERVICE)))
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        """Serve, at once or again, and return when it answers."""
        given = {**self._settings, "unix_socket_directories": str(self.folder)}
        settings = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            # SIGINT: connections are broken off, and the server ends at once.
            served = as_nobody(self._postgres, "-D", str(self._data), *settings, ends_by="INT")
            self._server = subprocess.Popen(
                served,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def kill(self) -> None:
        """Kill the server and all of its children, as a machine does that loses its power."""
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait(_DEADLINE_S)

    def url(self, database: str, role: str = OWNER) -> str:
        """SQLAlchemy's address of a database."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """Make a database; return its name."""
        name = f"test_{next(self._numbers)}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._execute(made.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        """Remove a database, and end whoever is still in it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """End the server and remove all of it."""
        if self._server.poll() is None:
            self._server.send_signal(signal.SIGINT)
        self._server.wait(_DEADLINE_S)
        shutil.rmtree(self.folder)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @contextmanager
    def connected(self, name: str = "postgres") -> Iterator[psycopg.Connection]:
        """Be connected to a database, past SQLAlchemy, each statement a transaction of its own."""
        with psycopg.connect(f"user={OWNER} dbname={name} host={self.folder}", autocommit=True) as connection:
            yield connection

    def _execute(self, statement: sql.Composed) -> None:
        with self.connected() as connection:
            connection.execute(statement)

    def _wait(self) -> None:
        clock = SystemClock()
        until_s = clock.monotonic() + _DEADLINE_S
        while True:
            try:
                self._execute(sql.SQL("SELECT 1").format())
            except psycopg.OperationalError:
                if self._server.poll() is not None or clock.monotonic() > until_s:
                    raise ChildProcessError((self.folder / "log").read_text()) from None
            else:
                return


@contextmanager
def postgres(*, keeps_commits: bool = False, durable: bool = False) -> Iterator[Postgres]:
    """Start a server for a session fixture; skip, or fail in CI, where PostgreSQL is missing."""
    programs = _programs()
    if programs is None:
        missing("postgres and initdb (Debian: postgresql)")
    server = Postgres(programs, keeps_commits=keeps_commits, durable=durable)
    try:
        yield server
    finally:
        server.stop()


def _programs() -> Path | None:
    """Where the newest server is installed. Debian keeps it off the path; what is on the path may be a link."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    return next((one for one in folders if all(os.access(one / name, os.X_OK) for name in PROGRAMS)), None)
