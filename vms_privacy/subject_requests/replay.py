"""Requests that the custody journal says were closed, of operators that have left: closed again, for a restore.

Nobody of such an operator can answer anything any more, and whoever had asked has the answer. Of an operator that has
not left, a request that is open again stays open: its people look at it.
"""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import OperatorId, RequestId
from vms_privacy.journal.rules import JournalEntry, JournalKind
from vms_privacy.subject_requests import rules, store
from vms_privacy.subject_requests.kinds import Outcome

_ACTOR: Final = "worker:replay"


def replay_closings(
    session: Session,
    entries: Iterable[JournalEntry],
    operators: Collection[OperatorId],
    audit: AuditLog,
    clock: Clock,
) -> int:
    """Close what these operators had closed and an older database has open; return how many. May be repeated."""
    told = [one for one in entries if one.kind is JournalKind.REQUEST and one.facts["act"] == "closed"]
    # An act may be told of that was never committed, and then another one was: the last one counts.
    last = {str(one.facts["request"]): one for one in told}
    return sum(_again(session, one, operators, audit, clock) for one in last.values())


def _again(
    session: Session, entry: JournalEntry, operators: Collection[OperatorId], audit: AuditLog, clock: Clock
) -> bool:
    operator_id = OperatorId(UUID(str(entry.facts["operator"])))
    if operator_id not in operators:
        return False
    before = store.by_id(session, operator_id, RequestId(UUID(str(entry.facts["request"]))))
    if before is None or before.closed_at is not None:
        return False
    after = rules.close_again(before, Outcome(str(entry.facts["outcome"])), entry.at, _ACTOR)
    store.save(session, before, after)
    audit.note(
        session,
        Event(
            Tag.REQUEST_CLOSED,
            clock.now(),
            _ACTOR,
            operator_id=operator_id,
            reason=str(after.outcome),
            detail={"request": str(after.id), "kind": str(after.kind), "journal_number": entry.number},
        ),
    )
    return True
