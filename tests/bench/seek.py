"""A random seek into recorded footage over HTTP: how long until its first media byte, and how much is read for it.

One camera has all the rows, a segment a minute. Each measured file is looked at once by a service that was just
started and has never opened it: its key is unwrapped, its index read, its picture decrypted, and none of it is in the
system's memory. The file route opens a media session for each seek, with its audit row durable before the first byte.
"""

import http.client
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from tests.bench.children import child
from tests.bench.counted import Count
from tests.bench.footage import MINUTE_US, Place, cold, fill, moment_us
from tests.bench.installation import Installation, installed
from tests.bench.outcome import Effort, Line, told, within
from tests.bench.trees import Tree
from vms_privacy.app import Assembly
from vms_privacy.client import ApiClient
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.settings import Settings

ROWS: Final = (100_000, 1_000_000)
FILES: Final = 81
"""One to warm up with, and forty for each route."""
MOST_MS: Final = 15.0
MOST_KIB: Final = 192.0
_DEADLINE_S: Final = 20.0
_MOOF: Final = b"moof"


@dataclass(slots=True)
class _Seeks:
    """Of each seek: milliseconds, KiB of footage, and KiB of everything that the process read.

    `bare_ms` are those of a route that does nothing, asked in between: what the machine adds by itself.
    """

    ms: list[float] = field(default_factory=list)
    bare_ms: list[float] = field(default_factory=list)
    footage: list[float] = field(default_factory=list)
    everything: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def lines(self, what: str) -> Iterator[Line]:
        """Tell the median, and the 95th percentile against its limits."""
        cpu = f"{self.cpu_s / len(self.ms) * 1000:.1f} ms of CPU in the service"
        yield told(f"{what}, p50", f"{statistics.median(self.ms):.1f} ms", cpu)
        yield within(f"{what}, p95", _p95(self.ms), MOST_MS, "ms", f"{_p95(self.bare_ms):.1f} ms, a bare route")
        everything = f"{_p95(self.everything):.0f} KiB with database and sockets"
        yield within(f"{what}, footage read, p95", _p95(self.footage), MOST_KIB, "KiB", everything)


def measure(effort: Effort) -> Iterator[Line]:
    """Seek among 100,000 rows, then among 1,000,000."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        folder = Path(text) / "data"
        with installed(folder) as service:
            camera_id = service.add_camera("seek", "rtsp://127.0.0.1:9/none")
            service.opt_in(camera_id, sound=False)
            place = _Filled(folder, service, UUID(camera_id))
        filled = 0
        for rows in ROWS:
            place.fill(range(filled + 1, rows + 1))
            filled = rows
            with child("tests.bench.service", str(folder), "counted") as again:
                yield from place.measure(again.said["url"], again.pid, f"{rows:,} rows")


class _Filled:
    """One installation with much footage, and where its real files are."""

    def __init__(self, folder: Path, service: Installation, camera_id: UUID) -> None:
        self._settings = Settings(data_dir=folder, port=0, store_capacity_bytes=10**15)
        self._owner = service.owner
        self._camera_id = CameraId(camera_id)
        self._operator_id = OperatorId(UUID(service.operator_id))
        self._until_us = 0
        self._chosen: list[int] = []

    def fill(self, rows: range) -> None:
        """Add rows; those that came first get the real files."""
        parts = Assembly(self._settings)
        if not self._chosen:
            self._until_us = moment_us(parts)
            self._chosen = random.Random(7).sample(rows, FILES)
        place = Place(self._operator_id, self._camera_id, self._until_us)
        fill(parts, place, rows, self._chosen)
        cold(parts)
        parts.journal.close()
        parts.db.close()

    def measure(self, url: str, pid: int, rows: str) -> Iterator[Line]:
        """Look at every file once by each route."""
        client = ApiClient(url, self._owner.access_token)
        wish = {"actions": ["archive"], "purpose": "archive_view", "lifetime": "PT1H"}
        token = client.call("POST", f"/api/v1/cameras/{self._camera_id}/tokens", wish)["handle"]
        port = urlsplit(url).port
        assert port is not None
        film, hls, process = _Film(port, token), _Hls(port, token), _Reading(pid, port, self._settings.data_dir)
        warm_up, *moments = self._moments()
        _seeks([warm_up, warm_up], process, film)
        _seeks([warm_up, warm_up], process, hls)
        half = len(moments) // 2
        yield from _seeks(moments[:half], process, film).lines(f"seek as MP4, {rows}")
        yield from _seeks(moments[half:], process, hls).lines(f"seek as HLS in three requests, {rows}")

    def _moments(self) -> list[int]:
        """A random second in the minute of each file."""
        pick = random.Random(11)
        return [(self._until_us - back * MINUTE_US) // 1_000_000 + pick.randrange(58) for back in self._chosen]


class _Film:
    """A seek as a film: one request."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token

    @contextmanager
    def __call__(self, second: int) -> Iterator[None]:
        """Ask for two seconds, and go into the block when the first media byte is there."""
        with _asking(self._port, f"/bench/seek/archive-{second}-2.mp4?token={self._token}", _MOOF):
            yield


