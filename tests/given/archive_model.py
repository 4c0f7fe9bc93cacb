"""What is known of an archive without knowing how it works: what was fed, for how long, and what was said of it."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from archive.orders.rules import Order, OrderKind
from archive.segments.rules import Span
from vms_privacy.ids import SegmentId

SECOND_US: Final = 1_000_000


@dataclass(slots=True)
class Shot:
    """One fragment of pictures as the model knows it; `until` it is kept, and which came right before it in its run."""

    from_us: int
    until_us: int
    keep_us: int
    is_key: bool
    before: "Shot | None"
    is_sure: bool = True

    def touches(self, span: Span) -> bool:
        return self.from_us < span.until_us and span.from_us < self.until_us


@dataclass(slots=True)
class Model:
    """What has been asked of the archive."""

    is_opted_in: bool = False
    keep_us: int = 72 * 3600 * SECOND_US
    shots: list[Shot] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    gone: list[Span] = field(default_factory=list)
    withdrawals: int = 0
    shortenings: list[int] = field(default_factory=list)

    def may_be_shown(self, shot: Shot, now_us: int) -> bool:
        closed = [Span(one.from_us, one.until_us) for one in self.orders if one.kind is OrderKind.RESTRICTION]
        return now_us < shot.from_us + shot.keep_us and not any(shot.touches(span) for span in (*closed, *self.gone))

    def must_be_shown(self, shot: Shot, now_us: int) -> bool:
        """It can be decoded: everything from its key picture on may be shown, too."""
        at: Shot | None = shot
        while at is not None and at.is_sure and self.may_be_shown(at, now_us):
            if at.is_key:
                return True
            at = at.before
        return False

    def put_back(self, older: "OlderCopy", *, is_whole: bool) -> None:
        """An older copy was put back and told what has happened since; `is_whole` if nothing of it was destroyed."""
        # Only what was said of less is in the journal: who opted in since, or wanted more kept, says it again.
        self.is_opted_in = older.is_opted_in and self.withdrawals == older.withdrawals
        since = self.shortenings[older.shortenings :]
        self.keep_us = since[-1] if since else older.keep_us
        # What was lifted since is in force again until two people lift it.
        self.orders += [one for one in older.orders if one not in self.orders]
        for at, shot in enumerate(self.shots):
            shot.is_sure = shot.is_sure and is_whole and at < older.shots


@dataclass(frozen=True, slots=True)
class OlderCopy:
    """A copy of the database, and what the model knew when it was made."""

    url: str
    is_opted_in: bool
    keep_us: int
    orders: tuple[Order, ...]
    withdrawals: int
    shortenings: int
    shots: int
    erased: AbstractSet[SegmentId]
