"""Issuing stream tokens over HTTP, each durable with its audit row, against a route that does nothing.

Both are sync `def` routes of the same running service, asked by the same clients in turns. What is compared is CPU
time of the service for a request, everything included that follows from it (the sealing of its audit row within the
next second); on one core that is the same as requests a second, and it does not count what others take from the cores.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.bench.children import Child, child
from tests.bench.installation import Installation, installed
from tests.bench.outcome import Effort, Line, at_least, told, within
from tests.bench.trees import Tree

LEAST: Final = 0.35
MOST_P99_MS: Final = 25.0
CLIENTS: Final = 16
_COUNT: Final = 1500
_WARM_UP: Final = 300
# The sealer comes round once a second; what it does for the last requests belongs to them.
_AFTERWARDS_S: Final = 1.3
_CAMERA: Final = "rtsp://127.0.0.1:9/nothing-there"


@dataclass(frozen=True, slots=True)
class _Round:
    """What one round of requests came to. `cpu_s` is the service's CPU time for one request."""

    cpu_s: float
    a_second: float
    waited_s: list[float]

    @property
    def p99_ms(self) -> float:
        return sorted(self.waited_s)[int(len(self.waited_s) * 0.99)] * 1000


def measure(effort: Effort) -> Iterator[Line]:
    """Ask both in turns; medians over the rounds."""
    with tempfile.TemporaryDirectory(prefix="vms-bench-") as folder, installed(Path(folder) / "data") as service:
        camera_id = service.add_camera("gate", _CAMERA)
        address = urlsplit(service.url)
        with child("tests.bench.load", str(address.hostname), str(address.port)) as clients:
            asking = _Asking(service, clients)
            issue = _Order(f"POST /api/v1/cameras/{camera_id}/tokens", _bearer(service), _WISH)
            bare = _Order("GET /bench/bare", "", "")
            for order in (bare, issue):
                asking.ask(order, _WARM_UP)
            bares, issues = [], []
            for _ in range(effort.rounds):
                bares.append(asking.round(bare, _COUNT))
                issues.append(asking.round(issue, _COUNT))
    yield from _lines(bares, issues)


_WISH: Final = json.dumps({"actions": ["live"], "purpose": "live_view"})


@dataclass(frozen=True, slots=True)
class _Order:
    """A request to be sent again and again."""

    line: str
    headers: str
    body: str

    @property
    def head(self) -> str:
        kind = "Content-Type: application/json\r\n" if self.body else ""
        return f"{self.line} HTTP/1.1\r\n{self.headers}{kind}"


class _Asking:
    """Has the clients ask, and looks at what it costs the service."""

    def __init__(self, service: Installation, clients: Child) -> None:
        self._tree = Tree([service.pid])
        self._clients = clients

    def ask(self, order: _Order, count: int) -> tuple[float, list[float]]:
        """Return the seconds it took, and how long each request waited."""
        answer = self._clients.order(head=order.head, body=order.body, clients=CLIENTS, count=count)
        return answer["seconds"], answer["waited"]

    def round(self, order: _Order, count: int) -> _Round:
        idle = self._idle()
        before_s, began_s = self._tree.cpu_s(), time.perf_counter()
        seconds, waited = self.ask(order, count)
        time.sleep(_AFTERWARDS_S)
        passed_s = time.perf_counter() - began_s
        cpu_s = self._tree.cpu_s() - before_s - idle * passed_s
        return _Round(cpu_s / count, count / seconds, waited)

    def _idle(self) -> float:
        """Return how much of a core the service uses while nobody asks."""
        before_s, began_s = self._tree.cpu_s(), time.perf_counter()
        time.sleep(_AFTERWARDS_S)
        return (self._tree.cpu_s() - before_s) / (time.perf_counter() - began_s)


def _lines(bares: list[_Round], issues: list[_Round]) -> Iterator[Line]:
    ratio = statistics.median(bare.cpu_s / issue.cpu_s for bare, issue in zip(bares, issues, strict=True))
    yield at_least("token issue, per CPU", _cpu(issues), f"bare def route {_cpu(bares)}", ratio, LEAST)
    at_once = statistics.median(issue.a_second / bare.a_second for bare, issue in zip(bares, issues, strict=True))
    yield told("token issue, as it came", _rate(issues), f"bare def route {_rate(bares)}", at_once)
    p99 = statistics.median(one.p99_ms for one in issues)
    peer = f"bare def route {statistics.median(one.p99_ms for one in bares):.1f} ms"
    yield within(f"token issue, p99 at {CLIENTS} clients", p99, MOST_P99_MS, "ms", peer)


def _cpu(rounds: list[_Round]) -> str:
    return f"{statistics.median(one.cpu_s for one in rounds) * 1e6:.0f} µs"


def _rate(rounds: list[_Round]) -> str:
    return f"{statistics.median(one.a_second for one in rounds):.0f} a second"


def _bearer(service: Installation) -> str:
    return f"Authorization: Bearer {service.owner.access_token}\r\n"
