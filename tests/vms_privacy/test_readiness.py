"""Readiness of the real service's parts: what it says of the custody journal, and what asking for that costs."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path, PosixPath
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from tests.given.site import until
from vms_privacy.app import Assembly
from vms_privacy.http.health import health_routes
from vms_privacy.install import initialise
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.rounds import jobs_of
from vms_privacy.serve import Running
from vms_privacy.settings import Settings


class _CountedPath(PosixPath):
    """A path that counts how often the file is opened for reading."""

    opened = 0

    def open(self, *args: Any, **kwargs: Any) -> Any:
        type(self).opened += 1
        return super().open(*args, **kwargs)


class _CountedAssembly(Assembly):
    """The service's own parts, with a journal whose file counts its readings."""

    @cached_property
    def journal(self) -> Journal:
        return Journal.existing(_CountedPath(self.settings.journal), self.clock)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    settings = Settings(data_dir=tmp_path / "data", port=0)
    initialise(settings)
    made = Running(_CountedAssembly(settings))
    for number in range(20):
        made.parts.journal.append(JournalKind.WITHDRAWAL, {"entry": number})
    _CountedPath.opened = 0
    yield made
    made.parts.journal.close()
    made.parts.db.close()


async def _journal(running: Running) -> str:
    """What `/readyz` says of the journal."""
    return (await _whys(running))["journal"]


async def _whys(running: Running) -> dict[str, str]:
    """What `/readyz` says of each part."""
    api = FastAPI()
    api.include_router(health_routes(running.probes(), CollectorRegistry(), behind_proxy=False))
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/readyz")
    told = {part["name"]: part["why"] for part in answer.json()["parts"]}
    assert answer.status_code == (503 if any(told.values()) else 200)
    return told


async def test_asking_for_readiness_reads_nothing_of_the_journal(running: Running) -> None:
    assert [await _journal(running) for _ in range(5)] == [""] * 5
    assert _CountedPath.opened == 0
    assert running.jobs.run_once("journal") == ""
    assert _CountedPath.opened == 1
    assert await _journal(running) == ""


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 10)


def _lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")


def _replace(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (_cut, "journal-is-damaged"),
        (_lengthen, "journal-is-damaged"),
        (_replace, "journal-is-damaged"),
        (Path.unlink, "journal-unavailable"),
    ],
)
async def test_a_journal_that_was_cut_lengthened_replaced_or_taken_is_named_at_once(
    running: Running, act: Callable[[Path], None], why: str
) -> None:
    assert await _journal(running) == ""
    act(running.parts.settings.journal)
    assert await _journal(running) == why
    assert _CountedPath.opened == 0


async def test_a_journal_that_was_changed_in_place_is_named_after_the_next_round_that_reads_it(
    running: Running,
) -> None:
    assert running.jobs.run_once("journal") == ""
    path = running.parts.settings.journal
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(len(whole) // 2)
        file.write(bytes([whole[len(whole) // 2] ^ 1]))
    assert running.jobs.run_once("journal") == "journal-is-damaged"
    assert await _journal(running) == "journal-is-damaged"
    path.unlink()
    assert running.jobs.run_once("journal") == "journal-unavailable"


def test_the_whole_journal_is_read_at_the_start_and_every_hour(running: Running) -> None:
    [every] = [job.every for job in jobs_of(running.parts) if job.name == "journal"]
    assert every == timedelta(hours=1)
    state = running.jobs.states()["journal"]
    running.jobs.start()
    until(lambda: state.rounds > 0, "the journal is read")
    assert running.jobs.stop()
    assert state.rounds == 1


async def test_a_keyring_that_is_lost_in_whole_or_in_part_is_named(running: Running) -> None:
    folder = running.parts.settings.keyring
    for lost in (folder / "buckets", folder):
        assert (await _whys(running))["keyring"] == ""
        lost.rename(folder.with_name("elsewhere"))
        assert (await _whys(running))["keyring"] == "keyring-unavailable"
        folder.with_name("elsewhere").rename(lost)
    assert (await _whys(running))["keyring"] == ""
