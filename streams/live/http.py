"""Routes of live pictures: HLS and the endless MP4, and what a player asks before it starts.

The paths follow Flussonic's streaming URLs. `token` opens a media session; nested URIs carry its key as `s`. Async,
because one camera fans out to many viewers: what asks the database goes through a thread.
"""

import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from auth.errors import NotFound
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.entrance import MediaEntrance, by_key, by_token
from auth.media_sessions.rules import Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.principal import Principal, PrincipalKind
from auth.tokens.rules import Action
from auth.tokens.service import Admission, StreamTokens
from streams.live.channel import Channel, Follower
from streams.live.errors import PieceHasPassed
from streams.live.ring import Piece
from streams.live.segments import LiveSegment
from streams.live.service import LiveService
from streams.live.shapes import CameraInfo, LiveStats, MediaInfo, codec_names, media_info
from streams.live.stream import END_OF, MEDIA_HEADERS, Block, Ending, MediaResponse, PieceIsGone
from streams.media.packets import Track
from streams.media.playlists import CONTENT_TYPE, PlaylistSegment, Variant, live_playlist, master_playlist
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.clock import Clock
from vms_privacy.group_commit import GroupCommit

_MP4: Final = "video/mp4"
_BY_TOKEN: Final = by_token(Action.LIVE)
_BY_KEY: Final = by_key(Action.LIVE)
Token = Annotated[str | None, Query(description="a stream token in either form")]
Key = Annotated[str | None, Query(description="the key of a media session, as nested URIs carry it")]
Number = Annotated[int, Path(ge=0, le=2**53)]


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What the routes are made of."""

    live: LiveService
    door: MediaDoor
    tokens: StreamTokens
    sessions: MediaSessions
    pseudonyms: Pseudonyms
    group: GroupCommit
    audit: AuditLog
    clock: Clock


def live_routes(parts: LiveParts) -> APIRouter:
    """Return the routes. Every one refuses before it says anything about the camera."""
    routes = APIRouter(prefix="/{operator}/{camera}", tags=["live"])
    entrance = MediaEntrance(parts.door, parts.tokens, parts.sessions, parts.pseudonyms, Action.LIVE)

    @routes.get("/index.m3u8", openapi_extra=_BY_TOKEN, response_class=Response)
    async def index(operator: str, camera: str, request: Request, token: Token = None) -> Response:
        """Open (or find again) the viewer's session, and name the one variant there is."""
        session = await run_in_threadpool(entrance.by_token, request, operator, camera, token, Protocol.HLS)
        channel = parts.live.channel(session.camera_id)
        channel.asked()
        await channel.first_segment()
        return _playlist(master_playlist([_variant(channel, session.key)]))

    @routes.get("/live.m3u8", openapi_extra=_BY_KEY, response_class=Response)
    async def playlist(operator: str, camera: str, request: Request, s: Key = None) -> Response:
        """Return the segments that can be had now."""
        session = entrance.by_key(request, operator, camera, s)
        channel = parts.live.channel(session.camera_id)
        channel.asked()
        await channel.first_segment()
        return _playlist(_live_text(channel, session.key))

    @routes.get("/live/{run}/init.mp4", openapi_extra=_BY_KEY, response_class=Response)
    async def init(operator: str, camera: str, run: Number, request: Request, s: Key = None) -> Response:
        """Return what a decoder needs before the first segment of a run."""
        session = entrance.by_key(request, operator, camera, s)
        found = parts.live.channel(session.camera_id).ring.run_of(run)
        if found is None:
            raise PieceHasPassed
        session.count(len(found.init))
        return Response(found.init, headers=MEDIA_HEADERS, media_type=_MP4)

    @routes.get("/live/{number}.m4s", openapi_extra=_BY_KEY, response_class=Response)
    async def segment(operator: str, camera: str, number: Number, request: Request, s: Key = None) -> Response:
        """Return one complete segment, piece by piece from the ring."""
        session = entrance.by_key(request, operator, camera, s)
        channel = parts.live.channel(session.camera_id)
        channel.asked()
        found = channel.ring.segments.get(number)
        if found is None:
            raise PieceHasPassed if number < channel.ring.segments.following else NotFound
        _check_all(session, channel, found)
        return MediaResponse(
            session,
            _segment_blocks(session, channel, found),
            _MP4,
            (session.attach, channel.attach),
            channel.limits.stall_seconds,
            _nothing_more,
            length=channel.size_of(found),
        )

    @routes.get("/live.mp4", openapi_extra=_BY_TOKEN, response_class=Response)
    async def endless(operator: str, camera: str, request: Request, token: Token = None) -> Response:
        """Stream from the newest key picture on, until the camera's parameters change or the session ends."""
        session = await run_in_threadpool(entrance.by_token, request, operator, camera, token, Protocol.STREAM)
        ending = _EndOfStream(parts, session)
        try:
            channel = parts.live.channel(session.camera_id)
        except BaseException:
            await ending(Ending.COMPLETE)
            raise
        follower = ending.follower = Follower(channel)
        return MediaResponse(
            session,
            _endless_blocks(session, channel, follower),
            _MP4,
            (session.attach, channel.attach),
            channel.limits.stall_seconds,
            ending,
        )

    @routes.get("/info.json", openapi_extra=_BY_TOKEN)
    async def info(operator: str, camera: str, request: Request, response: Response, token: Token = None) -> CameraInfo:
        """Say what a player asks before it starts, and every few seconds after."""
        admission = await run_in_threadpool(entrance.only_asking, request, operator, camera, token)
        response.headers.update(MEDIA_HEADERS)
        return _info(parts.live, admission)

    @routes.get("/media_info.json", openapi_extra=_BY_TOKEN)
    async def tracks(
        operator: str, camera: str, request: Request, response: Response, token: Token = None
    ) -> MediaInfo:
        """Say which tracks there are."""
        admission = await run_in_threadpool(entrance.only_asking, request, operator, camera, token)
        response.headers.update(MEDIA_HEADERS)
        return _info(parts.live, admission).stats.media_info

    return routes


