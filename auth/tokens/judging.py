"""Asking the grants: for a new token whatever the person holds, for an issued one only what it was made from.

So a withdrawn grant ends what rests on it, even if the person holds another one: they ask for a new token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from auth.errors import NotAllowed, NotFound
from auth.grants.rules import Grant, Refused, Span, judge
from auth.grants.store import GrantStore
from auth.principal import Granted, Principal, PrincipalKind, Right
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from auth.revocation.view import RevocationView
from auth.tokens.errors import TokenWithdrawn
from auth.tokens.rules import Action, Claims, No, Purpose, Standing, narrow, rights_needed, uses_for
from auth.tokens.wishes import Wish, standing_of
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, PersonId

_REMEMBERED_S: Final = 1.0
_MOST_REMEMBERED: Final = 4096


class GrantJudge:
    """Judges wishes and issued claims by the grants as the database has them now. Reads only; thread-safe."""

    def __init__(self, db: Database, clock: Clock, revocation: RevocationView) -> None:
        self._db = db
        self._clock = clock
        self._revocation = revocation
        self._grants = GrantStore()
        self._resources = ResourceStore()
        self._remembered: dict[tuple[PersonId, CameraId], _Around] = {}

    def judge_wish(self, asker: Principal, wish: Wish) -> Standing:
        """Return what the asker's grants give for a wish.

        What was read within the last second is used again as long as nothing was heard of those grants: a player asks
        for many tokens at once, and whatever rests on one is judged anew when it is used. Only a yes is ever given
        from memory. Raises NotFound (missing and invisible look alike), NotAllowed (visible, but a right is missing).
        """
        if asker.person_id is None:
            raise NotFound
        remembered = self.judge_from_memory(asker, wish)
        if remembered is not None:
            return remembered
        with self._db.glancing(at_one_moment=True) as connection:
            camera = self._resources.by_id(connection, wish.camera_id)
            held = self._grants.held_by(connection, (asker.person_id,))[asker.person_id]
        around = _Around(camera, held, self._clock.monotonic())
        standing = _standing(asker, wish, around, self._clock.for_reading())
        if not isinstance(standing, Standing):
            raise standing
        for grant in held:
            self._revocation.hear_grant(grant.id, grant.version)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[asker.person_id, wish.camera_id] = around
        return standing

    def judge_from_memory(self, asker: Principal, wish: Wish) -> Standing | None:
        """Return a yes that needs no reading, or None; never waits."""
        known = None if asker.person_id is None else self._remembered.get((asker.person_id, wish.camera_id))
        if known is None or not self._is_fresh(known):
            return None
        standing = _standing(asker, wish, known, self._clock.for_reading())
        return standing if isinstance(standing, Standing) else None

    def may_give(self, session: Session, actor: Principal, camera_id: CameraId) -> bool:
        """Say whether somebody may give rights over a camera, and so take back what was issued for it."""
        camera = self._resources.by_id(session, camera_id)
        held = self._grants.held_by(session, (actor.person_id,))[actor.person_id] if actor.person_id else []
        return isinstance(judge(actor, Right.GRANT, camera, held, self._clock.for_reading()), Granted)

    def _is_fresh(self, known: "_Around") -> bool:
        young = self._clock.monotonic() - known.read_at < _REMEMBERED_S
        return young and all(self._revocation.version_of(grant.id) == grant.version for grant in known.held)

    def judge_again(self, asked: Sequence[tuple[Claims, Action]]) -> list[Claims | TokenWithdrawn]:
        """Judge issued claims, each for one action, by the very grants they were made from; two queries for all.

        Returns, in order, the claims brought under the present versions and bounds, or why they are over.
        """
        now = self._clock.for_reading()
        with self._db.glancing(at_one_moment=True) as connection:
            held = self._grants.held_by(connection, {claims.person_id for claims, _ in asked})
            cameras = self._resources.by_ids(connection, {claims.camera_id for claims, _ in asked})
        return [
            _still(claims, action, cameras.get(claims.camera_id), held[claims.person_id], now)
            for claims, action in asked
        ]


@dataclass(frozen=True, slots=True)
class _Around:
    """What was read for one person and camera, and when (monotonic)."""

    camera: Resource | None
    held: Sequence[Grant]
    read_at: float


def _standing(asker: Principal, wish: Wish, around: _Around, now: datetime) -> Standing | NotFound | NotAllowed:
    span = None
    if wish.window_from is not None and wish.window_until is not None:
        span = Span(wish.window_from, wish.window_until)
    yeses = []
    for right in sorted(rights_needed(wish.actions, Purpose(wish.purpose))):
        # A grant that holds the whole window is better than a wider one that cuts it.
        verdict = judge(asker, right, around.camera, around.held, now, span)
        if isinstance(verdict, Refused) and span is not None:
            verdict = judge(asker, right, around.camera, around.held, now)
        if isinstance(verdict, Refused):
            return _refusal(verdict, right)
        yeses.append(verdict)
    return standing_of(yeses)


def _still(
    claims: Claims, action: Action, camera: Resource | None, held: Sequence[Grant], now: datetime
) -> Claims | TokenWithdrawn:
    principal = Principal(PrincipalKind.PERSON, claims.person_id, claims.operator_id)
    yeses: list[Granted] = []
    for use in uses_for(claims, action):
        verdict = judge(principal, use.right, camera, [grant for grant in held if grant.id == use.grant_id], now)
        if isinstance(verdict, Refused):
            return TokenWithdrawn("the right behind this was withdrawn or has ended")
        yeses.append(verdict)
    narrowed = narrow(claims, standing_of(yeses))
    return TokenWithdrawn("the right behind this no longer meets its window") if isinstance(narrowed, No) else narrowed


def _refusal(refused: Refused, right: Right) -> NotFound | NotAllowed:
    if not refused.visible:
        return NotFound()
    return NotAllowed(f"this needs the right {right}", needs=str(right))