class _Hls:
    """A seek as a player does it that has its session: playlist, init segment, first piece."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token

    @contextmanager
    def __call__(self, second: int) -> Iterator[None]:
        """Ask for two seconds, and go into the block when the first media byte is there."""
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_DEADLINE_S)
        with closing(link):
            playlist = _got(link, f"/bench/seek/archive-{second}-2.m3u8?token={self._token}").decode()
            _got(link, f"/bench/seek/{playlist.split('MAP:URI=')[1].split(chr(34))[1]}")
            piece = next(line for line in playlist.splitlines() if line and not line.startswith("#"))
            with _asking(self._port, f"/bench/seek/{piece}", _MOOF):
                yield


Look = Callable[[int], AbstractContextManager[None]]


def _seeks(seconds: Sequence[int], process: "_Reading", look: Look) -> _Seeks:
    found = _Seeks()
    used = process.cpu_s()
    for second in seconds:
        before, began = process.so_far(), time.perf_counter()
        with look(second):
            found.ms.append((time.perf_counter() - began) * 1000)
            after = process.so_far()
        found.footage.append((after[0] - before[0]) / 1024)
        found.everything.append((after[1] - before[1]) / 1024)
        # What this one left behind is not the next one's business.
        time.sleep(0.02)
    found.cpu_s = process.cpu_s() - used
    for _ in seconds:
        began = time.perf_counter()
        with process.asked_bare():
            found.bare_ms.append((time.perf_counter() - began) * 1000)
    return found


@contextmanager
def _asking(port: int, path: str, sign: bytes) -> Iterator[None]:
    """Ask, and go into the block once `sign` is in the answer; nothing more is taken, so nothing more is read."""
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.settimeout(_DEADLINE_S)
        link.connect(("127.0.0.1", port))
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        taken = b""
        while sign not in taken:
            more = link.recv(65_536)
            if not more:
                raise RuntimeError(f"no media came: {taken[:200]!r}")
            taken += more
        yield


def _got(link: http.client.HTTPConnection, path: str) -> bytes:
    link.request("GET", path)
    answer = link.getresponse()
    body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"{answer.status}: {body[:200]!r}")
    return body


class _Reading:
    """What a service has read so far."""

    def __init__(self, pid: int, port: int, data_dir: Path) -> None:
        self._pid = pid
        self._port = port
        self._footage = Count(data_dir)

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        return Tree([self._pid]).cpu_s()

    def asked_bare(self) -> AbstractContextManager[None]:
        """Ask for the route that does nothing."""
        return _asking(self._port, "/bench/bare", b"bare")

    def so_far(self) -> tuple[int, int]:
        """Bytes of footage, and bytes by any system call: files, database and sockets (proc(5), rchar)."""
        told = dict(line.split(": ") for line in Path(f"/proc/{self._pid}/io").read_text().splitlines())
        return self._footage.now(), int(told["rchar"])


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]
