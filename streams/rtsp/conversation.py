"""What one control connection asks for, method by method: at most one presentation and one session at a time."""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from streams.media.packets import Track, TrackInfo
from streams.media.rtp import format_of
from streams.rtsp import sdp
from streams.rtsp.addresses import OverControl, RtspUrl, choose_transport, read_basic, read_url
from streams.rtsp.errors import (
    MalformedMessage,
    MethodNotServed,
    NoSuchSession,
    NoSuchTrack,
    NothingToServe,
    NotInThisState,
    OptionNotSupported,
    ParameterNotUnderstood,
    TransportNotServed,
)
from streams.rtsp.outlets import ControlOutlet, Outlet, open_udp
from streams.rtsp.protocol import Request, Response
from streams.rtsp.session import Session
from streams.rtsp.sources import RtspFeed, RtspSources
from streams.rtsp.statuses import answer, refused
from vms_privacy.errors import Refusal
from vms_privacy.ids import Randomness


class Wire(Protocol):
    """What a conversation needs of its connection."""

    secure: bool
    local: Sequence[object]
    peer: Sequence[object]

    def write(self, data: bytes) -> None:
        """Hand bytes to the kernel or keep them for it."""
        ...

    def waiting(self) -> int:
        """Return the bytes that the kernel has not taken yet."""
        ...

    def heard(self) -> None:
        """Note a sign of life."""
        ...

    def cut(self) -> None:
        """End everything at once; from any thread."""
        ...

    def play_is_over(self, fault: BaseException | None) -> None:
        """Hear that nothing more will be sent: the camera ended, or why sending failed."""
        ...


@dataclass(frozen=True, slots=True)
class _Presentation:
    """What a DESCRIBE or the first SETUP opened; only tracks that RTP has a format for."""

    path: str
    feed: RtspFeed
    tracks: tuple[TrackInfo, ...]


