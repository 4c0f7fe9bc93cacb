"""Issuing and admitting stream tokens.

Sync and thread-safe: it asks the database, so an async route calls it through a thread. `admit` accepts both forms of
a token everywhere. Refusals of known people are audited one by one (TOKEN_REFUSED), refusals of nobody are counted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NoReturn

from sqlalchemy.orm import Session

from auth.errors import NotAllowed, NotFound
from auth.opaque import digest_of
from auth.principal import Principal, PrincipalKind
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from auth.revocation.rules import Footing
from auth.revocation.view import RevocationView
from auth.tokens.errors import (
    NothingLeftToGrant,
    OutsideWindow,
    PurposeNotAllowed,
    TokenExpired,
    TokenIsBad,
    TokenLacksAction,
    TokenWishIsBad,
    TokenWithdrawn,
)
from auth.tokens.handles import PREFIX, is_handle, new_handle
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Action, Claims, No, Purpose, Why, Window, covers, in_time, uses_for
from auth.tokens.signing import TokenSigner
from auth.tokens.store import KeptToken, TokenStore
from auth.tokens.wishes import DEFAULT_LIFETIME, Wish, grant_wish, judge_wish
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.group_commit import GroupCommit
from vms_privacy.ids import CameraId, Randomness, TokenId


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """Both forms of one grant. Shown once: neither form can be had from the service again."""

    jwt: str
    handle: str
    claims: Claims

    def __repr__(self) -> str:
        return f"IssuedToken({self.claims.token_id}, hidden)"


@dataclass(frozen=True, slots=True)
class Admission:
    """A token's yes to one request: who, which camera, what for, which span. Opens one media session."""

    claims: Claims
    resource: Resource
    action: Action
    from_us: int | None = None
    until_us: int | None = None


