"""One playing viewer: the feed's packets through the pace into the outlets of its tracks."""

import asyncio
from collections.abc import Callable

from streams.media.packets import Epoch, Packet, Track, TrackInfo
from streams.media.rtp import NotPackable, RtpStart, RtpStream, format_of
from streams.rtsp.outlets import Outlet
from streams.rtsp.rules import Pace, Send
from streams.rtsp.sources import RtspFeed
from vms_privacy.errors import Refusal
from vms_privacy.ids import Randomness

_REPORT_EVERY_US = 5_000_000


class TrackLine:
    """One track that was set up: its RTP stream, its outlet, and when it last reported."""

    def __init__(self, info: TrackInfo, stream: RtpStream, outlet: Outlet) -> None:
        self.info = info
        self.stream = stream
        self.outlet = outlet
        self.reported_us: int | None = None

    def send(self, packet: Packet) -> int:
        """Send one access unit, before it a report when one is due; returns the bytes of media."""
        if self.reported_us is None or packet.captured_at_us - self.reported_us >= _REPORT_EVERY_US:
            # The first report goes ahead of the first packet: a player can put picture and sound together at once.
            self.outlet.report(self.stream.sender_report(packet))
            self.reported_us = packet.captured_at_us
        datagrams = self.stream.packets(packet)
        self.outlet.media(datagrams)
        return sum(map(len, datagrams))


class Session:
    """What stands between SETUP and TEARDOWN."""

    def __init__(self, key: str, feed: RtspFeed, randomness: Randomness, most_waiting: int) -> None:
        self.key = key
        self._feed = feed
        self._randomness = randomness
        self._most_waiting = most_waiting
        self._lines: dict[Track, TrackLine] = {}
        self._playing: asyncio.Task[None] | None = None
        self.unpackable = 0

    @property
    def is_playing(self) -> bool:
        """Whether PLAY was asked."""
        return self._playing is not None

    @property
    def lines(self) -> tuple[TrackLine, ...]:
        """Return the tracks set up so far."""
        return tuple(self._lines.values())

    def add(self, info: TrackInfo, outlet: Outlet) -> TrackLine:
        """Set a track up."""
        line = TrackLine(info, RtpStream(info, RtpStart.out_of(self._randomness.octets(10))), outlet)
        self._lines[info.track] = line
        return line

    def has(self, track: Track) -> bool:
        """Whether the track is set up already."""
        return track in self._lines

    def play(self, waiting: Callable[[], int], when_over: Callable[[BaseException | None], None]) -> None:
        """Begin to send; `waiting` tells the bytes not taken yet, `when_over` hears of any other end."""
        self._playing = asyncio.create_task(self._send(waiting))
        self._playing.add_done_callback(lambda task: None if task.cancelled() else when_over(task.exception()))

    async def stop(self) -> None:
        """Send nothing more and give up the outlets. A fault of ours that ended the sending is raised."""
        self.silence()
        if self._playing is not None:
            (ended,) = await asyncio.gather(self._playing, return_exceptions=True)
            if isinstance(ended, Exception) and not isinstance(ended, Refusal):
                raise ended

    def silence(self) -> None:
        """Stop at once, from inside the loop: no further byte and no goodbye."""
        for line in self._lines.values():
            line.outlet.close()
        self._lines.clear()
        if self._playing is not None:
            self._playing.cancel()

    async def _send(self, waiting: Callable[[], int]) -> None:
        pace = Pace(Track.VIDEO in self._lines, self._most_waiting)
        async for item in self._feed.packets():
            if isinstance(item, Epoch):
                if not self._renew(item):
                    break
                pace.begin_again()
                continue
            line = self._lines.get(item.track)
            if line is not None and isinstance(pace.judge(item, waiting()), Send):
                try:
                    self._feed.sent(line.send(item))
                except NotPackable:
                    self.unpackable += 1
                    pace.begin_again()
        for line in self._lines.values():
            line.outlet.report(line.stream.goodbye())

    def _renew(self, epoch: Epoch) -> bool:
        """Go on under a new epoch; False when it cannot be told in the old session description."""
        new = {info.track: info for info in epoch.tracks}
        for track, line in self._lines.items():
            info = new.get(track)
            if info is None or info.codec != line.info.codec or format_of(info) != line.stream.format:
                return False
            line.stream.renew(info)
        return True
