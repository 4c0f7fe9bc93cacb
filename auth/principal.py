"""Who is asking, and the rights that exist. Plain values: no database, no web."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from vms_privacy.ids import CameraId, GrantId, LoginSessionId, OperatorId, PersonId


@unique
class PrincipalKind(StrEnum):
    """Nobody is a kind of its own, so that no code path has to deal with a missing asker."""

    NOBODY = "nobody"
    PERSON = "person"
    PLATFORM_ADMIN = "platform-admin"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody (or nobody) who asks for something. `label` is an id for the audit, never a name."""

    kind: PrincipalKind
    person_id: PersonId | None = None
    operator_id: OperatorId | None = None
    session_id: LoginSessionId | None = None

    @property
    def label(self) -> str:
        return f"{self.kind}:{self.person_id}" if self.person_id else str(self.kind)


NOBODY: Final = Principal(PrincipalKind.NOBODY)


def worker(name: str) -> Principal:
    """Return the principal of a background job; it holds no right to read footage."""
    return Principal(PrincipalKind.WORKER) if name else NOBODY


@unique
class Right(StrEnum):
    """What can be granted, per camera, group path or whole operator."""

    LIVE = "live"
    ARCHIVE = "archive"
    EXPORT = "export"
    PTZ = "ptz"
    RECORD = "record"
    RETAIN = "retain"
    ERASE = "erase"
    HOLD = "hold"
    RESTRICT = "restrict"
    DISCLOSE = "disclose"
    MASK_LIFT = "mask.lift"
    GRANT = "grant"
    AUDIT = "audit"


GIVES_FOOTAGE_AWAY: Final = frozenset({Right.LIVE, Right.ARCHIVE, Right.EXPORT, Right.DISCLOSE, Right.MASK_LIFT})
"""Rights with which somebody gets to see footage: of an operator that leaves, nobody new does."""


@unique
class Role(StrEnum):
    """Named bundles of rights, widest last. A role is only ever a shorthand for its rights."""

    VIEWER = "viewer"
    INVESTIGATOR = "investigator"
    OPERATOR = "operator"
    PRIVACY_ADMIN = "privacy-admin"
    OWNER = "owner"


RIGHTS_OF: Final[Mapping[Role, frozenset[Right]]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Right.LIVE}),
        Role.INVESTIGATOR: frozenset({Right.LIVE, Right.ARCHIVE, Right.EXPORT}),
        Role.OPERATOR: frozenset({Right.LIVE, Right.ARCHIVE, Right.PTZ, Right.RECORD, Right.RETAIN, Right.GRANT}),
        Role.PRIVACY_ADMIN: frozenset(
            {Right.RETAIN, Right.ERASE, Right.HOLD, Right.RESTRICT, Right.DISCLOSE, Right.AUDIT, Right.RECORD}
        ),
        Role.OWNER: frozenset(Right) - {Right.MASK_LIFT},
    }
)


@dataclass(frozen=True, slots=True)
class Granted:
    """Proof that the gate said yes: one person, one right, one camera (or operator), until a moment.

    Made only by the judgement in `auth/grants/rules.py`. `valid_until` None means the grant itself has no end; `depth`
    bounds how far back the archive may be read; `window_from`/`window_until` a fixed archive window.
    """

    principal: Principal
    right: Right
    operator_id: OperatorId
    camera_id: CameraId | None
    grant_id: GrantId
    grant_version: int
    valid_until: datetime | None = None
    depth: timedelta | None = None
    window_from: datetime | None = None
    window_until: datetime | None = None
