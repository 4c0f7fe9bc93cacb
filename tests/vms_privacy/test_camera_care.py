"""What takes pictures follows the registry: whatever fails with one camera, and whichever change is heard first."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from functools import cached_property
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from auth.principal import Principal
from auth.resources.store import ResourceStore
from streams.cameras.rules import CameraSource, CameraState
from streams.cameras.service import CameraService, NewCamera
from streams.cameras.tables import CameraRow
from streams.ingest.subscription import Item, Lost
from tests.given.access import Access
from vms_privacy.app import Assembly
from vms_privacy.camera_care import CameraCare
from vms_privacy.ids import CameraId
from vms_privacy.install import initialise
from vms_privacy.metrics import ServiceCollector
from vms_privacy.serve import Running
from vms_privacy.settings import Settings
from vms_privacy.worker import Jobs

DEADLINE_S = 20.0


class SlowRegistry(CameraService):
    """What it was asked of a camera once arrives late: not before `overtaken`, or until waiting has no use."""

    asked: threading.Event | None = None
    overtaken: threading.Event

    def source_of(self, session: Session, camera_id: CameraId) -> CameraSource:
        source = super().source_of(session, camera_id)
        asked, self.asked = self.asked, None
        if asked is not None:
            asked.set()
            self.overtaken.wait(0.5)
        return source


class House(Assembly):
    """A service's own parts, with an operator and cameras that nobody reaches; one recorder's feed may fail."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(data_dir=folder / "data", port=0)
        initialise(settings)
        super().__init__(settings)
        self.access = Access(self.db, self.randomness, self.clock.now())
        self.operator_id = self.access.operator("north")
        self.owner: Principal = self.access.person(self.operator_id, "owner")
        self.broken_feeds = 0
        self.feeds = 0

    @cached_property
    def cameras(self) -> SlowRegistry:
        networks = self.settings.camera_networks
        return SlowRegistry(
            self.keyring, ResourceStore(), self.audit, self.clock, self.randomness, networks, self.journal
        )

    def recorder_feed_of(self, camera_id: CameraId) -> AsyncGenerator[Item, None]:
        self.feeds += 1
        if self.feeds <= self.broken_feeds:
            return _broken()
        return super().recorder_feed_of(camera_id)

    def add(self, name: str) -> CameraId:
        with self.db.writing() as session:
            new = NewCamera(name, "rtsp://127.0.0.1:9/none", "watching the gate")
            return self.cameras.create(session, self.owner, self.operator_id, new)

    def remove(self, camera_id: CameraId) -> None:
        with self.db.writing() as session:
            self.cameras.remove(session, self.owner, camera_id)

    def damage(self, camera_id: CameraId) -> bytes:
        """Damage a camera's sealed address; return what it was."""
        with self.db.reading() as session:
            whole = session.get_one(CameraRow, camera_id).sealed_url
        assert whole is not None
        self.put(camera_id, whole[:-1] + bytes([whole[-1] ^ 1]))
        return whole

    def put(self, camera_id: CameraId, sealed: bytes) -> None:
        with self.db.writing() as session:
            session.get_one(CameraRow, camera_id).sealed_url = sealed

    def is_started(self, camera_id: CameraId) -> bool:
        return self.ingest.status(camera_id).state is not CameraState.OFF


async def _broken() -> AsyncGenerator[Item, None]:
    yield Lost("stalled")
    raise OSError("rtsp://eve:secret@camera.example.org")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def care(house: House) -> AsyncIterator[CameraCare]:
    care = CameraCare(house, "a run")
    house.live.open()
    house.ingest.open()
    care.open()
    yield care
    await house.ingest.close()
    await care.close()
    await house.live.close()
    house.recorder.stop(DEADLINE_S)
    house.journal.close()
    house.db.close()


async def until_failed(care: CameraCare, failed: dict[CameraId, str]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while care.failed != failed:
            await asyncio.sleep(0.01)


async def test_a_camera_whose_address_does_not_open_keeps_no_other_from_being_started(
    house: House, care: CameraCare
) -> None:
    first, damaged, last = (house.add(name) for name in ("first", "damaged", "last"))
    whole = house.damage(damaged)
    with capture_logs() as told:
        await asyncio.to_thread(care.start_all)
    assert [house.is_started(one) for one in (first, damaged, last)] == [True, False, True]
    assert care.failed == {damaged: "wrap-is-damaged"}
    assert [(one["event"], one["camera"], one["why"]) for one in told] == [
        ("camera-not-followed", str(damaged), "wrap-is-damaged")
    ]
    metrics = CollectorRegistry()
    metrics.register(ServiceCollector(house, Jobs([], house.clock), care))
    assert metrics.get_sample_value("vms_cameras_failed") == 1
    house.put(damaged, whole)
    await asyncio.to_thread(care.round)
    assert (house.is_started(damaged), care.failed) == (True, {})


def test_the_service_starts_though_one_cameras_address_does_not_open(house: House) -> None:
    well, damaged = house.add("well"), house.add("damaged")
    house.damage(damaged)
    running = Running(house)
    thread = threading.Thread(target=running.serve, daemon=True)
    thread.start()
    assert running.is_up.wait(DEADLINE_S)
    assert (house.is_started(well), running.cameras.failed) == (True, {damaged: "wrap-is-damaged"})
    assert [code for probe in running.probes().values() if (code := probe())] == []
    running.stop()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


async def test_a_camera_removed_while_an_earlier_change_is_still_heard_of_is_let_go(
    house: House, care: CameraCare
) -> None:
    camera_id = house.add("door")
    asked, house.cameras.overtaken = threading.Event(), threading.Event()
    house.cameras.asked = asked
    earlier = asyncio.create_task(asyncio.to_thread(care.hear, camera_id))
    assert await asyncio.to_thread(asked.wait, DEADLINE_S)
    house.remove(camera_id)
    await asyncio.to_thread(care.hear, camera_id)
    house.cameras.overtaken.set()
    await earlier
    assert not house.is_started(camera_id)


async def test_a_recorders_feed_that_fails_is_counted_told_and_begun_anew(house: House, care: CameraCare) -> None:
    house.broken_feeds = 1
    camera_id = house.add("door")
    with capture_logs() as told:
        await asyncio.to_thread(care.hear, camera_id)
        await until_failed(care, {camera_id: "OSError"})
    assert (care.failed_feeds, "secret" in str(told)) == (1, False)
    await asyncio.to_thread(care.round)
    async with asyncio.timeout(DEADLINE_S):
        while house.feeds < 2:
            await asyncio.sleep(0.01)
    assert (care.failed, care.failed_feeds) == ({}, 1)
