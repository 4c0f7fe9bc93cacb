"""Looking at the files of rows, one by one, as deep as is wanted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from archive.check import store
from archive.check.opening import DoesNotOpen, Opened, Opening
from archive.check.places import Places
from archive.check.rules import Depth, Finding, Kind, Row, may_be_opened
from archive.recorder.standing import micros
from archive.segments import store as segments
from archive.segments.rules import State
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import SegmentId

OPENED_TOTALS: Final = ("files_opened", "bytes_opened", "pictures_decoded", "pictures_refused")
"""`pictures_refused` counts what a decoder would not take in files that decode: the faults of cameras and networks."""


_ROUNDS: Final = 8
"""How often each of those who ask does so before anybody is asked whether to stop."""


class Files:
    """Compares rows with their files. What could not be looked at is a finding, never an exception.

    `totals` is added to where files are opened; without `opening` the deepest depth cannot be asked for.
    """

    def __init__(
        self,
        db: Database,
        places: Places,
        clock: Clock,
        opening: Opening | None,
        totals: Callable[[], Counter[str]],
        at_once: int,
    ) -> None:
        self._db = db
        self._places = places
        self._clock = clock
        self._opening = opening
        self._totals = totals
        self._at_once = at_once

    @property
    def can_open(self) -> bool:
        """Say whether the deepest depth can be asked for."""
        return self._opening is not None

    def look_at_each(
        self, rows: Sequence[Row], depth: Depth, stop: Callable[[], bool]
    ) -> Iterator[tuple[Row, list[Finding]]]:
        """Look at these rows in their order until `stop` says so; what was begun by then is told.

        Several at once, except where files are opened: one thread has the decoder.
        """
        if self._at_once == 1 or depth >= Depth.OPENS:
            for row in rows:
                if stop():
                    return
                yield row, self.look(row, depth)
            return
        with ThreadPoolExecutor(self._at_once) as pool:
            for at in range(0, len(rows), self._at_once * _ROUNDS):
                if stop():
                    return
                some = rows[at : at + self._at_once * _ROUNDS]
                yield from zip(some, pool.map(partial(self.look, depth=depth), some), strict=True)

    def look(self, row: Row, depth: Depth) -> list[Finding]:
        """Return what is wrong with a row's file: at most one thing."""
        if row.state in {State.ERASING, State.ERASED}:
            return []
        try:
            kind = self._places.judge(row, depth)
            if kind is not None:
                return [row.finding(kind)]
            if depth >= Depth.OPENS and may_be_opened(row, micros(self._clock.for_reading())):
                return self._open(row)
        except (Refusal, OSError) as error:
            return [row.finding(Kind.CANNOT_TELL, code_of(error))]
        return []

    def look_again(self, segment_id: SegmentId, depth: Depth) -> list[Finding]:
        """Look at a row as it is now."""
        with self._db.reading() as session:
            row = store.by_id(session, segment_id)
        return [] if row is None else self.look(row, depth)

    def _open(self, row: Row) -> list[Finding]:
        if self._opening is None:
            raise ValueError("nothing here opens files")
        with self._db.reading() as session:
            sealed = segments.by_id(session, row.camera_id, row.id)
        if sealed is None:
            # Destroyed since the row was read: nothing is to be looked at any more.
            return []
        match self._opening.try_out(sealed, self._places.reader(row)):
            case DoesNotOpen(code, is_media_at_fault):
                return [row.finding(Kind.UNDECODABLE if is_media_at_fault else Kind.DAMAGED, code)]
            case Opened(plain_bytes, tried):
                counts = (1, plain_bytes, tried.pictures, tried.refused)
                self._totals().update(dict(zip(OPENED_TOTALS, counts, strict=True)))
        return []


def code_of(error: Exception) -> str:
    """Return a refusal's code, or the name of what else it was."""
    return error.code if isinstance(error, Refusal) else type(error).__name__
