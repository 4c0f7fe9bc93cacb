"""The whole service on a real PostgreSQL that is killed and started again while a camera films: no picture is missing.

The camera's bar codes count its pictures. Retention is short, so that several segments begin meanwhile if they can.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.simulator.camera import CameraSimulator
from streams.simulator.reading import read_bar_codes
from streams.simulator.reel import CameraOptions
from streams.simulator.service import SimulatorThread
from tests.given.postgres import SERVICE, Postgres, postgres
from tests.given.site import ServiceProcess, Site, service_process, until
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

pytestmark = [pytest.mark.story, pytest.mark.timeout(240)]

CANARY = bytes(range(1, 33))
KEEP_S = 80  # segments of twenty seconds
AWAY_S = 12.0


@pytest.fixture
def mortal() -> Iterator[Postgres]:
    with postgres(keeps_commits=True) as server:
        yield server


@pytest.fixture
def camera() -> Iterator[SimulatorThread]:
    made = {"cam-1": CameraSimulator(1, CANARY, SystemClock(), CameraOptions(gop=25))}
    with SimulatorThread(made, SystemRandomness()) as simulators:
        yield simulators


@pytest.fixture
def service(mortal: Postgres, tmp_path: Path) -> Iterator[ServiceProcess]:
    name = mortal.create()
    addresses = {"VMS_DATABASE_URL": mortal.url(name, SERVICE), "VMS_DATABASE_OWNER_URL": mortal.url(name)}
    with service_process(tmp_path, addresses) as process:
        yield process


def _counted(here: Site) -> list[int]:
    """The number of every picture that can be played."""
    return [code.counter for code in read_bar_codes(here.fetched(here.archive("one")))]


def test_a_killed_database_costs_no_picture_and_nobody_has_to_do_anything(
    mortal: Postgres, camera: SimulatorThread, service: ServiceProcess
) -> None:
    here = Site(service.url, service.bootstrap_code)
    here.add("one", camera.url("cam-1"))
    here.running("one")
    here.opt_in("one")
    here.keep("one", KEEP_S)
    # Into the segment that the shorter retention has begun: the next border is some seconds behind the kill.
    until(lambda: here.recorded_s("one") >= KEEP_S / 4 - AWAY_S / 2, "it is recorded")
    mortal.kill()
    time.sleep(AWAY_S)
    mortal.start()
    before_s = here.recorded_s("one")
    until(lambda: here.recorded_s("one") >= max(before_s, KEEP_S / 4 + AWAY_S / 2) + 3, "it is recorded on")
    assert len(here.ranges("one")) == 1
    numbers = _counted(here)
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "a picture is missing"
    until(lambda: service.check()["clean"], lambda: f"check: {service.check()}", 20)
    assert service.check()["totals"]["gaps_ms"] < 5000, "but for the time until the first key picture"
