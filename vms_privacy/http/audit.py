"""Routes of the audit: an operator's events, the platform's own, and whether the chain holds."""

from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator

from auth.gate import Allowed, On, needs
from auth.principal import Right
from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.events import Outcome, Tag
from vms_privacy.audit.reader import MOST_AT_ONCE, AuditReader, EventPage, Filter
from vms_privacy.audit.verify import verify
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.keyring.port import Keyring, Purpose
from vms_privacy.web import Moment, Strict

_NAME_OF: Final = {one: one.name.lower().replace("_", "-") for one in Tag}
_TAG_OF: Final = {name: tag for tag, name in _NAME_OF.items()}


def _known_tag(name: str) -> str:
    if name not in _TAG_OF:
        raise ValueError("there is no such tag")
    return name


TagName = Annotated[str, AfterValidator(_known_tag)]


class EventShown(Strict):
    """One event and its place in the chain. `detail` holds ids, counts and codes."""

    position: int
    event_id: UUID
    tag: TagName
    at: Moment
    actor: str
    outcome: Outcome
    camera_id: UUID | None
    reason: str
    detail: dict[str, str | int | bool | None]


class EventsShown(Strict):
    """Some events, newest first. `before` is where to go on; absent at the end."""

    items: list[EventShown]
    before: int | None = None


class AuditHolds(Strict):
    """Whether the audit is what it was; where it first is not, and why."""

    ok: bool
    first_bad: int | None
    reason: str
    events: int
    sealed: int
    checkpoints: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks for."""

    wanted: Filter
    before: int | None
    limit: int


def _asked(
    camera_id: UUID | None = None,
    tag: TagName | None = None,
    without: Annotated[TagName | None, Query(description="all kinds but this one")] = None,
    since: Moment | None = None,
    until: Moment | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
) -> Asked:
    camera = None if camera_id is None else CameraId(camera_id)
    only, but = (None if name is None else _TAG_OF[name] for name in (tag, without))
    return Asked(Filter(camera, only, but, since, until), before, limit)


def audit_routes(db: Database, anchor: Anchor, keyring: Keyring) -> APIRouter:
    """Return the routes. An auditor of an operator sees that operator's events and no others."""
    routes = APIRouter(prefix="/api/v1", tags=["audit"])
    reader = AuditReader()

    @routes.get("/operators/{operator_id}/audit", **needs(Right.AUDIT, on=On.OPERATOR))
    def read_audit(operator_id: str, granted: Allowed, asked: Annotated[Asked, Depends(_asked)]) -> EventsShown:
        """Return events of the operator; one that was just made appears within a second."""
        with db.reading() as session:
            return _shown(reader.of_operator(session, granted.operator_id, asked.wanted, asked.before, asked.limit))

    @routes.get("/platform/audit", **needs(None, on=On.PLATFORM))
    def read_platform_audit(asked: Annotated[Asked, Depends(_asked)]) -> EventsShown:
        """Return events that belong to no operator."""
        with db.reading() as session:
            return _shown(reader.of_platform(session, asked.wanted, asked.before, asked.limit))

    @routes.get("/platform/audit/verdict", **needs(None, on=On.PLATFORM))
    def verify_audit() -> AuditHolds:
        """Read the whole chain and compare it with the anchored checkpoints."""
        verdict = verify(db, anchor, keyring.public_keys(Purpose.CHECKPOINT_SIGNING))
        return AuditHolds(
            ok=verdict.ok,
            first_bad=verdict.first_bad,
            reason=verdict.reason,
            events=verdict.events,
            sealed=verdict.sealed,
            checkpoints=verdict.checkpoints,
        )

    return routes


def _shown(page: EventPage) -> EventsShown:
    return EventsShown(
        items=[
            EventShown(
                position=one.position,
                event_id=one.event_id,
                tag=_NAME_OF[one.event.tag],
                at=one.event.at,
                actor=one.event.actor,
                outcome=one.event.outcome,
                camera_id=one.event.camera_id,
                reason=one.event.reason,
                detail=dict(one.event.detail),
            )
            for one in page.events
        ],
        before=page.before,
    )
