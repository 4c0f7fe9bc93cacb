"""A check of 100,000 segments at each depth: how long, where the time goes, and whether memory stays flat.

Rows are copies of one real segment and files hard links of its file, so that size, head and last tag are those of the
rows; what opens files is measured apart, on real minutes of 720p. The peers are `stat` and reading of the same files.
"""

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from archive.blobs.rules import name_of
from archive.check.memory import EVERYTHING, How, Wish
from archive.check.rules import Depth
from archive.check.service import CheckReport
from archive.recorder.standing import micros
from archive.segments.rules import Segment
from tests.bench.outcome import Effort, Line, told, within
from tests.given.clock import HandClock
from tests.given.databases import import_every_table
from tests.given.footage import House
from tests.given.tampering import add_copies
from vms_privacy.db import Base, Database
from vms_privacy.ids import SystemRandomness

ROWS: Final = (20_000, 100_000)
MINUTE: Final = timedelta(minutes=1)
MOST_US_A_FILE: Final = {Depth.PRESENCE: 300.0, Depth.SIZE: 300.0, Depth.SEALS: 450.0}
"""CPU: how long others keep the machine busy is not our doing."""
MOST_GROWTH_MIB: Final = 8.0
_AT_ONCE: Final = 5000
_OPENED: Final = 3
_SECONDS: Final = 20
_NOISE: Final = 9000


def measure(effort: Effort) -> Iterator[Line]:
    """Measure looking at many files, then opening a few."""
    import_every_table()
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        yield from _many(Path(text))
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        yield from _opened(Path(text))


def _many(folder: Path) -> Iterator[Line]:
    house = _house(folder)
    house.record(2)
    house.delivery.deliver()
    [model] = house.rows()
    filled = 0
    peaks, took = [], {}
    for rows in ROWS:
        _fill(house, model, range(filled, rows))
        filled = rows
        took[Depth.SEALS] = _clean(house, Depth.SEALS)
        peaks.append(_peak_mib())
    yield within(f"memory that {ROWS[1] - ROWS[0]:,} more segments take", peaks[1] - peaks[0], MOST_GROWTH_MIB, "MiB")
    for depth, most in MOST_US_A_FILE.items():
        cpu_s, wall_s = took.get(depth) or _clean(house, depth)
        what = f"check --depth {depth.word} of {filled:,}, CPU a file"
        yield within(what, cpu_s / filled * 1e6, most, "µs", f"{cpu_s:.0f} s of CPU, {wall_s:.0f} s in all")
    cpu_s, wall_s = _clean(house, Depth.SEALS, Wish(How.NEW_ALONE))
    yield told("the same with --since-last and nothing new", f"{cpu_s:.0f} s of CPU", f"{wall_s:.0f} s in all")
    began_s = time.process_time()
    for name in house.store.names():
        house.store.size(name)
    yield told("listing the store and asking for each size", f"{time.process_time() - began_s:.0f} s of CPU")
    house.kill()


def _clean(house: House, depth: Depth, wish: Wish = EVERYTHING) -> tuple[float, float]:
    """Return seconds of CPU, and all seconds."""
    began_s = time.process_time()
    seconds, report = _check(house, depth, wish)
    assert report.is_clean, report.findings[:5]
    return time.process_time() - began_s, seconds


def _opened(folder: Path) -> Iterator[Line]:
    house = _house(folder)
    for _ in range(_OPENED):
        house.record(_SECONDS, size=(1280, 720), noise=_NOISE)
    house.delivery.deliver()
    seconds, report = _check(house, Depth.OPENS)
    assert report.is_clean, report.findings[:5]
    totals = report.totals
    files, mib = totals["files_opened"], totals["bytes_opened"] / 2**20
    pictures = totals["pictures_decoded"]
    rate = f"{mib * 8.39 / files / _SECONDS:.1f} Mbit/s"
    yield told(f"check --depth opens, {_SECONDS} s of 720p25", f"{seconds / files:.2f} s", rate)
    yield told("pictures decoded", f"{pictures / seconds:,.0f} a second", f"{pictures / seconds / 25:.0f} × real time")
    house.kill()


def _house(folder: Path) -> House:
    db = Database(f"sqlite:///{folder / 'bench.db'}")
    Base.metadata.create_all(db.engine)
    house = House(db, HandClock(), folder, SystemRandomness())
    house.opt_in()
    house.keep_for(timedelta(days=366))
    return house


def _fill(house: House, model: Segment, numbers: range) -> None:
    """A segment a minute behind the model, each with a file that is the model's."""
    real = house.folder / "archive" / model.blob_name[:2] / model.blob_name
    for at in range(numbers.start, numbers.stop, _AT_ONCE):
        some = range(at, min(at + _AT_ONCE, numbers.stop))
        changes = []
        for number in some:
            starts_us = model.starts_us + (number + 1) * micros_of(MINUTE)
            name = name_of(house.randomness.octets(16))
            changes.append(
                {
                    "id": house.randomness.uuid(),
                    "blob_name": name,
                    "starts_us": starts_us,
                    "ends_us": starts_us + micros_of(MINUTE),
                    "destroy_from_us": starts_us + micros_of(MINUTE) + model.keep_us,
                }
            )
            shelf = house.folder / "archive" / name[:2]
            shelf.mkdir(exist_ok=True)
            _link(real, shelf / name)
        add_copies(house.db, model.id, changes)
    last_us = model.starts_us + (numbers.stop + 2) * micros_of(MINUTE)
    house.clock.forward(timedelta(microseconds=last_us - micros(house.clock.now())))


_LINKS: Final = 50_000


def _link(real: Path, path: Path) -> None:
    """A hard link, or a copy from where the system makes no more links of one file."""
    if real.stat().st_nlink < _LINKS:
        os.link(real, path)
    else:
        path.write_bytes(real.read_bytes())


def micros_of(span: timedelta) -> int:
    """Return a span in microseconds."""
    return span // timedelta(microseconds=1)


def _check(house: House, depth: Depth, wish: Wish = EVERYTHING) -> tuple[float, CheckReport]:
    checker = house.checker(decoding=house.decoding, remembers=True)
    began_s = time.perf_counter()
    report = checker.check(depth, wish)
    return time.perf_counter() - began_s, report


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
