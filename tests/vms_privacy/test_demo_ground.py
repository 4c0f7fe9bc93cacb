"""The story makes an installation of its own, and never over one that is there."""

from pathlib import Path

import pytest

from tests.given.databases import Databases
from vms_privacy.demo.ground import DatabaseIsUsed, refuse_used_database
from vms_privacy.demo.world import make_world
from vms_privacy.settings import Settings


def test_the_story_is_not_told_on_a_database_that_holds_something(databases: Databases, tmp_path: Path) -> None:
    empty = Settings(data_dir=tmp_path / "data", database_url=databases.empty(tmp_path))
    refuse_used_database(empty)
    used = Settings(data_dir=tmp_path / "data", database_url=databases.with_tables(tmp_path))
    with pytest.raises(DatabaseIsUsed) as refused:
        refuse_used_database(used)
    assert refused.value.code == "database-is-used"


def test_nothing_is_made_where_the_database_of_the_environment_is_used(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VMS_DATABASE_URL", databases.with_tables(tmp_path))
    with pytest.raises(DatabaseIsUsed), make_world(tmp_path / "story"):
        pass
    assert not (tmp_path / "story" / "data").exists()
