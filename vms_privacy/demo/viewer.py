"""A watcher's player, reduced to bytes and when they came: endless live on a thread, HLS by its playlists."""

import http.client
import itertools
import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

from vms_privacy.client import Answer, ApiClient, ApiRefused
from vms_privacy.clock import Clock


@dataclass(slots=True)
class Taken:
    """What a live viewer got: each read with the moment it was done, and how it ended."""

    reads: list[tuple[float, int]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    ended_at: float | None = None
    ended_by: str = ""

    def longest_pause_s(self, since: float, until: float) -> float:
        """Return the longest time without a byte within a span."""
        moments = [since, *(at for at, _ in self.reads if since < at < until), until]
        return max(after - before for before, after in itertools.pairwise(moments))


class LiveViewer:
    """Plays `live.mp4` on a thread of its own, as a block: it stops when the block ends."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = urlsplit(url)
        self._clock = clock
        self._stopping = threading.Event()
        self._begun = threading.Event()
        self._connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=60.0)
        self._thread = threading.Thread(target=self._watch, name="live-viewer", daemon=True)
        self.taken = Taken()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._connection.sock is not None and self._thread.is_alive():
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(15)

    def first_byte(self, within_s: float) -> bool:
        """Wait for the first byte of media; say whether it came in time."""
        return self._begun.wait(within_s)

    def ended(self, within_s: float) -> bool:
        """Wait for the end of the stream; say whether it came in time."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        connection = self._connection
        try:
            connection.request("GET", f"{self._url.path}?{self._url.query}")
            response = connection.getresponse()
            if response.status != 200:
                self.taken.ended_by = f"status {response.status}"
                return
            while data := response.read1(65536):
                self.taken.reads.append((self._clock.monotonic(), len(data)))
                self.taken.data += data
                self._begun.set()
            self.taken.ended_by = "end of stream"
        except (OSError, http.client.HTTPException) as error:
            self.taken.ended_by = "stopped" if self._stopping.is_set() else type(error).__name__
            return
        finally:
            self.taken.ended_at = self._clock.monotonic()
            connection.close()


@dataclass(frozen=True, slots=True)
class ListedPiece:
    """One segment of a playlist, with the moment of its first picture as the playlist tells it."""

    url: str
    init_url: str
    captured_at: str


def follow(client: ApiClient, path: str) -> tuple[str, str]:
    """Return (URL, text) of the media playlist behind a path, through a master playlist if there is one."""
    url = f"{client.url}{path}"
    text = fetch(client, url).decode()
    if "#EXT-X-STREAM-INF" in text:
        url = urljoin(url, next(line for line in text.splitlines() if line and not line.startswith("#")))
        text = fetch(client, url).decode()
    return url, text


def pieces_of(url: str, text: str) -> list[ListedPiece]:
    """Return what a media playlist names."""
    found, init_url, moment = [], "", ""
    for row in text.splitlines():
        if row.startswith("#EXT-X-MAP:URI="):
            init_url = urljoin(url, row.split('"')[1])
        elif row.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            moment = row.partition(":")[2]
        elif row and not row.startswith("#"):
            found.append(ListedPiece(urljoin(url, row), init_url, moment))
    return found


def fetch(client: ApiClient, url: str) -> bytes:
    """Return the body of a successful GET. Raises ApiRefused with the service's own code."""
    answer = ask(client, url)
    if answer.status != 200:
        code = answer.json().get("code", "") if "json" in answer.headers.get("content-type", "") else ""
        raise ApiRefused(answer.status, code, f"the service answered {answer.status} {code}")
    return answer.body


def ask(client: ApiClient, url: str) -> Answer:
    """Return whatever a GET of a full URL answers."""
    parts = urlsplit(url)
    return client.ask("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
