"""What grants allow. Pure: the same grants, camera and moment always give the same verdict."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from auth.principal import RIGHTS_OF, Granted, Principal, PrincipalKind, Right, Role
from auth.resources.rules import Resource, lies_within
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId

# What a removed camera no longer has. Its footage stays under the other rights until it is destroyed, and its opt-in
# can be withdrawn; giving one again is refused by the ledger.
NEEDS_THE_LIVING_CAMERA: Final = frozenset({Right.LIVE, Right.PTZ})


@unique
class Why(StrEnum):
    """Why the gate refused; goes to the audit, and only where the thing is visible to the asker."""

    NOBODY_ASKS = "nobody-asks"
    NOT_A_PERSON = "not-a-person"
    NO_SUCH_THING = "no-such-thing"
    OTHER_OPERATOR = "other-operator"
    NO_GRANT = "no-grant"
    RIGHT_IS_MISSING = "right-is-missing"
    CAMERA_IS_REMOVED = "camera-is-removed"
    OUTSIDE_THE_WINDOW = "outside-the-window"


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate's no. `visible`: the asker may at least know that the thing exists."""

    why: Why
    visible: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of recorded time, `since` included, `until` not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """What a grant reaches: one camera, a group with all below it, or (both empty) the whole operator.

    A camera's scope carries the group the camera is in, so that a group's grant is seen to contain it.
    """

    operator_id: OperatorId
    group_path: str | None = None
    camera_id: CameraId | None = None

    @classmethod
    def of(cls, resource: Resource) -> "Scope":
        """Return the scope of exactly this camera."""
        return cls(resource.operator_id, resource.group_path, resource.camera_id)

    def contains(self, other: "Scope") -> bool:
        """Say whether everything `other` reaches is reached by this one too."""
        if self.operator_id != other.operator_id:
            return False
        if self.camera_id is not None:
            return self.camera_id == other.camera_id
        if self.group_path is not None:
            return other.group_path is not None and lies_within(other.group_path, self.group_path)
        return True


@dataclass(frozen=True, slots=True)
class Terms:
    """What a grant gives, and its limits. None is no limit.

    `depth` bounds how far back the archive may be read; `window_from`/`window_until` is a fixed archive window.
    `role` only names the bundle the rights came from: what counts are the rights themselves.
    """

    rights: frozenset[Right]
    valid_from: datetime
    valid_until: datetime | None = None
    depth: timedelta | None = None
    window_from: datetime | None = None
    window_until: datetime | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One person's rights over one scope, in one version. A version is never used for two meanings."""

    id: GrantId
    person_id: PersonId
    scope: Scope
    terms: Terms
    version: int
    withdrawn_at: datetime | None = None

    def is_in_force(self, now: datetime) -> bool:
        """Say whether it counts at `now`. A withdrawal counts whatever the clock says."""
        if self.withdrawn_at is not None or now < self.terms.valid_from:
            return False
        return self.terms.valid_until is None or now < self.terms.valid_until


def judge(
    asker: Principal,
    right: Right,
    resource: Resource | None,
    grants: Iterable[Grant],
    now: datetime,
    span: Span | None = None,
) -> Granted | Refused:
    """Say whether `asker` may use `right` on a camera at `now`, by the widest grant that allows it.

    `span` is the recorded time asked for: then a grant counts only if its depth and window hold all of it.
    """
    around = _around(asker, resource, grants, now)
    if isinstance(around, Refused):
        return around
    camera, reaching = around
    giving = [grant for grant in reaching if right in grant.terms.rights]
    if not giving:
        return Refused(Why.RIGHT_IS_MISSING, visible=True)
    if camera.removed_at is not None and right in NEEDS_THE_LIVING_CAMERA:
        return Refused(Why.CAMERA_IS_REMOVED, visible=False)
    if span is not None:
        giving = [grant for grant in giving if _holds(grant.terms, span, now)]
        if not giving:
            return Refused(Why.OUTSIDE_THE_WINDOW, visible=True)
    return _granted(asker, right, max(giving, key=_width), camera.camera_id)


def judge_sight(
    asker: Principal, resource: Resource | None, grants: Iterable[Grant], now: datetime
) -> Resource | Refused:
    """Return the camera if `asker` may know of it, which any right over it allows."""
    around = _around(asker, resource, grants, now)
    return around if isinstance(around, Refused) else around[0]


