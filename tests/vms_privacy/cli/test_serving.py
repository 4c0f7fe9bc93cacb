"""The real command in a process of its own: what `serve` says, and how it says that it cannot."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import select

from tests.given.site import until
from tests.guards.sources import ROOT
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.db import Database
from vms_privacy.install import initialise
from vms_privacy.settings import Settings

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

COMMAND: Final = (sys.executable, "-c", "from vms_privacy.cli import main; main()")
DEADLINE_S: Final = 30


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    initialise(Settings(data_dir=tmp_path / "data"))
    return tmp_path / "data"


def _environment(folder: Path, **settings: object) -> dict[str, str]:
    told = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "VMS_DATA_DIR": str(folder), "VMS_PORT": "0"}
    return told | {name: str(value) for name, value in settings.items()}


def _refused(environment: Mapping[str, str], *words: str) -> tuple[int, str, str]:
    """Run a command that cannot start; return its exit code, and both outputs."""
    ran = subprocess.run(
        [*COMMAND, *words], check=False, env=dict(environment), capture_output=True, text=True, timeout=DEADLINE_S
    )
    return ran.returncode, ran.stdout, ran.stderr


def test_serve_says_where_it_is_and_what_to_do_next(installed: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "serve", "--json"], env=_environment(installed), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            told = _document(process)
            with urllib.request.urlopen(f"{told['url']}/healthz", timeout=DEADLINE_S) as answer:
                assert answer.status == 200
            assert told["next"] == [f"vms-privacy operator setup --url {told['url']}"]
        finally:
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=DEADLINE_S)
    assert rest == b""


def test_serve_speaks_to_people_on_standard_error(installed: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, "serve"], env=_environment(installed), stdout=subprocess.PIPE, stderr=file
        )
    try:
        until(lambda: "Ctrl-C stops it." in log.read_text(), "it says that it serves", DEADLINE_S)
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert out == b""
    assert "next: vms-privacy operator setup" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_port_in_use_is_a_sentence(installed: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = _environment(installed, VMS_PORT=listener.getsockname()[1])
        code, out, err = _refused(environment, "serve")
    assert (code, out) == (5, "")
    assert "cannot-listen: something else listens on 127.0.0.1:" in err
    assert "Traceback" not in err
    # A service that never came to listen was never started.
    assert _started(installed) == 0


def test_a_service_that_listens_is_in_the_audit(installed: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "serve", "--json"], env=_environment(installed), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        _document(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)
    assert _started(installed) == 1


def test_an_address_of_another_machine_is_a_sentence(installed: Path) -> None:
    code, _, err = _refused(_environment(installed, VMS_HOST="192.0.2.1", VMS_BEHIND_PROXY="true"), "serve")
    assert code == 5
    assert "cannot-listen: this machine has no address 192.0.2.1" in err


def test_a_public_address_without_tls_is_a_sentence(installed: Path) -> None:
    code, out, err = _refused(_environment(installed, VMS_HOST="0.0.0.0"), "serve")
    assert (code, out) == (2, "")
    assert err.startswith("settings-are-wrong: host 0.0.0.0 can be reached from outside")
    assert "Traceback" not in err


def test_a_wrong_data_folder_is_a_sentence(tmp_path: Path) -> None:
    code, out, err = _refused(_environment(tmp_path / "elsewhere"), "serve")
    assert (code, out) == (5, "")
    assert err.startswith(f"not-initialised: there is no installation in {tmp_path / 'elsewhere'}")


def test_what_fails_while_the_service_starts_is_a_sentence_with_a_next_step(installed: Path) -> None:
    spool = Settings(data_dir=installed).spool
    spool.rmdir()
    code, out, err = _refused(_environment(installed), "serve")
    assert (code, out) == (4, "")
    assert err.startswith(f"no-such-file: {spool}: ")
    assert "next: " in err
    assert "Traceback" not in err
    assert _started(installed) == 0


def test_a_damaged_database_is_a_sentence(installed: Path) -> None:
    for file in installed.glob("vms-privacy.db*"):
        file.unlink()
    (installed / "vms-privacy.db").write_bytes(b"this is no database" * 1000)
    (installed / "vms-privacy.db").chmod(0o600)
    code, out, err = _refused(_environment(installed), "serve")
    assert (code, out) == (6, "")
    assert err.startswith("database-is-damaged: ")
    assert "Traceback" not in err


def _started(installed: Path) -> int:
    """Count what the audit says of services that started."""
    db = Database(Settings(data_dir=installed).url)
    try:
        with db.reading() as session:
            tags = session.execute(select(EventRow.tag)).scalars().all()
    finally:
        db.close()
    return tags.count(Tag.SERVICE_STARTED)


def _document(process: "subprocess.Popen[bytes]") -> Any:
    """Read standard output until it is one document; it stays open behind it."""
    assert process.stdout is not None
    text = b""
    while line := process.stdout.readline():
        text += line
        if line == b"}\n":
            break
    return json.loads(text)
