"""One camera's time: what was opted in, and what footage and gaps tell of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Final

from sqlalchemy.orm import Session

from archive.check import store
from archive.check.rules import (
    NOT_YET_JUDGED_US,
    Finding,
    Kind,
    Row,
    both,
    joined,
    judge_opt_in,
    judge_time,
    length_us,
    outside,
    overlapping,
    unaccounted,
    without,
)
from archive.recorder.rules import opted_in
from archive.recorder.standing import EPOCH, micros
from archive.segments import days
from archive.segments.days import DAY_US, Amount
from archive.segments.rules import Span, State
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.ids import CameraId, ConsentEntryId, SegmentId
from vms_privacy.recording_times import store as recording_times
from vms_privacy.recording_times.errors import RecordingTimesUnreadable
from vms_privacy.recording_times.rules import changes, was_recorded_at

_EVER: Final = 2**62
_FOLD_AT: Final = 10_000
Growing = Callable[[CameraId], SegmentId | None]


@dataclass(slots=True)
class Account:
    """One camera's time in microseconds, its rows counted, and what is wrong with it.

    What is unaccounted and tolerated is no finding.
    """

    opted_in_us: int = 0
    recorded_us: int = 0
    destroyed_us: int = 0
    gaps_us: int = 0
    unaccounted_us: int = 0
    tolerated_us: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def account(session: Session, camera_id: CameraId, now_us: int, sweep_us: int, growing: Growing | None) -> Account:
    """Account for every second of a camera, and judge each of its rows by itself. One transaction: one picture."""
    spans = _opt_ins(session, camera_id)
    times = _Times()
    sums: dict[tuple[int, int], Amount] = {}
    found = Account()
    writes = None if growing is None else growing(camera_id)
    # What began while the database was away has no row yet, and the row before it no end.
    if writes is not None and writes in {one.id for one in store.registered(session)}:
        growing = None
    for row in _rows(session, camera_id):
        found.counts[f"segments_{row.state}"] += 1
        found.counts["segment_bytes"] += (row.size_bytes or 0) if row.state is not State.ERASED else 0
        is_growing = None if growing is None else writes == row.id
        late = judge_time(row, now_us, sweep_us, is_growing=is_growing)
        for kind in (late, judge_opt_in(row, spans.get(row.consent_entry_id))):
            if kind is not None:
                found.findings.append(row.finding(kind))
        times.add(row, now_us, is_stuck=late is Kind.STUCK)
        if row.state is State.STORED:
            of_day = _day_of(row)
            sums[of_day] = sums.get(of_day, Amount()) + _amount_of(row)
    found.findings += _wrong_sums(camera_id, sums, days.by_day(session, camera_id))
    found.findings += [Finding(Kind.OVERLAPPING, camera_id, one) for one in times.overlapping]
    whole = [
        Span(span.from_us, until) for span in spans.values() if (until := min(span.until_us, now_us)) > span.from_us
    ]
    gaps = [
        Span(from_us, until)
        for from_us, until_us in store.gaps(session, camera_id)
        if (until := now_us if until_us is None else until_us) > from_us
    ]
    told = [*times.living, *times.erased, *gaps]
    settled_us = now_us - NOT_YET_JUDGED_US
    judged = [Span(span.from_us, end) for span in whole if (end := min(span.until_us, settled_us)) > span.from_us]
    missing = unaccounted(judged, told)
    found.findings += [Finding(Kind.UNACCOUNTED, camera_id, None, "", span) for span in missing]
    found.findings += _outside_times(session, camera_id, [*times.living, *times.erased], now_us)
    found.opted_in_us = length_us(joined(whole))
    # Each moment counts once: as footage that is there, else as footage that was destroyed, else as a gap.
    found.recorded_us = length_us(both(whole, times.living))
    left = without(whole, times.living)
    found.destroyed_us = length_us(both(left, times.erased))
    found.gaps_us = length_us(both(without(left, times.erased), gaps))
    found.unaccounted_us = length_us(without(judged, told))
    found.tolerated_us = found.unaccounted_us - length_us(missing)
    return found


def _day_of(row: Row) -> tuple[int, int]:
    return ((row.destroy_from_us or 0) - row.keep_us) // DAY_US, row.keep_us


def _amount_of(row: Row) -> Amount:
    return Amount(1, row.size_bytes or 0, (row.ends_us or row.starts_us) - row.starts_us)


def _wrong_sums(
    camera_id: CameraId, counted: Mapping[tuple[int, int], Amount], kept: Mapping[tuple[int, int], Amount]
) -> list[Finding]:
    """Compare what the rows come to with the sums that a preview of a shorter retention relies on."""
    wrong = [of for of in counted.keys() | kept.keys() if counted.get(of, Amount()) != kept.get(of, Amount())]
    if not wrong:
        return []
    said = sum((kept.get(of, Amount()) for of in wrong), Amount())
    there = sum((counted.get(of, Amount()) for of in wrong), Amount())
    detail = (
        f"{len(wrong)} sums by day say {said.segments} segments, {said.size_bytes} bytes and {said.recorded_us} us; "
        f"their rows come to {there.segments}, {there.size_bytes} and {there.recorded_us}"
    )
    return [Finding(Kind.WRONG_SUM, camera_id, detail=detail)]


def _outside_times(session: Session, camera_id: CameraId, recorded: list[Span], now_us: int) -> list[Finding]:
    """Compare what was recorded with the plan that was in force at the time."""
    try:
        plans = recording_times.history(session, camera_id)
    except RecordingTimesUnreadable as refusal:
        return [Finding(Kind.CANNOT_TELL, camera_id, detail=refusal.code)]
    if not plans or plans[0].since is None:
        return []
    now = EPOCH + timedelta(microseconds=now_us)
    borders = [plans[0].since, *changes(plans, plans[0].since, now), max(now, plans[0].since)]
    paused = [
        Span(micros(begins), micros(ends))
        for begins, ends in pairwise(borders)
        if begins < ends and not was_recorded_at(plans, begins)
    ]
    return [Finding(Kind.OUTSIDE_TIMES, camera_id, None, "", span) for span in outside(recorded, paused)]


class _Times:
    """The time of many rows in little memory; rows come in the order of their starts."""

    def __init__(self) -> None:
        self.living: list[Span] = []
        self.erased: list[Span] = []
        self.overlapping: list[SegmentId] = []
        self._last: tuple[SegmentId, Span] | None = None
        self._fold_at = _FOLD_AT

    def add(self, row: Row, now_us: int, *, is_stuck: bool) -> None:
        until_us = row.ends_us
        if until_us is None:
            until_us = row.starts_us + 1 if is_stuck else max(now_us, row.starts_us + 1)
        span = Span(row.starts_us, until_us)
        before = [] if self._last is None else [self._last]
        self.overlapping += overlapping([*before, (row.id, span)])
        if self._last is None or span.until_us > self._last[1].until_us:
            self._last = (row.id, span)
        spans = self.erased if row.state in {State.ERASING, State.ERASED} else self.living
        spans.append(span)
        if len(spans) > self._fold_at:
            spans[:] = joined(spans)
            # Stretches that do not touch stay apart: folding again at once would sort them for every row.
            self._fold_at = max(_FOLD_AT, 2 * len(spans))


def _opt_ins(session: Session, camera_id: CameraId) -> dict[ConsentEntryId, Span]:
    return {
        one.entry_id: Span(micros(one.from_at), _EVER if one.until is None else micros(one.until))
        for one in opted_in(store.history(session, camera_id), ConsentKind.VIDEO_RECORDING)
    }


def _rows(session: Session, camera_id: CameraId) -> Iterator[Row]:
    last: Row | None = None
    while True:
        rows = store.page(session, camera_id, last)
        yield from rows
        if len(rows) < store.PAGE:
            return
        last = rows[-1]
