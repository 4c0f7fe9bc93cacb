"""Steps 1 and 2 of an erasure: the journal names what is to be destroyed, then its rows are marked.

What of a segment is kept becomes one in the very transaction that marks it: there is no moment at which both can be
read, or neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from archive.erasure import claims, store
from archive.erasure.claims import Claimed
from archive.erasure.rules import Step
from archive.erasure.store import Erasure
from archive.erasure.tools import Tools
from archive.mandates.edges import SealedPart
from archive.orders import store as orders
from archive.segments import kept_parts
from archive.segments.rules import Segment, Span
from vms_privacy.audit.events import Tag
from vms_privacy.ids import SegmentId
from vms_privacy.journal.rules import Fact, JournalKind, joined


@dataclass(frozen=True, slots=True)
class InPart:
    """What of one segment goes, and what is kept of it: sealed already, and in no row yet."""

    gone: Span
    kept: tuple[SealedPart, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Segments that are to be destroyed by one erasure; `in_part` tells of those that are not destroyed whole."""

    erasure: Erasure
    doomed: Sequence[Segment]
    in_part: Mapping[SegmentId, InPart] = field(default_factory=dict)


def begin(tools: Tools, batch: Batch) -> tuple[Claimed | None, list[Segment]]:
    """Take what of a batch nobody else has taken; return the claim, if there is something, and what is taken.

    Raises what keeps the whole of it from being marked: then nothing is.
    """
    erasure, now = batch.erasure, tools.clock.now()
    with tools.db.writing() as session:
        free = claims.free(session, tools.worker, batch.doomed, now)
        if not free:
            return None, []
        # Before the commit (decision 0012), and only of what is this worker's.
        number = _write_journal(tools, erasure, free)
        tools.progress(Step.JOURNALLED)
        taken = store.begin(session, erasure, free, number, now)
        for one in free:
            if one.id in batch.in_part:
                cut = batch.in_part[one.id]
                parts = [tools.edges.wrap(session, part) for part in cut.kept]
                kept_parts.take_over(session, one.id, cut.gone, parts)
        claimed = Claimed(erasure, now, claims.hold(session, tools.worker, erasure.id, now))
        # The end of an order destroys nothing by itself; this sweep does, and says so.
        held_up = orders.held_up(session, erasure.id)
        in_part = sum(one.id in batch.in_part for one in free)
        tools.note(session, Tag.ERASURE_STARTED, erasure, segments=taken, in_part=in_part, once_held=held_up)
    tools.progress(Step.MARKED)
    return claimed, free


def _write_journal(tools: Tools, erasure: Erasure, doomed: Sequence[Segment]) -> int:
    """Name the erasure and its segments, in as many entries as that takes; return the first one's number."""
    facts: dict[str, Fact] = {"erasure": str(erasure.id), "cause": str(erasure.cause), "segments": len(doomed)}
    entries = joined("ids", [segment.id for segment in doomed])
    return min(tools.journal.append(JournalKind.ERASURE, facts | share) for share in entries)
