"""What the store's container does with its secrets, as a program in the gateway's place hears it."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.guards.sources import ROOT

SECRETS: Final = {
    f"store-{who}-{part}-key": f"{who}s-{part}" for who in ("admin", "service") for part in ("access", "secret")
}
LISTENS: Final = """#!/bin/sh
{ echo "call $*"; env; } >>"$0.heard"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The real script with its secrets in another place, and a program that only listens."""
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(f"{value}\n")
    text = (ROOT / "deploy/store.sh").read_text()
    assert "/run/secrets/" in text
    (tmp_path / "store.sh").write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    program = tmp_path / "versitygw"
    program.write_text(LISTENS)
    program.chmod(0o700)
    return tmp_path


def _run(folder: Path, word: str) -> int:
    environment = {"PATH": f"{folder}:{os.defpath}", "REGION": "eu-here-1"}
    return subprocess.run(["sh", folder / "store.sh", word], env=environment, timeout=30, check=False).returncode


def _heard(folder: Path) -> tuple[list[str], set[str]]:
    """Return each call's words, and everything that was in the environment."""
    lines = (folder / "versitygw.heard").read_text().splitlines()
    return [line for line in lines if line.startswith("call ")], set(lines)


def test_the_store_serves_by_tls_keeps_no_versions_and_has_no_secret_on_its_command_line(folder: Path) -> None:
    assert _run(folder, "serve") == 0
    [call], environment = _heard(folder)
    assert {"ROOT_ACCESS_KEY_ID=admins-access", "ROOT_SECRET_ACCESS_KEY=admins-secret"} <= environment
    assert not any(value in call for value in SECRETS.values())
    assert "--cert" in call
    assert "--region eu-here-1" in call
    assert "versioning" not in call


def test_the_service_gets_an_account_without_power_that_owns_one_bucket(folder: Path) -> None:
    assert _run(folder, "accounts") == 0
    calls, environment = _heard(folder)
    assert calls == [
        "call admin create-user --role user --access services-access --secret services-secret",
        "call admin create-bucket --owner services-access --bucket footage",
    ]
    assert "ADMIN_SECRET_ACCESS_KEY=admins-secret" in environment
    assert f"SSL_CERT_FILE={folder}/trusted-certificates" in environment, "it asks nobody whom it does not know"


def test_anything_else_is_refused(folder: Path) -> None:
    assert _run(folder, "shell") == 2
    assert not (folder / "versitygw.heard").exists()


def test_without_its_secrets_no_store_is_started(folder: Path) -> None:
    (folder / "store-admin-secret-key").unlink()
    assert _run(folder, "serve") != 0
    assert not (folder / "versitygw.heard").exists()