def judge_operator(
    asker: Principal, right: Right, operator_id: OperatorId, grants: Iterable[Grant], now: datetime
) -> Granted | Refused:
    """Say whether `asker` may use `right` over the whole of an operator; its own people know that it exists."""
    foreign = judge_membership(asker, operator_id)
    if foreign is not None:
        return foreign
    whole = Scope(operator_id)
    giving = [grant for grant in _own(asker, grants, now) if right in grant.terms.rights and grant.scope == whole]
    if not giving:
        return Refused(Why.RIGHT_IS_MISSING, visible=True)
    return _granted(asker, right, max(giving, key=_width), None)


def judge_within(
    asker: Principal, right: Right, operator_id: OperatorId, grants: Iterable[Grant], now: datetime
) -> Granted | Refused:
    """Say whether `asker` holds `right` anywhere in an operator; what it reaches is for the caller to check."""
    foreign = judge_membership(asker, operator_id)
    if foreign is not None:
        return foreign
    giving = [grant for grant in _own(asker, grants, now) if right in grant.terms.rights]
    if not giving:
        return Refused(Why.RIGHT_IS_MISSING, visible=True)
    best = max(giving, key=lambda grant: (_reach(grant.scope), _width(grant)))
    return _granted(asker, right, best, best.scope.camera_id)


def judge_membership(asker: Principal, operator_id: OperatorId) -> Refused | None:
    """Say why an operator does not exist for `asker`; None for its own people."""
    stranger = _not_a_person(asker)
    if stranger is not None:
        return stranger
    if asker.operator_id != operator_id:
        return Refused(Why.OTHER_OPERATOR, visible=False)
    return None


def may_give(asker: Principal, held: Iterable[Grant], scope: Scope, terms: Terms, now: datetime) -> Refused | None:
    """Say why `asker` may not give this away; None if they may.

    One needs `grant` over the scope, and for every right a grant in force that reaches the whole scope, lasts at
    least as long and looks at least as far back: nobody gives more than they have, not even to themselves.
    """
    foreign = judge_membership(asker, scope.operator_id)
    if foreign is not None:
        return foreign
    mine = [grant.terms for grant in _own(asker, held, now) if grant.scope.contains(scope)]
    for right in terms.rights | {Right.GRANT}:
        if not any(right in own.rights and _outlasts(own, terms) for own in mine):
            return Refused(Why.RIGHT_IS_MISSING, visible=True)
    return None


def may_take(asker: Principal, held: Iterable[Grant], grant: Grant, now: datetime) -> Refused | None:
    """Say why `asker` may not withdraw a grant; None if they may.

    Like `may_give`, but for how long and how far back does not matter: taking away is never made to wait for
    somebody who holds more.
    """
    foreign = judge_membership(asker, grant.scope.operator_id)
    if foreign is not None:
        return foreign
    mine = [own.terms.rights for own in _own(asker, held, now) if own.scope.contains(grant.scope)]
    if grant.terms.rights | {Right.GRANT} <= frozenset().union(*mine):
        return None
    return Refused(Why.RIGHT_IS_MISSING, visible=True)


def may_become(asker: Principal, held: Sequence[Grant], theirs: Iterable[Grant], now: datetime) -> Refused | None:
    """Say why `asker` may not invite a person anew, that is, hand out a code that lets its holder in as them.

    It takes everything the person holds or will hold: who can become somebody has all that somebody has.
    """
    for grant in _still_to_count(theirs, now):
        refused = may_give(asker, held, grant.scope, grant.terms, now)
        if refused is not None:
            return refused
    return None


def may_disable(asker: Principal, held: Sequence[Grant], theirs: Iterable[Grant], now: datetime) -> Refused | None:
    """Say why `asker` may not disable a person: they must be able to take every right of theirs."""
    for grant in _still_to_count(theirs, now):
        refused = may_take(asker, held, grant, now)
        if refused is not None:
            return refused
    return None


def leaves_an_owner(grants: Iterable[Grant], now: datetime) -> bool:
    """Say whether somebody holds everything an owner does, over the whole operator, with no limit and no end."""
    return any(
        grant.is_in_force(now)
        and grant.scope == Scope(grant.scope.operator_id)
        and _outlasts(grant.terms, Terms(RIGHTS_OF[Role.OWNER], valid_from=now))
        and grant.terms.rights >= RIGHTS_OF[Role.OWNER]
        for grant in grants
    )


