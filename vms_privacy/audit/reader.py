"""Reading the audit back, page by page, newest first."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.rules import microseconds, moment_of
from vms_privacy.audit.tables import EVENT_FIELDS, ChainRow, EventRow
from vms_privacy.ids import AuditEventId, CameraId, OperatorId

# How many places one call walks at most, however rare what it looks for.
_LONGEST_WALK: Final = 5000
MOST_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; what is None does not matter. `since` is included, `until` is not."""

    camera_id: CameraId | None = None
    tag: Tag | None = None
    without: Tag | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """An event and its place in the chain."""

    position: int
    event_id: AuditEventId
    event: Event


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events. `before` is where to go on; None at the end. A page may be short, even empty, and not the last."""

    events: tuple[SealedEvent, ...]
    before: int | None


class AuditReader:
    """Lists sealed events; one that was just committed appears within a second, when it has its place.

    Pages follow the chain, so an event that is committed late never slips between two of them.
    """

    def of_operator(
        self,
        session: Session,
        operator_id: OperatorId,
        wanted: Filter,
        before: int | None = None,
        limit: int = 100,
    ) -> EventPage:
        """Return events of one operator, and of no other."""
        return self._page(session, ChainRow.operator_id == operator_id, wanted, before, limit)

    def of_platform(self, session: Session, wanted: Filter, before: int | None = None, limit: int = 100) -> EventPage:
        """Return events that belong to no operator; an operator's are never among them."""
        return self._page(session, ChainRow.operator_id.is_(None), wanted, before, limit)

    def _page(
        self, session: Session, whose: ColumnElement[bool], wanted: Filter, before: int | None, limit: int
    ) -> EventPage:
        if not 1 <= limit <= MOST_AT_ONCE:
            raise ValueError(f"a page has 1 to {MOST_AT_ONCE} events")
        walk = select(ChainRow.position, ChainRow.event_number).where(whose)
        if before is not None:
            walk = walk.where(ChainRow.position < before)
        places = walk.order_by(ChainRow.position.desc()).limit(_LONGEST_WALK).subquery()
        rows = session.execute(
            select(places.c.position, *EVENT_FIELDS)
            .join_from(places, EventRow, EventRow.number == places.c.event_number)
            .where(*_conditions(wanted))
            .order_by(places.c.position.desc())
            .limit(limit)
        ).all()
        events = tuple(
            SealedEvent(
                row.position,
                AuditEventId(UUID(bytes=row.event_id)),
                Event(
                    Tag(row.tag),
                    moment_of(row.at_us),
                    row.actor,
                    Outcome(row.outcome),
                    OperatorId(UUID(bytes=row.operator_id)) if row.operator_id else None,
                    CameraId(UUID(bytes=row.camera_id)) if row.camera_id else None,
                    row.reason,
                    json.loads(row.detail),
                ),
            )
            for row in rows
        )
        if len(events) == limit:
            return EventPage(events, events[-1].position)
        walked, oldest = session.execute(select(func.count(), func.min(places.c.position))).one()
        return EventPage(events, oldest if walked == _LONGEST_WALK else None)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.camera_id is not None:
        conditions.append(EventRow.camera_id == wanted.camera_id)
    if wanted.tag is not None:
        conditions.append(EventRow.tag == int(wanted.tag))
    if wanted.without is not None:
        conditions.append(EventRow.tag != int(wanted.without))
    if wanted.since is not None:
        conditions.append(EventRow.at_us >= microseconds(wanted.since))
    if wanted.until is not None:
        conditions.append(EventRow.at_us < microseconds(wanted.until))
    return conditions
