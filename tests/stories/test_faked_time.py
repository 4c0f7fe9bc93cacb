"""The clock beneath the real service is set back an hour and forward a day, by libfaketime, while it records.

Each time: the doubt is shown, nothing is destroyed early, nothing is shown longer, recording goes on, and once the
clock is right again and a named person has said so, all is as before.
"""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archive.recorder.standing import micros
from streams.simulator.camera import CameraSimulator
from streams.simulator.reel import CameraOptions
from streams.simulator.service import SimulatorThread
from tests.given.faked_time import FakedTime
from tests.given.site import DEADLINE_S, ServiceProcess, Site, service_process, until
from vms_privacy.client import ApiRefused
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

pytestmark = [pytest.mark.story, pytest.mark.timeout(240)]

KEPT_S = {"long": 3600, "short": 10}
_GOES = "state IN ('erasing', 'erased')"
SETTLED = {"reason": "time-server-was-wrong"}


class Story:
    """A service with two cameras that are recorded, `long` kept for an hour and `short` for ten seconds."""

    def __init__(self, process: ServiceProcess, time: FakedTime, cameras: SimulatorThread) -> None:
        self.process, self.time = process, time
        self.here = Site(process.url, process.bootstrap_code)
        for number, name in enumerate(KEPT_S, 1):
            self.here.add(name, cameras.url(f"cam-{number}"))
            self.here.running(name)
            self.here.keep(name, KEPT_S[name])
            self.here.opt_in(name)
        until(lambda: self.here.recorded_s("long") > 4, "the cameras are recorded")
        # Each sweep from here on has something to destroy.
        until(lambda: self.count("erased") > 0, "what has expired is destroyed")

    def clock(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = self.here.admin.call("GET", "/api/v1/clock")
        return told

    def count(self, state: str) -> int:
        """Return how many segments are in a state, as the database says itself."""
        with closing(sqlite3.connect(self.process.data_dir / "vms-privacy.db")) as database:
            found: int = database.execute("SELECT count(*) FROM segment WHERE state = ?", (state,)).fetchone()[0]
        return found

    def ids(self, where: str, *values: int) -> set[str]:
        """Return the segments of which something holds, as the database says itself."""
        with closing(sqlite3.connect(self.process.data_dir / "vms-privacy.db")) as database:
            return {str(row[0]) for row in database.execute(f"SELECT id FROM segment WHERE {where}", values)}

    def is_in_doubt(self) -> bool:
        """Whether everything that shows a doubt shows it; none of it asks for a session."""
        ready = self.here.owner.ask("GET", "/readyz")
        parts = {part["name"]: part["why"] for part in ready.json()["parts"]}
        metrics = self.here.owner.ask("GET", "/metrics").body.decode().splitlines()
        shown = {parts["clock"] == "time-doubt", "vms_time_doubt 1.0" in metrics, ready.status == 503}
        assert len(shown) == 1, (parts, ready.status)
        return shown == {True}

    def fed(self) -> int:
        """Return how many bytes lie in spool and archive: while nothing is destroyed it only grows."""
        folders = [self.process.data_dir / name for name in ("spool", "archive")]
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    time = FakedTime(tmp_path)
    canary, clock = bytes(range(1, 33)), SystemClock()
    made = {f"cam-{number}": CameraSimulator(number, canary, clock, CameraOptions(gop=25)) for number in (1, 2)}
    settings = {**time.environment, "VMS_SWEEP_EVERY": "PT1S"}
    with SimulatorThread(made, SystemRandomness()) as cameras, service_process(tmp_path, settings) as process:
        yield Story(process, time, cameras)


def _apart(told: Mapping[str, Any]) -> timedelta:
    return datetime.fromisoformat(told["for_reading"]) - datetime.fromisoformat(told["for_destroying"])


def test_back_an_hour_and_forward_a_day_nothing_goes_early_and_recording_goes_on(story: Story) -> None:
    here = story.here
    _set_back_an_hour(story)
    _settle(story)
    until(lambda: here.ranges("short")[0][0] > _now_ms(story) - 11_000, "what expired in doubt is destroyed after it")
    _set_forward_a_day(story)
    _settle(story)
    until(lambda: here.recorded_s("long") > 12, "all of it plays again, what was recorded in doubt included")
    for one in KEPT_S:
        here.withdraw(one)
    until(lambda: story.count("writing") == 0, "the last segments are closed")
    until(lambda: story.process.check()["clean"], "every second is accounted for", DEADLINE_S, 1.0)


def _set_back_an_hour(story: Story) -> None:
    here = story.here
    assert not story.is_in_doubt()
    # What falls due only once the clock is set back: some may be going just now.
    young = story.ids("destroy_from_us IS NULL OR destroy_from_us > ?", micros(SystemClock().now()) + 2_000_000)
    story.time.step("-1h")
    until(story.is_in_doubt, "the doubt is shown")
    told = story.clock()
    assert told["doubt"]["cause"] == "stepped-back"
    assert timedelta(minutes=59) < _apart(told) < timedelta(minutes=61)
    since_ms = here.ranges("long")[-1][1]
    until(lambda: here.ranges("long")[-1][1] > since_ms + 12_000, "recording goes on")
    ranges = here.ranges("long")
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges)), "nothing overlaps"
    first_ms = here.ranges("short")[0][0]
    assert first_ms > _now_ms(story) - 11_000, "what has expired by the later time is not shown"
    assert young
    assert not young & story.ids(_GOES), "and by the earlier it is not to be destroyed yet"


def _set_forward_a_day(story: Story) -> None:
    here = story.here
    story.time.step("+1d")
    until(story.is_in_doubt, "the doubt is shown")
    with pytest.raises(ApiRefused):
        story.clock()
    # In doubt a session ends by the later time; who logs in now may look, and settle it.
    here.admin.log_in()
    here.owner.log_in()
    told = story.clock()
    assert told["doubt"]["cause"] == "stepped-forward"
    assert timedelta(hours=23) < _apart(told) < timedelta(hours=25)
    assert here.ranges("long") == [], "nothing that may have expired is shown"
    kept, for_an_hour = story.fed(), story.ids("keep_us > ?", KEPT_S["long"] * 999_999)
    until(lambda: story.fed() > kept + 200_000, "recording goes on")
    assert for_an_hour
    assert not for_an_hour & story.ids(_GOES), "nothing that is kept for an hour goes because of a day that was none"


def _settle(story: Story) -> None:
    """Set the clock right: the answers agree again, the doubt stays, until somebody says so."""
    story.time.step("+0")
    until(lambda: _apart(story.clock()) < timedelta(seconds=2), "the answers agree")
    assert story.is_in_doubt()
    settled = story.here.admin.call("POST", "/api/v1/clock/settle", SETTLED)
    assert settled["doubt"]
    until(lambda: not story.is_in_doubt(), "nothing is in doubt any more")


def _now_ms(story: Story) -> int:
    return round(datetime.fromisoformat(story.clock()["now"]).timestamp() * 1000)
