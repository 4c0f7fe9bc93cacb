"""The whole story on a real PostgreSQL, a real bucket that keeps versions and a real token, all three at once.

Afterwards the canary of the cameras' pictures is searched for in every file, table, log and object there is, and then
planted in each kind of place and searched for again.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from archive.blobs.rules import MARK
from tests.given.canary import Everything, Looks
from tests.given.postgres import postgres
from tests.given.real_parts import RealParts, real_parts
from tests.given.rgw import started
from tests.given.softhsm import SoftHsm
from tests.guards.sources import ROOT

DEADLINE_S = 240.0
_SERVERS = ("files of PostgreSQL", "files of the token")

pytestmark = [pytest.mark.story, pytest.mark.timeout(DEADLINE_S + 60)]


@dataclass(frozen=True)
class Played:
    """A story that was told on real parts, and what there is after it."""

    parts: RealParts
    folder: Path
    log: Path
    told: dict[str, Any]
    databases: set[str]
    segments: dict[str, int]
    objects: set[str | None]

    @property
    def canaries(self) -> list[bytes]:
        return [bytes.fromhex(one) for one in self.told["canaries"]]

    @property
    def steps(self) -> dict[str, Any]:
        return {step["name"]: step for step in self.told["story"]["steps"]}


@pytest.fixture(scope="module")
def played(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Tell it once, as a process of its own, with everything that it leaves behind in one folder."""
    folder = tmp_path_factory.mktemp("real-parts")
    (folder / "story" / "tmp").mkdir(parents=True)
    # Servers of this story's own: their files are searched, and one has to end for that.
    with contextmanager(started)() as rgw, postgres() as server:
        parts = real_parts(server, rgw, softhsm, folder)
        with (folder / "service.log").open("wb") as log:
            ran = subprocess.run(
                [sys.executable, "-m", "tests.stories.whole_story", str(folder / "story")],
                env={"PATH": os.defpath, "TMPDIR": str(folder / "story" / "tmp"), **parts.environment},
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=DEADLINE_S,
                check=False,
            )
        assert ran.returncode == 0, (folder / "service.log").read_text()[-2000:]
        # Looked at before any test plants something.
        with server.connected(parts.database) as connection:
            databases = {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}
            states = connection.execute("SELECT state, count(*) FROM segment GROUP BY state").fetchall()
        found = rgw.raw().list_objects(parts.bucket, recursive=True, include_version=True)
        objects = {one.object_name for one in found}
        told = json.loads(ran.stdout)
        yield Played(parts, folder / "story", folder / "service.log", told, databases, dict(states), objects)


def test_every_step_of_the_story_holds_on_a_server_a_bucket_and_a_token_at_once(played: Played) -> None:
    for name, step in played.steps.items():
        sys.stdout.write(f"{name}: {step['seconds']} s {json.dumps(step['detail'])}\n")
    assert [name for name, step in played.steps.items() if not step["ok"]] == []
    assert played.told["parts"] == {"database": "postgresql", "store": "S3Store", "keyring": "Pkcs11Keyring"}
    # It was they that kept what the story is about, and no file beside them.
    assert not list((played.folder / "data").glob("*.db"))
    assert not (played.folder / "data" / "archive").exists()
    assert played.segments["stored"]
    assert played.segments["erased"]
    assert played.databases == {"postgres", "template0", "template1", played.parts.database}, "copies went with it"
    assert played.objects > {MARK}
    told = played.steps["everything-is-accounted-for"]["detail"]
    assert told["findings"] == 0


def test_no_file_table_log_or_object_holds_a_canary_and_one_planted_in_each_is_found(played: Played) -> None:
    assert played.steps["live-leaves-nothing"]["detail"]["canaries in them"] > 25, "they were in what was watched"
    everything, looks = Everything(played.parts, played.folder, played.log), Looks(played.canaries)
    assert everything.places(looks) == set()
    searched = everything.bytes_searched
    planted = everything.plant(played.canaries[0])
    found = everything.places(looks)
    assert planted <= found
    by_kind = {kind: {one for one in found - planted if one.startswith(kind)} for kind in _SERVERS}
    assert all(by_kind.values()), by_kind
    assert any("pg_wal" in one for one in found), found
    assert any("/base/" in one for one in found), found
    assert found - planted == {one for places in by_kind.values() for one in places}
    played.parts.rgw.lay_down()
    assert everything.places_in_the_stores_files(looks)
    # Of its own objects the planted one alone is in clear: the other canaries are nowhere.
    assert everything.places_in_the_stores_files(Looks(played.canaries[1:])) == set()
    sys.stdout.write(f"{searched} bytes searched; found when planted: {sorted(found)}\n")
