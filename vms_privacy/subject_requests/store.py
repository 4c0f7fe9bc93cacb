"""Queries over requests. Nothing here decides; nothing here commits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from archive.segments.rules import Span
from vms_privacy.db import Reading, connection_of
from vms_privacy.ids import CameraId, OperatorId, OrderId, ProposalId, RequestId
from vms_privacy.subject_requests.kinds import (
    Answer,
    Channel,
    Doubt,
    IdentityState,
    Outcome,
    Reason,
    RequestKind,
    WhyLonger,
)
from vms_privacy.subject_requests.request import Extension, Identity, Item, Place, Request
from vms_privacy.subject_requests.tables import RequestItemRow, RequestReminderRow, RequestRow


@dataclass(frozen=True, slots=True)
class Clocks:
    """Open requests, counted: beyond the answer date, beyond the promised date, and the next answer date."""

    open: int
    overdue: int
    promise_missed: int
    next_answer_by: datetime | None


def add(session: Session, request: Request, contact: bytes | None) -> None:
    """Keep a new request with its items."""
    fixed = {
        "id": request.id,
        "operator_id": request.operator_id,
        "kind": request.kind,
        "channel": request.channel,
        "received_at": request.received_at,
        "entered_by": request.entered_by,
        "entered_at": request.entered_at,
        "promised_by": request.promised_by,
        "sealed_contact": contact,
    }
    session.execute(insert(RequestRow).values(fixed | _state(request)))
    _add_items(session, request)


def open_over(session: Session, camera_id: CameraId, moment_us: int) -> list[RequestId]:
    """Return the open requests about a moment of a camera, the oldest first."""
    found = session.scalars(
        select(RequestRow.id)
        .join(RequestItemRow, RequestItemRow.request_id == RequestRow.id)
        .where(
            RequestItemRow.camera_id == camera_id,
            RequestItemRow.from_us <= moment_us,
            RequestItemRow.until_us > moment_us,
            RequestRow.closed_at.is_(None),
        )
        .order_by(RequestRow.received_at, RequestRow.id)
    )
    return [RequestId(one) for one in dict.fromkeys(found)]


def save(session: Session, before: Request, after: Request) -> None:
    """Keep what an act made of a request. Items of another scope take the place of undecided ones."""
    if [one.place for one in before.items] != [one.place for one in after.items]:
        session.execute(delete(RequestItemRow).where(RequestItemRow.request_id == after.id))
        _add_items(session, after)
    else:
        for old, new in zip(before.items, after.items, strict=True):
            if old != new:
                of_it = (RequestItemRow.request_id == after.id, RequestItemRow.number == new.number)
                session.execute(update(RequestItemRow).where(*of_it).values(_decision(new)))
    # Last: a closing looks at the items.
    session.execute(update(RequestRow).where(RequestRow.id == after.id).values(_state(after)))


def seal_words(session: Session, request_id: RequestId, words: bytes) -> None:
    """Keep what whoever asked is told in words."""
    session.execute(update(RequestRow).where(RequestRow.id == request_id).values(sealed_words=words))


def sealed(session: Session, request_id: RequestId) -> tuple[bytes | None, bytes | None]:
    """Return contact and words as they are sealed."""
    row = session.execute(
        select(RequestRow.sealed_contact, RequestRow.sealed_words).where(RequestRow.id == request_id)
    ).one()
    return row[0], row[1]


def forget(session: Session, request_id: RequestId, at: datetime) -> None:
    """Take contact and words out of a closed request."""
    gone = {"sealed_contact": None, "sealed_words": None, "forgotten_at": at}
    session.execute(update(RequestRow).where(RequestRow.id == request_id).values(gone))


def by_id(session: Session, operator_id: OperatorId, request_id: RequestId) -> Request | None:
    """Return one request of an operator."""
    found = _found(session, [RequestRow.operator_id == operator_id, RequestRow.id == request_id], 1)
    return found[0] if found else None


def of_operator(session: Session, operator_id: OperatorId, most: int, *, only_open: bool) -> list[Request]:
    """Return an operator's requests; the one to be answered first comes first, closed ones last."""
    wanted = [RequestRow.operator_id == operator_id]
    return _found(session, [*wanted, RequestRow.closed_at.is_(None)] if only_open else wanted, most)


def due_by(session: Session, until: datetime, most: int) -> list[Request]:
    """Return the open requests of all operators that are to be answered by a moment."""
    return _found(session, [RequestRow.closed_at.is_(None), RequestRow.answer_by <= until], most)


def open_of_kind(session: Session, kind: RequestKind, most: int) -> list[Request]:
    """Return the open requests of one kind, of all operators."""
    return _found(session, [RequestRow.closed_at.is_(None), RequestRow.kind == kind], most)


def forgettable(session: Session, closed_before: datetime, most: int) -> list[Request]:
    """Return requests closed before a moment of which somebody's contact is kept, or may be."""
    return _found(session, [RequestRow.closed_at <= closed_before, RequestRow.forgotten_at.is_(None)], most)


def count_open(session: Session, operator_id: OperatorId) -> int:
    """Return how many requests of an operator are open."""
    wanted = select(func.count()).where(RequestRow.operator_id == operator_id, RequestRow.closed_at.is_(None))
    return session.scalar(wanted) or 0


