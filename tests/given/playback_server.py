"""The archive's routes behind a real uvicorn on a real socket, with footage of the camera `north/door`."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from archive.playback.entrance import ArchiveEntrance
from archive.playback.http import PlaybackParts, playback_routes
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.rules import Protocol
from auth.media_sessions.session import MediaSession
from auth.principal import Principal
from auth.resources.rules import Resource
from auth.tokens.rules import Action, Window
from auth.tokens.service import Admission, Asked
from streams.media.packets import Fragment, Packet, Track
from tests.given.clock import HandClock
from tests.given.encoded import START_US, Encoded
from tests.given.fragmented import fragments_of
from tests.given.media_server import DEADLINE_S, MediaServer
from tests.given.tokens import MINUTES_5, TokenParts
from tests.given.vault import Vault
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.audit.tables import EventRow

NOON_S = START_US // 1_000_000


class HastyDoor(MediaDoor):
    """Ends the next session that it lets somebody in with, as the end of another response of the same client may."""

    ends_the_next = False

    def enter(self, text: str | None, asked: Asked, protocol: Protocol, address: str) -> tuple[MediaSession, Admission]:
        entered = super().enter(text, asked, protocol, address)
        if self.ends_the_next:
            self.ends_the_next = False
            self._sessions.end(entered[0])
        return entered


class PlaybackServer(MediaServer):
    """Use as an async context manager. The clock is the test's; sessions are judged again when `rejudge` is called."""

    def __init__(self, parts: TokenParts, clock: HandClock, folder: Path, stall_seconds: float = 10.0) -> None:
        self.clock = clock
        self.entry = HastyDoor(parts.tokens, parts.sessions)
        self.vault = Vault(parts, clock, folder)
        self.door: Resource = parts.camera
        pseudonyms = Pseudonyms(parts.keyring, clock)
        entrance = ArchiveEntrance(parts.db, parts.gate, self.entry, parts.tokens, parts.sessions, pseudonyms, clock)
        self._entrance = entrance
        playback = PlaybackParts(self.vault.footage, entrance, parts.sessions, clock, stall_seconds)
        super().__init__(parts, "/north/door", playback_routes(playback))

    def token(
        self,
        asker: Principal,
        lifetime: timedelta = MINUTES_5,
        window: Window = (None, None),
        camera: Resource | None = None,
    ) -> str:
        """A handle that opens the archive of a camera."""
        return self.parts.issue(asker, Action.ARCHIVE, lifetime=lifetime, window=window, camera=camera).handle

    def later(self, step: timedelta) -> None:
        """Time passes, and the service has gone on to hear of withdrawals."""
        self.clock.forward(step)
        self.parts.view.heartbeat()

    @property
    def names_known(self) -> int:
        """Under how many names somebody was let in."""
        return len(self._entrance._entrance._names)

    async def settled(self) -> None:
        """Wait until no response is under way any more, also on the server's side."""
        async with asyncio.timeout(DEADLINE_S):
            while any(one.is_sending for one in self.parts.sessions.of_operator(self.parts.operator_id)):
                await asyncio.sleep(0.01)

    async def rejudge(self) -> int:
        """What the service's timer does every half second."""
        return await asyncio.to_thread(self.parts.sessions.rejudge)

    async def pieces(self, path: str) -> "Playlist":
        """Load a playlist. Raises AssertionError if it is refused."""
        status, _, body = await self.get(path)
        assert status == 200, body
        return Playlist(body.decode())

    async def film(self, path: str) -> bytes:
        """Load a whole file."""
        status, headers, body = await self.get(path)
        assert (status, headers["content-type"]) == (200, "video/mp4"), body
        return body

    async def body_of(self, uri: str) -> bytes:
        """Load a nested URI."""
        status, headers, body = await self.get(uri)
        assert (status, headers["content-type"]) == (200, "video/mp4"), body
        return body


class Playlist:
    """A playlist as a player reads it: timelines (cut at discontinuities) of pieces, each with its init segment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.inits: list[str] = []
        self.timelines: list[list[str]] = [[]]
        for line in text.splitlines():
            if line.startswith("#EXT-X-DISCONTINUITY"):
                self.timelines.append([])
            elif line.startswith("#EXT-X-MAP"):
                self.inits.append(line.split('"')[1])
            elif not line.startswith("#"):
                self.timelines[-1].append(line)

    @property
    def uris(self) -> list[str]:
        return [uri for timeline in self.timelines for uri in timeline]

    async def played(self, server: PlaybackServer, timeline: int = 0, init: int = 0) -> bytes:
        """One timeline as one file: its init segment and its pieces."""
        blocks = [await server.body_of(uri) for uri in (self.inits[init], *self.timelines[timeline])]
        return b"".join(blocks)


def groups(made: Encoded, seconds: int, packets: Sequence[Packet] | None = None) -> Iterator[list[Fragment]]:
    """The fragments of a stream in groups of about so many seconds, each beginning with a key picture."""
    group: list[Fragment] = []
    for fragment in fragments_of(made.epoch(), made.packets if packets is None else packets):
        is_cut = fragment.track is Track.VIDEO and fragment.starts_with_key and bool(group)
        if is_cut and fragment.captured_from_us - group[0].captured_from_us >= seconds * 1_000_000:
            yield group
            group = []
        group.append(fragment)
    yield group


def reconnected(made: Encoded, seconds: float) -> list[Packet]:
    """The same stream captured so much later, by a camera whose stamps began anew."""
    return [
        replace(one, captured_at_us=later.captured_at_us, arrived_at_us=later.arrived_at_us)
        for one, later in zip(made.packets, made.later(seconds), strict=True)
    ]


def outcome(event: EventRow) -> tuple[str, int]:
    """Why a session ended, and how many bytes went out."""
    octets: int = json.loads(event.detail)["bytes"]
    return event.reason, octets
