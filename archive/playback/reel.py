"""One film over many segments, on its way to one viewer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from starlette.concurrency import run_in_threadpool

from archive.playback.movie import Film, Line
from archive.playback.outgoing import Row, Run, Viewer
from archive.segments.rules import Span
from streams.live.stream import Block
from vms_privacy.ids import SegmentId


@dataclass(frozen=True, slots=True)
class _Shot:
    """Fragments of one segment; `part` is the number of its init segment in the film."""

    segment_id: SegmentId
    places: range
    part: int
    line: Line


def film_of(viewer: Viewer, wanted: Span) -> AsyncGenerator[Block, None]:
    """Return the blocks of a film, of which the first fragments are read already. Blocking.

    Raises as `Footage.find` and `Viewer.open`; so does the generator, as soon as the film cannot go on.
    """
    film, shots, first = _cast(viewer, wanted)
    return _blocks(viewer, film, shots, first)


def _cast(viewer: Viewer, wanted: Span) -> tuple[Film, list[_Shot], Run]:
    looked_at = viewer.clock.monotonic()
    parts = viewer.footage.find(viewer.look, wanted)
    inits: dict[tuple[str, int, str], bytes] = {}
    numbers: dict[tuple[str, int, str], int] = {}
    shots: list[_Shot] = []
    for one in parts:
        segment = one.sealed.segment
        line = (segment.run, segment.epoch, one.sealed.tracks)
        if line not in inits:
            numbers[line] = len(inits)
            inits[line] = viewer.footage.init(viewer.look, one.sealed, one.index)
        shots.append(_Shot(segment.id, one.chosen, numbers[line], Line(segment.run, segment.epoch)))
    film = Film(list(inits.values()), parts[0].entries[0].captured_from_us)
    opening = parts[0]
    return film, shots, viewer.open_row(Row(opening.seen, opening.index, looked_at), opening.chosen)


async def _blocks(viewer: Viewer, film: Film, shots: list[_Shot], first: Run) -> AsyncGenerator[Block, None]:
    yield Block(film.init)
    run: Run | None = first
    for shot in shots:
        if run is None:
            run = await run_in_threadpool(viewer.open, shot.segment_id, shot.places)
        async with aclosing(run.blocks(partial(film.fragment, shot.part, shot.line))) as blocks:
            async for block in blocks:
                yield block
        run = None