def clocks(asked: Reading, now: datetime, operator_id: OperatorId | None = None) -> Clocks:
    """Count the open requests, of one operator or of all."""
    wanted: list[ColumnElement[bool]] = [RequestRow.closed_at.is_(None)]
    if operator_id is not None:
        wanted.append(RequestRow.operator_id == operator_id)
    row = (
        connection_of(asked)
        .execute(
            select(
                func.count(),
                func.coalesce(func.sum(case((RequestRow.answer_by < now, 1), else_=0)), 0),
                func.coalesce(func.sum(case((RequestRow.promised_by < now, 1), else_=0)), 0),
                func.min(RequestRow.answer_by),
            ).where(*wanted)
        )
        .one()
    )
    return Clocks(int(row[0]), int(row[1]), int(row[2]), row[3])


def reminded(session: Session, of: RequestId | None = None) -> Mapping[RequestId, Sequence[int]]:
    """Return of how many days before their present answer date somebody was reminded of open requests, or of one."""
    found: dict[RequestId, list[int]] = defaultdict(list)
    wanted = (
        select(RequestReminderRow.request_id, RequestReminderRow.days)
        .join(RequestRow, RequestRow.id == RequestReminderRow.request_id)
        .where(RequestRow.closed_at.is_(None), RequestRow.answer_by == RequestReminderRow.answer_by)
    )
    for request_id, days in session.execute(wanted if of is None else wanted.where(RequestRow.id == of)):
        found[RequestId(request_id)].append(days)
    return found


def note_reminder(session: Session, request: Request, days: int, at: datetime) -> None:
    """Note that somebody was reminded."""
    session.execute(
        insert(RequestReminderRow).values(request_id=request.id, answer_by=request.answer_by, days=days, noted_at=at)
    )


def _add_items(session: Session, request: Request) -> None:
    for one in request.items:
        about = {
            "request_id": request.id,
            "number": one.number,
            "camera_id": one.place.camera_id,
            "from_us": one.place.span.from_us,
            "until_us": one.place.span.until_us,
        }
        session.execute(insert(RequestItemRow).values(about | _decision(one)))


def _decision(item: Item) -> dict[str, Any]:
    return {
        "answer": item.answer,
        "reason": item.reason or "",
        "decided_by": item.decided_by,
        "decided_at": item.decided_at,
        "proposal_id": item.proposal_id,
        "order_id": item.order_id,
    }


def _state(request: Request) -> dict[str, Any]:
    """Return what acts change; what the row says of the dates is what the rules say."""
    longer = request.extension
    return {
        "answer_by": request.answer_by,
        "identity": request.identity.state,
        "doubt": request.identity.doubt or "",
        "asked_at": request.identity.asked_at,
        "settled_at": request.identity.settled_at,
        "more_months": 0 if longer is None else longer.months,
        "longer_because": "" if longer is None else longer.reason,
        "told_longer_at": None if longer is None else longer.told_at,
        "refused_whole": request.refused_whole or "",
        "complaint_to": request.complaint_to,
        "outcome": request.outcome,
        "answered_at": request.answered_at,
        "closed_at": request.closed_at,
        "closed_by": request.closed_by,
    }


def _found(session: Session, wanted: Sequence[ColumnElement[bool]], most: int) -> list[Request]:
    rows = session.scalars(
        select(RequestRow)
        .where(*wanted)
        .order_by(RequestRow.closed_at.is_not(None), RequestRow.answer_by, RequestRow.id)
        .limit(most)
        .execution_options(populate_existing=True)
    ).all()
    items: dict[RequestId, list[Item]] = defaultdict(list)
    of_them = RequestItemRow.request_id.in_([row.id for row in rows])
    for one in session.scalars(
        select(RequestItemRow)
        .where(of_them)
        .order_by(RequestItemRow.request_id, RequestItemRow.number)
        .execution_options(populate_existing=True)
    ):
        items[RequestId(one.request_id)].append(_item(one))
    return [_request(row, tuple(items[RequestId(row.id)])) for row in rows]


def _item(row: RequestItemRow) -> Item:
    return Item(
        number=row.number,
        place=Place(CameraId(row.camera_id), Span(row.from_us, row.until_us)),
        answer=None if row.answer is None else Answer(row.answer),
        reason=Reason(row.reason) if row.reason else None,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        proposal_id=None if row.proposal_id is None else ProposalId(row.proposal_id),
        order_id=None if row.order_id is None else OrderId(row.order_id),
    )


def _request(row: RequestRow, items: tuple[Item, ...]) -> Request:
    longer = None
    if row.told_longer_at is not None:
        longer = Extension(row.more_months, WhyLonger(row.longer_because), row.told_longer_at)
    return Request(
        id=RequestId(row.id),
        operator_id=OperatorId(row.operator_id),
        kind=RequestKind(row.kind),
        channel=Channel(row.channel),
        received_at=row.received_at,
        entered_by=row.entered_by,
        entered_at=row.entered_at,
        identity=Identity(
            IdentityState(row.identity), Doubt(row.doubt) if row.doubt else None, row.asked_at, row.settled_at
        ),
        items=items,
        extension=longer,
        refused_whole=Reason(row.refused_whole) if row.refused_whole else None,
        complaint_to=row.complaint_to,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        answered_at=row.answered_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        forgotten_at=row.forgotten_at,
    )
