"""Clients of a bench, in a process of their own: `python -m tests.bench.load HOST PORT`.

An order is `{"head", "body", "clients", "count"}`, its answer how long it took and how long each request waited, in
seconds. Keep-alive; one request at a time and client.
"""

import asyncio
import sys
from collections.abc import Iterator
from typing import Final

from tests.bench.children import orders, ready
from vms_privacy.clock import SystemClock

_CLOCK: Final = SystemClock()


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered, until there is nothing left to ask."""

    def __init__(self, request: bytes, left: Iterator[int], waited: list[float]) -> None:
        self._request = request
        self._left = left
        self._waited = waited
        self._asked_s = 0.0
        self._heard = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        if not found or len(body) < _length_of(head):
            return
        self._heard = b""
        self._waited.append(_CLOCK.monotonic() - self._asked_s)
        if not head.startswith(b"HTTP/1.1 2"):
            self.done.set_exception(RuntimeError(f"the service refused: {head[:40]!r}"))
            self._transport.close()
            return
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or RuntimeError("the service hung up"))

    def _ask(self) -> None:
        if next(self._left, None) is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._asked_s = _CLOCK.monotonic()
        self._transport.write(self._request)


async def ask(host: str, port: int, order: dict[str, str], clients: int, count: int) -> tuple[float, list[float]]:
    """Ask `count` times in all, by so many clients at once; return the seconds, and what each request waited."""
    body = order["body"].encode()
    request = f"{order['head']}Host: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    left, waited = iter(range(count)), list[float]()
    loop, began_s = asyncio.get_running_loop(), _CLOCK.monotonic()
    made = [await loop.create_connection(lambda: _Client(request, left, waited), host, port) for _ in range(clients)]
    await asyncio.gather(*(client.done for _, client in made))
    return _CLOCK.monotonic() - began_s, waited


def main() -> None:
    """Carry out orders until standard input ends."""
    host, port = sys.argv[1], int(sys.argv[2])
    ready()
    for order in orders():
        seconds, waited = asyncio.run(ask(host, port, order, order["clients"], order["count"]))
        ready(seconds=seconds, waited=waited)


def _length_of(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    main()