class StreamTokens:
    """Makes tokens, and says for each request whether one opens what is asked for."""

    def __init__(
        self,
        db: Database,
        group: GroupCommit,
        clock: Clock,
        randomness: Randomness,
        signer: TokenSigner,
        judge: GrantJudge,
        audit: AuditLog,
        refusals: RefusalCounter,
        revocation: RevocationView,
    ) -> None:
        self._db = db
        self._group = group
        self._clock = clock
        self._randomness = randomness
        self._signer = signer
        self._judge = judge
        self._audit = audit
        self._refusals = refusals
        self._revocation = revocation
        self._store = TokenStore(db.engine.dialect)
        self._resources = ResourceStore()

    def issue(
        self,
        asker: Principal,
        camera_id: CameraId,
        actions: frozenset[Action],
        purpose: str,
        lifetime: timedelta = DEFAULT_LIFETIME,
        window: Window = (None, None),
    ) -> IssuedToken:
        """Return a new token, durable with its audit row; it shares its commit with whoever issues at that moment.

        Raises TokenWishIsBad, PurposeNotAllowed, NotFound (missing and invisible look alike), NotAllowed,
        NothingLeftToGrant, OutsideWindow, WriteFailed. The caller holds no writing transaction.
        """
        token = self.draft(asker, camera_id, actions, purpose, lifetime, window)
        self._group.run(lambda session: self.record(session, token))
        return token

    def draft(
        self,
        asker: Principal,
        camera_id: CameraId,
        actions: frozenset[Action],
        purpose: str,
        lifetime: timedelta = DEFAULT_LIFETIME,
        window: Window = (None, None),
    ) -> IssuedToken:
        """Judge, and sign, what `record` makes valid. Not to be handed out before that is committed."""
        with self._noting(asker, camera_id):
            wish = _wish(camera_id, actions, purpose, lifetime, window)
            standing = self._judge.judge_wish(asker, wish)
            if asker.person_id is None or asker.operator_id is None:
                raise NotFound
            token_id = TokenId(self._randomness.uuid())
            now = self._clock.for_reading()
            claims = grant_wish(wish, standing, token_id, asker.person_id, asker.operator_id, now)
            if isinstance(claims, No):
                raise NothingLeftToGrant("the right behind this does not reach that far", reason=claims.why)
        return IssuedToken(self._signer.sign(claims), new_handle(self._randomness), claims)

    def record(self, session: Session, token: IssuedToken) -> None:
        """Write the token and the event that it was issued; many of these may share one transaction."""
        claims = token.claims
        payload = token.jwt.split(".")[1]
        self._store.add(session, KeptToken(claims.token_id, digest_of(token.handle), payload, claims.session_until))
        self._audit.note(session, token_event(Tag.TOKEN_ISSUED, claims, self._clock.now(), **_told(claims)))

    def read(self, text: str | None) -> Claims:
        """Return what a token of either form says, whether it still holds or not. Raises TokenIsBad, counted."""
        try:
            return self._read(text or "")
        except TokenIsBad as bad:
            self._refusals.count(Tag.TOKEN_REFUSED, f"{bad.code}/{bad.why}")
            raise

    def admit(
        self,
        text: str | None,
        operator_name: str,
        camera_name: str,
        action: Action,
        from_us: int | None = None,
        until_us: int | None = None,
    ) -> Admission:
        """Return the token's yes to one request for a camera by its names, in the order anybody may learn things.

        Raises TokenIsBad and TokenExpired and TokenWithdrawn (401, whatever the camera), NotFound (404, the same for
        another camera and for none), TokenLacksAction and OutsideWindow (403).
        """
        return self.admit_claims(self.read(text), operator_name, camera_name, action, from_us, until_us)

    def admit_claims(
        self,
        claims: Claims,
        operator_name: str,
        camera_name: str,
        action: Action,
        from_us: int | None = None,
        until_us: int | None = None,
        *,
        going_on: bool = False,
    ) -> Admission:
        """As `admit`, for claims that `read` returned; `going_on` if they started something that still goes on."""
        now = self._clock.for_reading()
        started = in_time(claims, now)
        if isinstance(started, No) and not going_on:
            self._refuse(claims, action, TokenExpired("the time to start with this token is over"), started.why)
        resource = self._resource(operator_name, camera_name)
        if resource is None or resource.camera_id != claims.camera_id:
            self._refuse(claims, action, NotFound(), Why.OTHER_CAMERA)
        if resource.removed_at is not None and action is Action.LIVE:
            self._refuse(claims, action, NotFound(), "camera-is-removed")
        claims = self._as_it_stands(claims, action)
        covered = covers(claims, action, from_us, until_us, now)
        if isinstance(covered, No):
            self._refuse(claims, action, _outside(covered.why, action), covered.why)
        return Admission(claims, resource, action, from_us, until_us)

    def _read(self, text: str) -> Claims:
        if not text.startswith(PREFIX):
            return self._signer.read(text)
        if not is_handle(text):
            raise TokenIsBad("handle")
        with self._db.reading() as session:
            payload = self._store.by_digest(session, digest_of(text))
        if payload is None:
            raise TokenIsBad("unknown handle")
        return self._signer.claims_of(payload)

    def _resource(self, operator_name: str, camera_name: str) -> Resource | None:
        with self._db.reading() as session:
            return self._resources.by_name(session, operator_name, camera_name)

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

    @contextmanager
    def _noting(self, asker: Principal, camera_id: CameraId) -> Iterator[None]:
        try:
            yield
        except (NotAllowed, NotFound) as refusal:
            event = Event(
                tag=Tag.TOKEN_REFUSED,
                at=self._clock.now(),
                actor=asker.label,
                outcome=Outcome.REFUSED,
                operator_id=asker.operator_id,
                camera_id=camera_id,
                reason=refusal.code,
            )
            self._audit.note_refusal(event)
            raise


def _wish(
    camera_id: CameraId,
    actions: frozenset[Action],
    purpose: str,
    lifetime: timedelta,
    window: Window,
) -> Wish:
    if purpose not in set(Purpose):
        raise PurposeNotAllowed("footage is looked at for named purposes only", reason=Why.PURPOSE_UNKNOWN)
    wish = Wish(camera_id, actions, Purpose(purpose), lifetime, *window)
    sense = judge_wish(wish)
    if isinstance(sense, No):
        if sense.why is Why.PURPOSE_DOES_NOT_FIT:
            raise PurposeNotAllowed("this purpose does not go with these actions", reason=sense.why)
        raise TokenWishIsBad("no token can be made of this", reason=sense.why)
    return wish


def _outside(why: Why, action: Action) -> NotAllowed:
    if why is Why.LACKS_ACTION:
        return TokenLacksAction(f"this token is not for {action}")
    return OutsideWindow("this token does not reach the span asked for", reason=why)


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


def _told(claims: Claims) -> dict[str, str | int | bool | None]:
    return {
        "token": str(claims.token_id),
        "actions": ",".join(sorted(claims.actions)),
        "purpose": str(claims.purpose),
        "expires_at": int(claims.expires_at.timestamp()),
        "session_until": int(claims.session_until.timestamp()),
        "grants": ",".join(f"{use.grant_id}.{use.version}" for use in claims.grants),
    }
