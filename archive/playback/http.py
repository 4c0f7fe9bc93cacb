"""Routes of recorded footage: HLS, MP4, and which times there are. Paths follow Flussonic's; times are UTC seconds.

A token opens a media session; nested URIs carry its key as `s`. What has expired answers 410 from its very second.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from archive.errors import SpanTooLong
from archive.playback.entrance import ArchiveEntrance
from archive.playback.movie import Film, Line
from archive.playback.rules import LONGEST_SPAN_US, pieces
from archive.playback.service import Footage, Look, Part
from archive.segments.rules import Span
from auth.media_sessions.rules import End, Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from streams.live.stream import MEDIA_HEADERS, Ending, MediaResponse
from streams.media.playlists import CONTENT_TYPE, PlaylistSegment, recorded_playlist
from vms_privacy.ids import SegmentId
from vms_privacy.web import Strict

STALL_SECONDS: Final = 10.0
_MP4: Final = "video/mp4"
_BY_TOKEN: Final[dict[str, Any]] = {"x-needs": "stream token for archive"}
_BY_KEY: Final[dict[str, Any]] = {"x-needs": "media session for archive"}
Token = Annotated[str | None, Query(description="a stream token in either form")]
Key = Annotated[str | None, Query(description="the key of a media session, as nested URIs carry it")]
Start = Annotated[int, Path(ge=0, le=2**33, description="UTC seconds since 1970")]
Length = Annotated[int, Path(ge=1, le=LONGEST_SPAN_US // 1_000_000, description="seconds")]
Place = Annotated[int, Path(ge=0, le=2**31)]
Millis = Annotated[int | None, Query(ge=0, le=2**43, description="UTC milliseconds since 1970")]


class RangeShown(Strict):
    """One stretch that can be played, in milliseconds since 1970 UTC."""

    opened_at: int
    closed_at: int


class RangesShown(Strict):
    """All stretches in the span asked for; neighbours are joined."""

    ranges: list[RangeShown]


class StatusShown(Strict):
    """From when to when there is something, in seconds since 1970 UTC, and the stretches in between."""

    stream: str
    ranges: list[dict[Literal["from", "duration"], int]]


@dataclass(frozen=True, slots=True)
class _Reel:
    """What one film is made of."""

    look: Look
    session: MediaSession
    parts: list[Part]
    film: Film


def playback_routes(footage: Footage, entrance: ArchiveEntrance, sessions: MediaSessions) -> APIRouter:
    """Return the routes. Every one refuses before it says anything about the camera."""
    routes = APIRouter(prefix="/{operator}/{camera}", tags=["archive"])

    @routes.get("/archive-{start}-{duration}.m3u8", openapi_extra=_BY_TOKEN, response_class=Response)
    async def playlist(
        operator: str, camera: str, start: Start, duration: Length, request: Request, token: Token = None
    ) -> Response:
        """Open (or find again) the session, and list what may be seen of the span."""
        wanted = _span(start, duration)
        session, look = await entrance.by_token(request, operator, camera, token, Protocol.HLS, wanted)
        parts = await run_in_threadpool(footage.find, look, wanted)
        text = recorded_playlist(_listed(parts, session.key))
        return Response(text, headers=MEDIA_HEADERS, media_type=CONTENT_TYPE)

    @routes.get("/archive/{segment_id}/init.mp4", openapi_extra=_BY_KEY, response_class=Response)
    async def init(operator: str, camera: str, segment_id: UUID, request: Request, s: Key = None) -> Response:
        """Return what a decoder needs before the fragments of a segment."""
        session, look = await entrance.by_key(request, operator, camera, s)
        data = await run_in_threadpool(_init_of, footage, look, SegmentId(segment_id))
        session.count(len(data))
        return Response(data, headers=MEDIA_HEADERS, media_type=_MP4)

    @routes.get("/archive/{segment_id}/{first}-{last}.m4s", openapi_extra=_BY_KEY, response_class=Response)
    async def fragments(
        operator: str, camera: str, segment_id: UUID, first: Place, last: Place, request: Request, s: Key = None
    ) -> Response:
        """Return a run of fragments; 410 from the second in which its first picture has expired."""
        session, look = await entrance.by_key(request, operator, camera, s)
        places = range(first, last + 1)
        data, from_us = await run_in_threadpool(_read_of, footage, look, SegmentId(segment_id), places)
        session.check(from_us)
        return MediaResponse(
            session, _one_block(data), _MP4, (session.attach,), STALL_SECONDS, _nothing_more, length=len(data)
        )

    @routes.get("/archive-{start}-{duration}.mp4", openapi_extra=_BY_TOKEN, response_class=Response)
    async def movie(
        operator: str, camera: str, start: Start, duration: Length, request: Request, token: Token = None
    ) -> Response:
        """Stream the span as one file; each fragment is judged when it is sent."""
        wanted = _span(start, duration)
        session, look = await entrance.by_token(request, operator, camera, token, Protocol.FILE, wanted)
        reel = await run_in_threadpool(_reel, footage, look, session, wanted)

        async def ended(ending: Ending) -> None:
            sessions.end(session, End.MEDIA_OVER if ending is Ending.COMPLETE else End.CLIENT_LEFT)

        return MediaResponse(session, _film(footage, reel), _MP4, (session.attach,), STALL_SECONDS, ended)

    @routes.get("/ranges.json", openapi_extra=_BY_TOKEN)
    async def ranges(
        operator: str,
        camera: str,
        request: Request,
        response: Response,
        opened_at_lte: Millis = None,
        closed_at_gte: Millis = None,
        token: Token = None,
    ) -> RangesShown:
        """Say which times can be played now."""
        response.headers.update(MEDIA_HEADERS)
        asked = Span((closed_at_gte or 0) * 1000, max((opened_at_lte or 2**43) * 1000, 1))
        found = await entrance.only_asking(request, operator, camera, token, footage, asked)
        return RangesShown(
            ranges=[RangeShown(opened_at=one.from_us // 1000, closed_at=one.until_us // 1000) for one in found]
        )

    @routes.get("/recording_status.json", openapi_extra=_BY_TOKEN)
    async def recording_status(
        operator: str, camera: str, request: Request, response: Response, token: Token = None
    ) -> list[StatusShown]:
        """Say which times can be played now, in the form that older players ask for."""
        response.headers.update(MEDIA_HEADERS)
        found = await entrance.only_asking(request, operator, camera, token, footage, Span(0, 2**53))
        shown: list[dict[Literal["from", "duration"], int]] = [
            {"from": one.from_us // 1_000_000, "duration": (one.until_us - one.from_us) // 1_000_000} for one in found
        ]
        return [StatusShown(stream=f"{operator}/{camera}", ranges=shown)]

    return routes


def _span(start: int, duration: int) -> Span:
    if duration * 1_000_000 > LONGEST_SPAN_US:
        raise SpanTooLong("ask for at most a day at once")
    return Span(start * 1_000_000, (start + duration) * 1_000_000)


def _listed(parts: list[Part], key: str) -> list[PlaylistSegment]:
    listed: list[PlaylistSegment] = []
    inits: dict[tuple[str, int, str], str] = {}
    before: tuple[str, int, str] | None = None
    for part in parts:
        segment = part.sealed.segment
        line = (segment.run, segment.epoch, part.sealed.tracks)
        init_uri = inits.setdefault(line, f"archive/{segment.id}/init.mp4?s={key}")
        for piece in pieces(part.index.entries, part.chosen):
            listed.append(
                PlaylistSegment(
                    uri=f"archive/{segment.id}/{piece.first}-{piece.last}.m4s?s={key}",
                    init_uri=init_uri,
                    duration_us=piece.until_us - piece.from_us,
                    captured_from_us=piece.from_us,
                    begins_new_timeline=before is not None and line != before,
                )
            )
            before = line
    return listed


def _init_of(footage: Footage, look: Look, segment_id: SegmentId) -> bytes:
    sealed, index = footage.segment(look, segment_id)
    return footage.init(look, sealed, index)


def _read_of(footage: Footage, look: Look, segment_id: SegmentId, places: range) -> tuple[bytes, int]:
    sealed, index = footage.segment(look, segment_id)
    data = footage.read(look, sealed, index, places)
    return data, index.entries[places.start].captured_from_us


def _reel(footage: Footage, look: Look, session: MediaSession, wanted: Span) -> _Reel:
    parts = footage.find(look, wanted)
    inits = [footage.init(look, part.sealed, part.index) for part in parts]
    return _Reel(look, session, parts, Film(inits, parts[0].entries[0].captured_from_us))


async def _film(footage: Footage, reel: _Reel) -> AsyncGenerator[bytes, None]:
    yield reel.film.init
    for number, part in enumerate(reel.parts):
        segment = part.sealed.segment
        for at in part.chosen:
            entry = part.index.entries[at]
            reel.session.check(entry.captured_from_us)
            data = await run_in_threadpool(footage.read, reel.look, part.sealed, part.index, range(at, at + 1))
            block = reel.film.fragment(number, Line(segment.run, segment.epoch), entry, data)
            if block:
                yield block


async def _one_block(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def _nothing_more(_: Ending) -> None:
    """One piece of many: the session goes on, however this response ended."""