class Conversation:
    """Answers the requests of one client and holds what they opened."""

    def __init__(
        self, wire: Wire, sources: RtspSources, randomness: Randomness, session_s: float, most_waiting: int
    ) -> None:
        self._wire = wire
        self._sources = sources
        self._randomness = randomness
        self._session_s = session_s
        self._most_waiting = most_waiting
        self._peer = str(wire.peer[0])
        # A password in the clear is taken only where nobody can listen (design, RTSP).
        self._may_carry_password = wire.secure or _is_loopback(self._peer)
        self._presentation: _Presentation | None = None
        self._session: Session | None = None
        self._channels: set[int] = set()
        self.refusals = 0
        self._methods: Mapping[str, Callable[[Request], Awaitable[Response]]] = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "TEARDOWN": self._teardown,
            "GET_PARAMETER": self._keep_alive,
            "SET_PARAMETER": self._keep_alive,
        }

    @property
    def has_session(self) -> bool:
        """Whether a track is set up."""
        return self._session is not None

    async def answer(self, request: Request) -> Response:
        """Return the answer to one request; a refusal is an answer too."""
        try:
            if request.sequence is None:
                raise MalformedMessage("a request needs a CSeq")
            if "require" in request.headers:
                raise OptionNotSupported("no option is supported", option=request.headers["require"][:64])
            method = self._methods.get(request.method)
            if method is None:
                raise MethodNotServed("this method is not served")
            return await method(request)
        except Refusal as refusal:
            self.refusals += 1
            return refused(refusal, 'Basic realm="vms-privacy"' if self._may_carry_password else "Bearer")

    async def release(self) -> None:
        """Give back everything; raises what made sending fail, if it was a fault of ours."""
        session, self._session = self._session, None
        presentation, self._presentation = self._presentation, None
        self._channels.clear()
        try:
            if session is not None:
                await session.stop()
        finally:
            if presentation is not None:
                await presentation.feed.close()

    def silence(self) -> None:
        """Send no further byte, from inside the loop; `release` still has to follow."""
        if self._session is not None:
            self._session.silence()

    async def _options(self, request: Request) -> Response:
        return answer(200, {"Public": ", ".join(self._methods)})

    async def _describe(self, request: Request) -> Response:
        if self._session is not None:
            raise NotInThisState("a session is open on this connection")
        url = read_url(request.uri)
        presentation = await self._open(url, request)
        base = f"{'rtsps' if self._wire.secure else 'rtsp'}://{url.authority}/{url.path}/"
        body = sdp.describe(presentation.tracks, base, int.from_bytes(self._randomness.octets(4), "big"))
        return answer(200, {"Content-Base": base, "Content-Type": "application/sdp"}, body)

    async def _setup(self, request: Request) -> Response:
        url = read_url(request.uri)
        if self._session is not None or "session" in request.headers:
            session = self._named_session(request)
            if session.is_playing:
                raise NotInThisState("a playing session gets no further track")
        presentation = self._presentation
        if presentation is None or presentation.path != url.path:
            if self._session is not None:
                raise NotInThisState("a session has one presentation")
            presentation = await self._open(url, request)
        number = 0 if url.track is None and len(presentation.tracks) == 1 else url.track
        if number is None or number >= len(presentation.tracks):
            raise NoSuchTrack("there is no such track")
        info = presentation.tracks[number]
        if self._session is not None and self._session.has(info.track):
            raise NotInThisState("the track is set up already")
        outlet = await self._outlet(request.headers.get("transport", ""))
        if self._session is None:
            key = self._randomness.octets(12).hex()
            self._session = Session(key, presentation.feed, self._randomness, self._most_waiting)
        line = self._session.add(info, outlet)
        transport = f"{outlet.describe()};ssrc={line.stream.ssrc:08X}"
        return answer(200, {"Session": f"{self._session.key};timeout={int(self._session_s)}", "Transport": transport})

    async def _outlet(self, transports: str) -> Outlet:
        chosen = choose_transport(transports, self._channels, udp_allowed=not self._wire.secure)
        if isinstance(chosen, OverControl):
            self._channels |= {chosen.rtp, chosen.rtcp}
            return ControlOutlet(self._wire.write, chosen)
        try:
            return await open_udp(self._wire.local, self._wire.peer, chosen, self._wire.heard)
        except OSError:
            raise TransportNotServed("no UDP ports are free") from None

    async def _play(self, request: Request) -> Response:
        session = self._named_session(request)
        if not session.is_playing:
            session.play(self._wire.waiting, self._wire.play_is_over)
        base = request.uri.partition("?")[0].rstrip("/")
        info = ",".join(f"url={base}/trackID={n};seq={seq}" for n, seq in self._sequences(session))
        return answer(200, {"Session": session.key, "Range": "npt=now-", "RTP-Info": info})

    def _sequences(self, session: Session) -> list[tuple[int, int]]:
        assert self._presentation is not None
        tracks = [info.track for info in self._presentation.tracks]
        return [(tracks.index(line.info.track), line.stream.sequence) for line in session.lines]

    async def _teardown(self, request: Request) -> Response:
        self._named_session(request)
        await self.release()
        return answer(200)

    async def _keep_alive(self, request: Request) -> Response:
        if "session" in request.headers:
            self._named_session(request)
        if request.body:
            raise ParameterNotUnderstood("there are no parameters here")
        return answer(200, {} if self._session is None else {"Session": self._session.key})

    def _named_session(self, request: Request) -> Session:
        key = request.headers.get("session", "").partition(";")[0].strip()
        if self._session is None or key != self._session.key:
            raise NoSuchSession("no such session on this connection")
        return self._session

    async def _open(self, url: RtspUrl, request: Request) -> _Presentation:
        """Let the client in to a path, anew for every DESCRIBE, and leave what was open before."""
        await self.release()
        basic = read_basic(request.headers.get("authorization")) if self._may_carry_password else None
        feed = await self._sources.open(url.path, url.query, basic, self._peer)
        feed.attach(self._wire.cut)
        tracks = tuple(info for info in feed.tracks if format_of(info) is not None)
        self._presentation = _Presentation(url.path, feed, tracks)
        if not tracks or any(info.track is Track.VIDEO and info not in tracks for info in feed.tracks):
            # Sound alone, because the picture cannot be told, would be taken for a fault of the camera.
            await self.release()
            raise NothingToServe("the camera sends no picture that RTP can carry from here")
        return self._presentation


def _is_loopback(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback
