"""What there should be, compared with what there is. Times are microseconds of our clock, UTC."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum, unique
from typing import Final

from archive.keys.rules import HOUR_US
from archive.segments.rules import LONGEST_FILE_US, NO_SEAL, Place, Span, State
from vms_privacy.ids import BucketKeyId, CameraId, ConsentEntryId, SegmentId

SECOND_US: Final = 1_000_000
NOT_YET_JUDGED_US: Final = 5 * SECOND_US
"""What happened in the last seconds may still be on its way into the rows."""
_SLACK_US: Final = 60 * SECOND_US
_HEARD_WITHIN_US: Final = 2 * SECOND_US
"""So soon the recorder has heard of other recording times; and the end of a last picture is a guess."""


@unique
class Kind(StrEnum):
    """What can be wrong; stable codes."""

    LOST = "lost"
    MISPLACED = "misplaced"
    UNDEAD = "undead"
    STRANGER = "stranger"
    LEFT_BEHIND = "left-behind"
    WRONG_SIZE = "wrong-size"
    WRONG_SEAL = "wrong-seal"
    UNREADABLE = "unreadable"
    DAMAGED = "damaged"
    UNDECODABLE = "undecodable"
    KEYLESS = "keyless"
    LOST_KEY = "lost-key"
    UNDEAD_KEY = "undead-key"
    STRANGER_KEY = "stranger-key"
    UNACCOUNTED = "unaccounted"
    OVERLAPPING = "overlapping"
    WITHOUT_OPT_IN = "without-opt-in"
    OUTSIDE_TIMES = "outside-recording-times"
    STUCK = "stuck-growing"
    OVERDUE = "overdue"
    UNPROVEN = "unproven"
    WRONG_SUM = "wrong-sum"
    CANNOT_TELL = "cannot-tell"


@unique
class Depth(IntEnum):
    """How closely files are looked at; each depth looks at what those before it look at, too.

    Is it there; is it as long as its row says; has it the head and the last tag of its row; does every chunk of it
    authenticate under its key, and do its pictures decode. Only the last opens anything, and shows it to nobody (P7,
    decision 0036).
    """

    PRESENCE = 1
    SIZE = 2
    SEALS = 3
    OPENS = 4

    @property
    def word(self) -> str:
        """Return its name on the command line."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. `name` is a blob, a key, or the part that could not be looked at.

    `place` is where something lies that should not lie there.
    """

    kind: Kind
    camera_id: CameraId | None = None
    segment_id: SegmentId | None = None
    name: str = ""
    span: Span | None = None
    detail: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        told = [str(self.kind)]
        told += [f"segment {self.segment_id}"] if self.segment_id is not None else []
        told += [f"camera {self.camera_id}"] if self.camera_id is not None else []
        told += [self.name] if self.name else []
        told += [f"from {self.span.from_us} to {self.span.until_us} us"] if self.span is not None else []
        told += [self.detail] if self.detail else []
        return ", ".join(told)

    def is_same(self, other: "Finding") -> bool:
        """Say whether a second look has found the same thing again; the times of a stretch may have moved on."""
        if (self.kind, self.camera_id, self.segment_id, self.name) != (
            other.kind,
            other.camera_id,
            other.segment_id,
            other.name,
        ):
            return False
        return self.span is None or other.span is None or self.span.overlaps(other.span)


@dataclass(frozen=True, slots=True)
class Row:
    """What a segment's row says, as far as a check compares it; no sweep could have it before `kept_until_us`."""

    id: SegmentId
    camera_id: CameraId
    consent_entry_id: ConsentEntryId
    state: State
    place: Place
    blob_name: str
    starts_us: int
    ends_us: int | None
    keep_us: int
    destroy_from_us: int | None
    size_bytes: int | None
    chunk_size: int
    bucket_key_id: BucketKeyId
    salt: bytes | None
    last_tag: bytes | None
    is_proven: bool
    kept_until_us: int = 0

    def finding(self, kind: Kind, detail: str = "", place: Place | None = None) -> Finding:
        """Return a finding about this row."""
        return Finding(kind, self.camera_id, self.id, self.blob_name, None, detail, place)


def judge_bytes(row: Row, spooled: int | None, stored: int | None, depth: Depth = Depth.SIZE) -> Kind | None:
    """Compare a row with the sizes that spool and store say, None where they have nothing."""
    there = {size for size in (spooled, stored) if size is not None}
    match row.state:
        case State.WRITING:
            return None if there else Kind.LOST
        case State.STORED:
            here, elsewhere = (spooled, stored) if row.place is Place.SPOOL else (stored, spooled)
            if here is None and elsewhere is None:
                return Kind.LOST
            if depth >= Depth.SIZE and row.size_bytes not in ({here} if here is not None else {elsewhere}):
                return Kind.LOST if here is None and row.place is Place.STORE else Kind.WRONG_SIZE
            # Nobody reads a segment from the spool whose row says that the store has it, and none is delivered twice.
            return Kind.MISPLACED if here is None else None
        case State.ERASING:
            return None
        case State.ERASED:
            return Kind.UNDEAD if there else None


