"""Whether a stream token opens what is asked for.

Sync and thread-safe: it asks the database, so an async route calls it through a thread. `admit` accepts both forms of
a token everywhere. Refusals of known people are audited one by one (TOKEN_REFUSED), refusals of nobody are counted.
"""

from dataclasses import dataclass, replace
from typing import NoReturn

from auth.errors import NotAllowed, NotFound
from auth.opaque import digest_of
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from auth.revocation.rules import Footing
from auth.revocation.view import RevocationView
from auth.tokens.errors import (
    LIVE_IS_RESTRICTED,
    FootageIsRestricted,
    OutsideWindow,
    TokenExpired,
    TokenIsBad,
    TokenLacksAction,
    TokenWithdrawn,
)
from auth.tokens.events import token_event
from auth.tokens.handles import PREFIX, is_handle
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Action, Claims, No, Why, covers, in_time, uses_for
from auth.tokens.signing import TokenSigner
from auth.tokens.store import TokenStore
from vms_privacy.audit.events import Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request with a token asks for: a camera by its names, an action, and of the archive a span."""

    operator_name: str
    camera_name: str
    action: Action
    from_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A token's yes to one request: who, which camera, what for. Opens one media session."""

    claims: Claims
    resource: Resource
    action: Action


class StreamTokens:
    """Says for each request whether its token opens what is asked for."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        signer: TokenSigner,
        judge: GrantJudge,
        audit: AuditLog,
        refusals: RefusalCounter,
        revocation: RevocationView,
    ) -> None:
        self._db = db
        self._clock = clock
        self._signer = signer
        self._judge = judge
        self._audit = audit
        self._refusals = refusals
        self._revocation = revocation
        self._store = TokenStore(db.engine.dialect)
        self._resources = ResourceStore()

    def read(self, text: str | None) -> Claims:
        """Return what a token of either form says, whether it still holds or not. Raises TokenIsBad, counted."""
        try:
            return self._read(text or "")
        except TokenIsBad as bad:
            self._refusals.count(Tag.TOKEN_REFUSED, f"{bad.code}/{bad.why}")
            raise

    def admit(self, text: str | None, asked: Asked) -> Admission:
        """Return the token's yes to one request for a camera by its names, in the order anybody may learn things.

        Raises TokenIsBad and TokenExpired and TokenWithdrawn (401, whatever the camera), NotFound (404, the same for
        another camera and for none), TokenLacksAction and OutsideWindow (403), FootageIsRestricted (423).
        """
        return self.admit_claims(self.read(text), asked)

    def admit_claims(self, claims: Claims, asked: Asked, *, going_on: bool = False) -> Admission:
        """As `admit`, for claims that `read` returned; `going_on` if they started something that still goes on."""
        now, action = self._clock.for_reading(), asked.action
        started = in_time(claims, now)
        if isinstance(started, No) and not going_on:
            self._refuse(claims, action, TokenExpired("the time to start with this token is over"), started.why)
        resource = self._resource(asked)
        if resource is None or resource.camera_id != claims.camera_id:
            self._refuse(claims, action, NotFound(), Why.OTHER_CAMERA)
        if resource.removed_at is not None and action is Action.LIVE:
            self._refuse(claims, action, NotFound(), "camera-is-removed")
        claims = self._as_it_stands(claims, action)
        covered = covers(claims, action, asked.from_us, asked.until_us, now)
        if isinstance(covered, No):
            self._refuse(claims, action, _outside(covered.why, action), covered.why)
        if action is Action.LIVE and self._revocation.forbids_live(claims.camera_id):
            self._refuse(claims, action, FootageIsRestricted(LIVE_IS_RESTRICTED), FootageIsRestricted.code)
        return Admission(claims, resource, action)

    def _read(self, text: str) -> Claims:
        if not text.startswith(PREFIX):
            return self._signer.read(text)
        if not is_handle(text):
            raise TokenIsBad("handle")
        with self._db.glancing() as connection:
            payload = self._store.by_digest(connection, digest_of(text))
        if payload is None:
            raise TokenIsBad("unknown handle")
        return self._signer.claims_of(payload)

    def _resource(self, asked: Asked) -> Resource | None:
        with self._db.glancing() as connection:
            return self._resources.by_name(connection, asked.operator_name, asked.camera_name)

    def _as_it_stands(self, claims: Claims, action: Action) -> Claims:
        if action not in claims.actions:
            return claims
        uses = [(use.grant_id, use.version) for use in uses_for(claims, action)]
        footing = self._revocation.weigh(claims.token_id, claims.person_id, uses)
        if footing is Footing.HOLDS:
            return claims
        verdict: Claims | TokenWithdrawn = TokenWithdrawn("this token was withdrawn")
        if footing is Footing.ASK_AGAIN:
            verdict = self._judge.judge_again([(claims, action)])[0]
        if isinstance(verdict, TokenWithdrawn):
            self._refuse(claims, action, verdict, verdict.code)
        return verdict

    def _refuse(self, claims: Claims, action: Action, refusal: Refusal, reason: str) -> NoReturn:
        detail = {"token": str(claims.token_id), "action": str(action)}
        event = token_event(Tag.TOKEN_REFUSED, claims, self._clock.now(), **detail)
        self._audit.note_refusal(replace(event, outcome=Outcome.REFUSED, reason=str(reason)))
        raise refusal


def _outside(why: Why, action: Action) -> NotAllowed:
    if why is Why.LACKS_ACTION:
        return TokenLacksAction(f"this token is not for {action}")
    return OutsideWindow("this token does not reach the span asked for", reason=why)
