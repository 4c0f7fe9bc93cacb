"""A service whose database is in custody, and the commands that put it there and release it."""

import threading
from pathlib import Path

import httpx
import pytest

from tests.given.ports import free_port
from tests.vms_privacy.cli.typed import NO_BACKUP, Said, say
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.tables import EventRow
from vms_privacy.cli.files import new_file
from vms_privacy.custody.copying import Copies, Source
from vms_privacy.db import Database
from vms_privacy.http.custody import STILL_ANSWERED
from vms_privacy.journal.journal import read_journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.migrations import migrate
from vms_privacy.serve import Running
from vms_privacy.settings import Settings

Capture = pytest.CaptureFixture[str]
DEADLINE_S = 20.0
_PATHS = (
    "/api/v1/operators",
    "/api/v1/session",
    "/yard/gate/index.m3u8",
    "/openapi.json",
    "/",
    "/.well-known/jwks.json",
)


class Place:
    """An installation, its copy, and commands on it."""

    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.folder, self.capsys = folder, capsys
        self.data_dir, self.copy = folder / "data", folder / "copy.tar"

    def say(self, *words: object) -> Said:
        return say(self.capsys, *words, "--json")

    def lose_the_database(self) -> None:
        for lost in self.data_dir.glob("vms-privacy.db*"):
            lost.unlink()

    def tags(self) -> list[int]:
        parts = Assembly(Settings())
        with parts.db.reading() as session:
            found = [row.tag for row in session.query(EventRow).order_by(EventRow.number)]
        parts.db.close()
        return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Place:
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VMS_PORT", str(free_port()))
    made = Place(tmp_path, capsys)
    assert made.say("init", *NO_BACKUP).code == 0
    assert made.say("backup", made.copy).code == 0
    return made


class Serving:
    """The service as it is, on a thread of its own."""

    def __init__(self) -> None:
        self.parts = Assembly(Settings())
        self.running = Running(self.parts)
        self._thread = threading.Thread(target=self.running.serve, daemon=True)

    def __enter__(self) -> httpx.Client:
        self._thread.start()
        assert self.running.is_up.wait(DEADLINE_S)
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.running.port}", trust_env=False)
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.running.stop()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self.parts.journal.close()
        self.parts.db.close()


def test_in_custody_nobody_comes_in_and_nothing_runs_that_touches_footage(place: Place) -> None:
    place.lose_the_database()
    assert place.say("restore", "from", place.copy, "--yes").code == 0
    serving = Serving()
    with serving as client:
        for path in _PATHS:
            for method in ("GET", "POST", "DELETE"):
                answer = client.request(method, path)
                assert (answer.status_code, answer.json()["code"]) == (503, "in-custody"), path
        for path in STILL_ANSWERED - {"/readyz"}:
            assert client.get(path).status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert {"name": "custody", "ready": False, "why": "in-custody"} in ready.json()["parts"]
        others = [one for one in ready.json()["parts"] if one["name"] != "custody"]
        assert all(one["ready"] for one in others), others
        assert set(serving.running.jobs.states()) == {"seal", "checkpoint", "clock", "refusals", "forget", "journal"}
        # A running service is looked at, and released by nobody meanwhile.
        assert place.say("restore", "status").document["in_custody"] is True
        assert (
            place.say("restore", "release", "--reason", "ticket-4711", "--yes").document["code"] == "journal-is-taken"
        )
    assert Tag.ACCESS_REFUSED in place.tags()


def test_released_it_is_like_any_other_and_says_so_in_audit_and_journal(place: Place) -> None:
    place.lose_the_database()
    done = place.say("restore", "from", place.copy, "--yes")
    assert done.document["in_custody"] is True
    assert place.say("restore", "release", "--reason", "free text", "--yes").document["code"] == "reason-is-no-code"
    assert place.say("restore", "release", "--reason", "ticket-4711", "--yes").document["released"] is True
    assert place.say("restore", "status").document == {"in_custody": False, "unsettled": []}
    assert place.say("restore", "release", "--reason", "ticket-4711", "--yes").document["code"] == "not-in-custody"
    with Serving() as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/api/v1/operators").status_code == 401
    tags = place.tags()
    assert [tag for tag in tags if tag in {Tag.DATABASE_BACKED_UP, Tag.CUSTODY_RELEASED}] == [
        Tag.DATABASE_BACKED_UP,
        Tag.CUSTODY_RELEASED,
    ]
    assert Tag.JOURNAL_REPLAYED in tags
    told = [one.facts["act"] for one in read_journal(place.data_dir / "journal")]
    assert told == ["begun", "released"]
    assert {one.kind for one in read_journal(place.data_dir / "journal")} == {JournalKind.DATABASE_RESTORED}


def test_the_bootstrap_code_of_the_copy_works_no_more(place: Place) -> None:
    code = place.say("bootstrap-code").document["bootstrap_code"]
    assert place.say("backup", place.folder / "second.tar").code == 0
    place.lose_the_database()
    assert place.say("restore", "from", place.folder / "second.tar", "--yes").code == 0
    assert place.say("restore", "release", "--reason", "ticket-4711", "--yes").code == 0
    with Serving() as client:
        wanted = {"code": code, "login": "admin@example.org", "password": "x" * 20}
        answer = client.post("/api/v1/auth/bootstrap", json=wanted)
        assert answer.json()["code"] == "code-is-spent"


def test_a_database_put_back_by_other_tools_is_taken_into_custody_where_it_is(place: Place) -> None:
    done = place.say("restore", "in-place")
    assert (done.code, done.document["in_custody"], done.document["copied_at"]) == (0, True, None)
    assert place.say("restore", "status").document["in_custody"] is True


def test_a_copy_is_put_in_place_of_nothing_but_an_installations_database(place: Place) -> None:
    elsewhere = ("--data-dir", place.folder / "elsewhere")
    assert place.say("restore", "from", place.copy, "--yes", *elsewhere).document["code"] == "not-initialised"
    assert place.say("restore", "from", place.folder / "no-file", "--yes").document["code"] == "file-unusable"
    damaged = place.folder / "damaged"
    damaged.write_bytes(b"no copy")
    assert place.say("restore", "from", damaged, "--yes").document["code"] == "copy-is-damaged"
    assert place.say("restore", "status").document["in_custody"] is False
    assert place.say("backup", place.copy).document["code"] == "file-is-there"


def test_a_copy_of_an_earlier_schema_is_brought_up_to_date_and_one_of_a_later_refused(place: Place) -> None:
    old = Database(f"sqlite:///{place.folder / 'old.db'}")
    migrate(old.engine, "0011")
    parts = Assembly(Settings())
    for schema in ("0011", "9999"):
        with new_file(place.folder / f"{schema}.tar") as file:
            source = Source(old, parts.settings.journal, parts.installation_id, "0.1.0", schema)
            audit = AuditLog(old, parts.randomness)
            Copies(audit, parts.clock, parts.randomness).make(source, place.folder / "scratch", file)
    parts.db.close()
    old.close()
    assert place.say("restore", "from", place.folder / "9999.tar", "--yes").document["code"] == "copy-is-newer"
    assert place.say("restore", "status").document["in_custody"] is False
    assert place.say("restore", "from", place.folder / "0011.tar", "--yes").document["in_custody"] is True
    assert place.say("restore", "status").document["in_custody"] is True