def judge_name(row: Row | None, *, in_spool: bool, size: int | None) -> Kind | None:
    """Say what a file or blob of this name should not be there for; `size` None: it has gone since."""
    if size is None:
        return None
    if row is None:
        return Kind.STRANGER
    if row.state is State.ERASED:
        return Kind.UNDEAD
    is_moved = row.state is State.STORED and row.place is Place.STORE
    return Kind.LEFT_BEHIND if in_spool and is_moved else None


def judge_time(row: Row, now_us: int, sweep_us: int, *, is_growing: bool | None) -> Kind | None:
    """Say what should have happened to a row by now. `is_growing` None: nobody here knows who writes."""
    if row.state is State.WRITING:
        is_old = now_us > row.starts_us + LONGEST_FILE_US + _SLACK_US
        return Kind.STUCK if is_growing is False or (is_growing is None and is_old) else None
    if row.state is State.ERASED:
        return None if row.is_proven else Kind.UNPROVEN
    # A sweep that begins in time takes a while.
    late_us = 2 * sweep_us + _SLACK_US
    is_late = row.destroy_from_us is not None and now_us > max(row.destroy_from_us, row.kept_until_us) + late_us
    return Kind.OVERDUE if is_late else None


def is_forgotten(registered_us: int, now_us: int) -> bool:
    """Say whether what is registered ahead should have been begun or given back by now: it is for an hour's files."""
    return now_us > registered_us + HOUR_US + LONGEST_FILE_US + _SLACK_US


def may_be_opened(row: Row, now_us: int) -> bool:
    """Say whether a check opens a file: it is closed, and not all in it is past its time (P4)."""
    is_due = row.destroy_from_us is not None and row.destroy_from_us <= now_us
    return row.state is State.STORED and row.last_tag != NO_SEAL and not is_due


def judge_seal(row: Row, salt: bytes, chunk_size: int, last_tag: bytes | None) -> Kind | None:
    """Compare a row with the head of its file and, of a closed one, with its last 16 bytes."""
    if row.last_tag == NO_SEAL:
        return Kind.UNREADABLE
    is_foreign = salt != row.salt or chunk_size != row.chunk_size
    return Kind.WRONG_SEAL if is_foreign or (row.last_tag is not None and last_tag != row.last_tag) else None


def judge_opt_in(row: Row, opt_in: Span | None) -> Kind | None:
    """Say whether a segment was recorded outside of the opt-in it rests on (P1).

    The end of its last picture is a guess of up to a second; when its packets came was judged when they were written.
    """
    if opt_in is None or row.starts_us < opt_in.from_us or row.starts_us >= opt_in.until_us:
        return Kind.WITHOUT_OPT_IN
    ends_us = row.starts_us if row.ends_us is None else row.ends_us
    return Kind.WITHOUT_OPT_IN if ends_us > opt_in.until_us + SECOND_US else None


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as spans that neither touch nor overlap, in order."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.from_us):
        if found and span.from_us <= found[-1].until_us:
            found[-1] = Span(found[-1].from_us, max(found[-1].until_us, span.until_us))
        else:
            found.append(span)
    return found


def without(whole: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is in `whole` and not in `taken`, joined."""
    cuts = joined(taken)
    left: list[Span] = []
    at = 0
    for span in joined(whole):
        from_us = span.from_us
        while at < len(cuts) and cuts[at].until_us <= from_us:
            at += 1
        here = at
        while here < len(cuts) and cuts[here].from_us < span.until_us:
            if cuts[here].from_us > from_us:
                left.append(Span(from_us, cuts[here].from_us))
            from_us = max(from_us, cuts[here].until_us)
            here += 1
        if from_us < span.until_us:
            left.append(Span(from_us, span.until_us))
    return left


def both(one: Iterable[Span], other: Sequence[Span]) -> list[Span]:
    """Return what is in both, joined."""
    first = joined(one)
    return without(first, without(first, other))


def length_us(spans: Iterable[Span]) -> int:
    """Return how long spans are together."""
    return sum(span.until_us - span.from_us for span in spans)


def unaccounted(opted_in: Iterable[Span], accounted: Iterable[Span]) -> list[Span]:
    """Return the stretches of an opt-in, of a second or more, that neither footage nor a gap tells of."""
    return [span for span in without(opted_in, accounted) if span.until_us - span.from_us >= SECOND_US]


def outside(recorded: Iterable[Span], paused: Sequence[Span]) -> list[Span]:
    """Return what was recorded outside of the camera's recording times, for longer than hearing of them takes."""
    return [span for span in both(recorded, paused) if span.until_us - span.from_us > _HEARD_WITHIN_US]


def overlapping(rows: Sequence[tuple[SegmentId, Span]]) -> list[SegmentId]:
    """Return the segments, given in the order of their starts, that begin before one ahead of them has ended."""
    found = []
    until_us: int | None = None
    for segment_id, span in rows:
        if until_us is not None and span.from_us < until_us:
            found.append(segment_id)
        until_us = span.until_us if until_us is None else max(until_us, span.until_us)
    return found
