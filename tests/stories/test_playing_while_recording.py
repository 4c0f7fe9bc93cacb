"""Whoever plays what is being recorded sees it grow and never shrink: not while one segment is closed for the next."""

from pathlib import Path
from uuid import UUID

import pytest

from archive.segments.rules import Span
from streams.simulator.camera import CameraSimulator
from streams.simulator.reel import CameraOptions
from streams.simulator.service import SimulatorThread
from tests.given.site import site, until
from vms_privacy.clock import SystemClock
from vms_privacy.ids import CameraId, SystemRandomness

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]

SEGMENTS = 4


def test_what_can_be_played_never_shrinks_at_its_new_end(tmp_path: Path) -> None:
    camera = CameraSimulator(1, bytes(range(1, 33)), SystemClock(), CameraOptions(gop=25))
    with SimulatorThread({"cam": camera}, SystemRandomness()) as simulators, site(tmp_path) as (here, running):
        here.add("cam", simulators.url("cam"))
        here.running("cam")
        # Segments of at most 2.5 s, so that many are closed.
        here.owner.call("PUT", f"/api/v1/cameras/{here.cameras['cam']}/retention", {"keep_for": "PT10S"})
        here.opt_in("cam")
        until(lambda: here.ranges("cam"), "it is recorded")
        camera_id = CameraId(UUID(here.cameras["cam"]))
        newest_us = 0

        def goes_on() -> bool:
            nonlocal newest_us
            found = running.parts.footage.ranges(camera_id, Span(0, 2**53))
            assert found, "all of it has vanished"
            until_us = found[-1].until_us
            assert until_us >= newest_us, f"{(newest_us - until_us) / 1000:.0f} ms have vanished"
            newest_us = until_us
            return running.parts.recorder.tallies()[camera_id].segments > SEGMENTS

        until(goes_on, "some segments are closed", pause_s=0.002)