def flaw_of(terms: Terms, now: datetime) -> str:
    """Say what is wrong with terms that somebody wants to give at `now`; empty if nothing is."""
    if not terms.rights:
        return "a grant gives at least one right"
    if terms.valid_until is not None and terms.valid_until <= max(terms.valid_from, now):
        return "valid_until must lie after valid_from and in the future"
    if terms.depth is not None and (terms.depth < timedelta(seconds=1) or terms.depth.microseconds):
        return "depth is whole seconds, at least one"
    if terms.window_from and terms.window_until and terms.window_until <= terms.window_from:
        return "window_until must lie after window_from"
    return ""


def _still_to_count(grants: Iterable[Grant], now: datetime) -> list[Grant]:
    return [
        grant
        for grant in grants
        if grant.withdrawn_at is None and (grant.terms.valid_until is None or now < grant.terms.valid_until)
    ]


def _around(
    asker: Principal, resource: Resource | None, grants: Iterable[Grant], now: datetime
) -> tuple[Resource, list[Grant]] | Refused:
    """Return the camera with the asker's grants that reach it, or why it does not exist for the asker."""
    stranger = _not_a_person(asker)
    if stranger is not None:
        return stranger
    if resource is None:
        return Refused(Why.NO_SUCH_THING, visible=False)
    if resource.operator_id != asker.operator_id:
        return Refused(Why.OTHER_OPERATOR, visible=False)
    scope = Scope.of(resource)
    reaching = [grant for grant in _own(asker, grants, now) if grant.scope.contains(scope)]
    if not reaching:
        return Refused(Why.NO_GRANT, visible=False)
    return resource, reaching


def _not_a_person(asker: Principal) -> Refused | None:
    if asker.kind is PrincipalKind.NOBODY:
        return Refused(Why.NOBODY_ASKS, visible=False)
    if asker.kind is not PrincipalKind.PERSON or asker.person_id is None or asker.operator_id is None:
        return Refused(Why.NOT_A_PERSON, visible=False)
    return None


def _own(asker: Principal, grants: Iterable[Grant], now: datetime) -> list[Grant]:
    return [
        grant
        for grant in grants
        if grant.person_id == asker.person_id
        and grant.scope.operator_id == asker.operator_id
        and grant.is_in_force(now)
    ]


def _holds(terms: Terms, span: Span, now: datetime) -> bool:
    if terms.depth is not None and span.since < now - terms.depth:
        return False
    if terms.window_from is not None and span.since < terms.window_from:
        return False
    return terms.window_until is None or span.until <= terms.window_until


def _outlasts(held: Terms, wanted: Terms) -> bool:
    """Say whether no limit of `wanted` goes beyond one of `held`."""
    return (
        _at_most(wanted.valid_until, held.valid_until)
        and _at_most(wanted.depth, held.depth)
        and _at_most(wanted.window_until, held.window_until)
        and (held.window_from is None or (wanted.window_from is not None and wanted.window_from >= held.window_from))
    )


def _at_most(wanted: datetime | timedelta | None, held: datetime | timedelta | None) -> bool:
    if held is None:
        return True
    return wanted is not None and wanted <= held  # type: ignore[operator]


def _reach(scope: Scope) -> int:
    if scope.camera_id is not None:
        return 0
    return 1 if scope.group_path is not None else 2


def _width(grant: Grant) -> tuple[bool, bool, timedelta, bool, datetime, bytes]:
    """Order grants by what they let one see: no window, more depth, a later end; the id settles the rest."""
    terms = grant.terms
    return (
        terms.window_from is None and terms.window_until is None,
        terms.depth is None,
        terms.depth or timedelta(0),
        terms.valid_until is None,
        terms.valid_until or terms.valid_from,
        grant.id.bytes,
    )


def _granted(asker: Principal, right: Right, grant: Grant, camera_id: CameraId | None) -> Granted:
    return Granted(
        principal=asker,
        right=right,
        operator_id=grant.scope.operator_id,
        camera_id=camera_id,
        grant_id=grant.id,
        grant_version=grant.version,
        valid_until=grant.terms.valid_until,
        depth=grant.terms.depth,
        window_from=grant.terms.window_from,
        window_until=grant.terms.window_until,
    )
