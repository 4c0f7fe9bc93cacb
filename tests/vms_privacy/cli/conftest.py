"""Where the command line's tests stand: nobody logged in, nothing installed, nothing answering, unless they say so."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("VMS_URL", "http://127.0.0.1:9")
