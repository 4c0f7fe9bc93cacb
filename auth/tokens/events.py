"""What the audit is told of tokens: ids, never the tokens themselves."""

from datetime import datetime

from auth.principal import Principal, PrincipalKind
from auth.tokens.rules import Claims
from vms_privacy.audit.events import Event, Tag


def token_event(tag: Tag, claims: Claims, at: datetime, **detail: str | int | bool | None) -> Event:
    """Return an event about a token, with its own person as the actor."""
    return Event(
        tag=tag,
        at=at,
        actor=Principal(PrincipalKind.PERSON, claims.person_id).label,
        operator_id=claims.operator_id,
        camera_id=claims.camera_id,
        detail=detail,
    )
