"""Walking the chain from its first entry, and saying where it first is not what it was. Plain values only."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique

from vms_privacy.audit.checkpoints import Checkpoint
from vms_privacy.audit.rules import FIRST_LINK, NO_ID, by_operator, link, operators_root


@unique
class Fault(StrEnum):
    """What is wrong; stable codes."""

    EVENT_CHANGED = "event-changed"
    EVENT_MISSING = "event-missing"
    ENTRY_MISSING = "entry-missing"
    ENTRY_MOVED = "entry-moved"
    REWRITTEN = "chain-rewritten"
    ROOTS_DIFFER = "operator-roots-differ"
    TAIL_CUT = "tail-cut"
    NEVER_SEALED = "event-never-sealed"
    ANCHOR_CHANGED = "anchor-changed"
    ANCHOR_CUT = "anchor-cut"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first bad place. `position` is that of the chain, None where the fault has none."""

    fault: Fault
    position: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of the chain as stored, and what its event hashes to today; `event_leaf` None: the event is gone."""

    position: int
    operator: bytes | None
    leaf: bytes
    head: bytes
    event_leaf: bytes | None
    event_operator: bytes | None


class Walk:
    """Takes entries in order of position, checkpoints in order of number; each finding is the first there is."""

    def __init__(self, checkpoints: Iterator[Checkpoint]) -> None:
        self._checkpoints = checkpoints
        self._next = next(checkpoints, None)
        self._leaves: list[tuple[bytes, bytes]] = []
        self._head = FIRST_LINK
        self.position = 0

    def take(self, entry: Entry) -> Finding | None:
        """Go one place on; say what is wrong there, if anything is."""
        self.position += 1
        return self._event(entry) or self._place(entry) or self._signed()

    def end(self) -> Finding | None:
        """Say whether the chain reaches as far as the anchor says it did."""
        if self._next is None:
            return None
        return Finding(
            Fault.TAIL_CUT,
            self.position + 1,
            f"the chain ends at {self.position}, but checkpoint {self._next.number} signed it up to {self._next.last}",
        )

    def _event(self, entry: Entry) -> Finding | None:
        here = self.position
        if entry.position != here:
            return Finding(Fault.ENTRY_MISSING, here, f"after {here - 1} comes {entry.position}")
        if entry.event_leaf is None:
            return Finding(Fault.EVENT_MISSING, here, "its event is gone")
        if entry.event_leaf != entry.leaf or entry.event_operator != entry.operator:
            return Finding(Fault.EVENT_CHANGED, here, "its event is not the one that was sealed")
        return None

    def _place(self, entry: Entry) -> Finding | None:
        self._head = link(self._head, entry.leaf)
        self._leaves.append((entry.operator or NO_ID, entry.leaf))
        if self._head != entry.head:
            return Finding(Fault.ENTRY_MOVED, self.position, "it does not follow from the entry before it")
        return None

    def _signed(self) -> Finding | None:
        point = self._next
        if point is None or self.position != point.last:
            return None
        if self._head != point.head:
            span = f"{point.first} to {point.last}"
            return Finding(Fault.REWRITTEN, point.first, f"{span} is not what checkpoint {point.number} signed")
        if operators_root(by_operator(self._leaves)) != point.operators:
            return Finding(Fault.ROOTS_DIFFER, point.first, f"checkpoint {point.number} signed other operators' roots")
        self._leaves.clear()
        self._next = next(self._checkpoints, None)
        return None