class _EndOfStream:
    """Ends the session of an endless response, and leaves a trace if its viewer was brought forward."""

    def __init__(self, parts: LiveParts, session: MediaSession) -> None:
        self._parts = parts
        self._session = session
        self.follower: Follower | None = None

    async def __call__(self, ending: Ending) -> None:
        self._parts.sessions.end(self._session, END_OF[ending])
        if self.follower is not None and self.follower.dropped:
            event = self._event(self.follower.dropped)
            await run_in_threadpool(self._parts.group.run, lambda own: self._parts.audit.note(own, event))

    def _event(self, dropped: int) -> Event:
        return Event(
            tag=Tag.VIEWER_BROUGHT_FORWARD,
            at=self._parts.clock.now(),
            actor=Principal(PrincipalKind.PERSON, self._session.person_id).label,
            operator_id=self._session.operator_id,
            camera_id=self._session.camera_id,
            detail={"session": str(self._session.id), "dropped_fragments": dropped},
        )


async def _nothing_more(_: Ending) -> None:
    """One segment of many: the session goes on, however this response ended."""


def _check_all(session: MediaSession, channel: Channel, segment: LiveSegment) -> None:
    """Refuse a segment of which a picture is restricted, before anything of it is answered."""
    for number in range(segment.first, segment.end):
        piece = channel.ring.piece(number)
        if piece is not None:
            session.check_live(piece.fragment.captured_from_us, piece.fragment.captured_until_us)


def _judged(session: MediaSession, piece: Piece) -> Block:
    """Return a piece that is judged by the time at which it was captured, whenever some of it goes out."""
    from_us, until_us = piece.fragment.captured_from_us, piece.fragment.captured_until_us

    async def judge() -> float:
        session.check_live(from_us, until_us)
        return math.inf

    return Block(piece.fragment.data, judge)


async def _segment_blocks(session: MediaSession, channel: Channel, segment: LiveSegment) -> AsyncGenerator[Block, None]:
    for number in range(segment.first, segment.end):
        piece = channel.ring.piece(number)
        if piece is None:
            raise PieceIsGone
        yield _judged(session, piece)


async def _endless_blocks(session: MediaSession, channel: Channel, follower: Follower) -> AsyncGenerator[Block, None]:
    channel.enter()
    try:
        piece = await follower.next()
        if piece is not None:
            yield Block(piece.run.init)
        while piece is not None:
            block = _judged(session, piece)
            yield block
            # While this waits, only the ring may keep a picture alive.
            del piece, block
            piece = await follower.next()
    finally:
        channel.leave()


def _playlist(text: str) -> Response:
    return Response(text, headers=MEDIA_HEADERS, media_type=CONTENT_TYPE)


def _variant(channel: Channel, key: str) -> Variant:
    run = channel.ring.listed()[-1].run
    video = next(info for info in run.tracks if info.track is Track.VIDEO)
    return Variant(f"live.m3u8?s={key}", channel.peak_bits(), codec_names(run), video.width, video.height)


def _live_text(channel: Channel, key: str) -> str:
    listed = channel.ring.listed()
    segments = [
        PlaylistSegment(
            uri=f"live/{one.number}.m4s?s={key}",
            init_uri=f"live/{one.run.number}/init.mp4?s={key}",
            duration_us=one.duration_us,
            captured_from_us=one.captured_from_us,
            begins_new_timeline=one.begins_new_timeline,
        )
        for one in listed
    ]
    first = listed[0]
    return live_playlist(
        segments,
        media_sequence=first.number,
        discontinuity_sequence=first.timeline - first.begins_new_timeline,
        target_seconds=channel.ring.segments.target_seconds or 0,
    )


def _info(live: LiveService, admission: Admission) -> CameraInfo:
    state = live.state(admission.resource.camera_id)
    stats = LiveStats(
        status="running" if state.is_alive else "waiting",
        alive=state.is_alive,
        last_dts_at=state.newest_us // 1000 if state.newest_us else None,
        media_info=media_info(state.run if state.is_alive else None),
    )
    return CameraInfo(name=admission.resource.name, title=admission.resource.name, stats=stats)
