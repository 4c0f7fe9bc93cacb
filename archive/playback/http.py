"""Routes of recorded footage: HLS, MP4, and which times there are. Paths follow Flussonic's; times are UTC seconds.

A token opens a media session; nested URIs carry its key as `s`. What has expired answers 410 from its very second.
Plain functions: each request needs the database and the disk, so it gets a thread for all it asks of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from archive.errors import SpanRunsBackward
from archive.format.index import FragmentEntry
from archive.playback.entrance import ArchiveEntrance
from archive.playback.listing import init_of, listed
from archive.playback.opening import Look
from archive.playback.outgoing import Viewer
from archive.playback.reel import film_of
from archive.playback.rules import LONGEST_SPAN_US
from archive.playback.service import Footage
from archive.segments.rules import Span
from auth.media_sessions.entrance import by_key, by_token
from auth.media_sessions.errors import SessionOver
from auth.media_sessions.rules import Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.tokens.rules import Action
from streams.live.stream import END_OF, MEDIA_HEADERS, Ending, MediaResponse
from streams.media.fragments import shift_decode_time
from streams.media.packets import Track
from streams.media.playlists import CONTENT_TYPE, recorded_playlist
from vms_privacy.clock import Clock
from vms_privacy.ids import SegmentId
from vms_privacy.web import Strict

STALL_SECONDS: Final = 10.0
_MP4: Final = "video/mp4"
_S: Final = 1_000_000
_BY_TOKEN: Final = by_token(Action.ARCHIVE)
_BY_KEY: Final = by_key(Action.ARCHIVE)
LetGo = Callable[[], None]
Token = Annotated[str | None, Query(description="a stream token in either form")]
Key = Annotated[str | None, Query(description="the key of a media session, as nested URIs carry it")]
Start = Annotated[int, Path(ge=0, le=2**33, description="UTC seconds since 1970")]
Length = Annotated[int, Path(ge=1, le=LONGEST_SPAN_US // _S, description="seconds")]
Place = Annotated[int, Path(ge=0, le=2**31)]
Ticks = Annotated[int, Query(ge=-(2**62), le=2**62, description="by how much decode times are moved")]
Millis = Annotated[int, Query(ge=0, le=2**43, description="UTC milliseconds since 1970")]


@dataclass(frozen=True, slots=True)
class PlaybackParts:
    """What the routes are made of. Who takes no byte for `stall_seconds` is cut."""

    footage: Footage
    entrance: ArchiveEntrance
    sessions: MediaSessions
    clock: Clock
    stall_seconds: float = STALL_SECONDS


class RangeShown(Strict):
    """One stretch that can be played, in milliseconds since 1970 UTC."""

    opened_at: int
    closed_at: int


class RangesShown(Strict):
    """All stretches in the span asked for; neighbours are joined, and what reaches out of the span is cut off."""

    ranges: list[RangeShown]


class StatusShown(Strict):
    """Which stretches can be played, in seconds since 1970 UTC."""

    stream: str
    ranges: list[dict[Literal["from", "duration"], int]]


def playback_routes(parts: PlaybackParts) -> APIRouter:
    """Return the routes. Every one refuses before it says anything about the camera."""
    routes = APIRouter(prefix="/{operator}/{camera}", tags=["archive"])
    footage, entrance = parts.footage, parts.entrance

    @routes.get("/archive-{start}-{duration}.m3u8", openapi_extra=_BY_TOKEN, response_class=Response)
    def playlist(
        operator: str, camera: str, start: Start, duration: Length, request: Request, token: Token = None
    ) -> Response:
        """Open (or find again) the session, and list what may be seen of the span."""
        wanted = _span(start, duration)
        session, look = entrance.by_token(request, operator, camera, token, Protocol.HLS, wanted)
        pieces = listed(footage, look, wanted, session.key)
        return Response(recorded_playlist(pieces), headers=MEDIA_HEADERS, media_type=CONTENT_TYPE)

    @routes.get("/archive/{segment_id}/init.mp4", openapi_extra=_BY_KEY, response_class=Response)
    def init(operator: str, camera: str, segment_id: UUID, request: Request, s: Key = None) -> Response:
        """Return what a decoder needs before the fragments of a segment, as long as one of them may be seen."""
        session, look = entrance.by_key(request, operator, camera, s)
        data = init_of(footage, look, SegmentId(segment_id))
        session.count(len(data))
        return Response(data, headers=MEDIA_HEADERS, media_type=_MP4)

    @routes.get("/archive/{segment_id}/{first}-{last}.m4s", openapi_extra=_BY_KEY, response_class=Response)
    def fragments(
        operator: str,
        camera: str,
        segment_id: UUID,
        first: Place,
        last: Place,
        request: Request,
        s: Key = None,
        v: Ticks = 0,
        a: Ticks = 0,
    ) -> Response:
        """Return a run of fragments; 410 from the second in which its first picture has expired."""
        session, look = entrance.by_key(request, operator, camera, s)
        viewer = Viewer(footage, look, session, parts.clock)
        run = viewer.open(SegmentId(segment_id), range(first, last + 1))
        blocks = run.blocks(partial(_moved, {Track.VIDEO: v, Track.AUDIO: a}) if v or a else None)
        return MediaResponse(
            session, blocks, _MP4, (session.attach,), parts.stall_seconds, _nothing_more, length=run.length
        )

    @routes.get("/archive-{start}-{duration}.mp4", openapi_extra=_BY_TOKEN, response_class=Response)
    def movie(
        operator: str, camera: str, start: Start, duration: Length, request: Request, token: Token = None
    ) -> Response:
        """Stream the span as one file; each fragment is judged when it is sent."""
        wanted = _span(start, duration)
        enter = partial(entrance.by_token, request, operator, camera, token, Protocol.FILE, wanted)
        session, look, let_go = _held(enter)
        try:
            film = film_of(Viewer(footage, look, session, parts.clock), wanted)
        except BaseException:
            let_go()
            _end(parts.sessions, session, Ending.COMPLETE)
            raise
        places = (session.attach, lambda _: let_go)
        ended = partial(_ended, parts.sessions, session)
        response = MediaResponse(session, film, _MP4, places, parts.stall_seconds, ended)
        response.headers["Accept-Ranges"] = "none"
        return response

    @routes.get("/ranges.json", openapi_extra=_BY_TOKEN)
    def ranges(
        operator: str,
        camera: str,
        request: Request,
        response: Response,
        opened_at_lte: Millis = 2**43,
        closed_at_gte: Millis = 0,
        token: Token = None,
    ) -> RangesShown:
        """Say which times can be played now."""
        if opened_at_lte < closed_at_gte:
            raise SpanRunsBackward("the span asked for ends before it begins")
        response.headers.update(MEDIA_HEADERS)
        asked = Span(closed_at_gte * 1000, opened_at_lte * 1000 + 1)
        found = entrance.only_asking(request, operator, camera, token, footage, asked)
        shown = [RangeShown(opened_at=one.from_us // 1000, closed_at=one.until_us // 1000) for one in found]
        return RangesShown(ranges=shown)

    @routes.get("/recording_status.json", openapi_extra=_BY_TOKEN)
    def recording_status(
        operator: str, camera: str, request: Request, response: Response, token: Token = None
    ) -> list[StatusShown]:
        """Say which times can be played now, in the form that older players ask for."""
        response.headers.update(MEDIA_HEADERS)
        found = entrance.only_asking(request, operator, camera, token, footage, Span(0, 2**53))
        shown: list[dict[Literal["from", "duration"], int]] = [
            {"from": one.from_us // _S, "duration": one.until_us // _S - one.from_us // _S} for one in found
        ]
        return [StatusShown(stream=f"{operator}/{camera}", ranges=shown)]

    return routes


def _span(start: int, duration: int) -> Span:
    return Span(start * _S, (start + duration) * _S)


def _moved(shifts: Mapping[Track, int], entry: FragmentEntry, data: bytes) -> bytes:
    """Move a fragment's decode time, but never below zero."""
    return shift_decode_time(data, max(shifts[entry.track], -entry.decode_time))


def _held(enter: Callable[[], tuple[MediaSession, Look]]) -> tuple[MediaSession, Look, LetGo]:
    """Enter, and hold the session: the end of another download of the same client does not end it from here on.

    A client that leaves one download for another may find the session in the moment in which the first one ends it;
    then it enters once more, which opens a new one.
    """
    try:
        session, look = enter()
        return session, look, session.attach(_nothing_to_cut)
    except SessionOver:
        session, look = enter()
        return session, look, session.attach(_nothing_to_cut)


async def _nothing_more(_: Ending) -> None:
    """One piece of many: the session goes on, however this response ended."""


def _nothing_to_cut() -> None:
    """Nothing is being sent yet."""


async def _ended(sessions: MediaSessions, session: MediaSession, ending: Ending) -> None:
    _end(sessions, session, ending)


def _end(sessions: MediaSessions, session: MediaSession, ending: Ending) -> None:
    """End a session with the last of its responses."""
    if not session.is_sending:
        sessions.end(session, END_OF[ending])
