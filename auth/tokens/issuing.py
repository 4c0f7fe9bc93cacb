"""Making stream tokens: judged by the asker's grants, and durable with their audit row before anybody has them.

Refusals of known people are audited one by one (TOKEN_REFUSED). Thread-safe.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Dialect
from sqlalchemy.orm import Session

from auth.errors import NotAllowed, NotFound
from auth.opaque import digest_of
from auth.principal import Principal
from auth.tokens.errors import NothingLeftToGrant, PurposeNotAllowed, TokenWishIsBad
from auth.tokens.events import token_event
from auth.tokens.handles import new_handle
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Claims, No, Standing, Why
from auth.tokens.signing import TokenSigner
from auth.tokens.store import KeptToken, TokenStore
from auth.tokens.wishes import Wish, grant_wish, judge_wish
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
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


class TokenIssuer:
    """Makes tokens."""

    def __init__(
        self,
        dialect: Dialect,
        group: GroupCommit,
        clock: Clock,
        randomness: Randomness,
        signer: TokenSigner,
        judge: GrantJudge,
        audit: AuditLog,
    ) -> None:
        self._group = group
        self._clock = clock
        self._randomness = randomness
        self._signer = signer
        self._judge = judge
        self._audit = audit
        self._store = TokenStore(dialect)

    def draft(self, asker: Principal, wish: Wish) -> IssuedToken:
        """Judge, and sign, what `keep` makes valid. Not to be handed out before that.

        Raises TokenWishIsBad, PurposeNotAllowed, NotFound (missing and invisible look alike), NotAllowed,
        NothingLeftToGrant, OutsideWindow. The caller holds no writing transaction.
        """
        with self._noting(asker, wish.camera_id):
            sense = judge_wish(wish)
            if isinstance(sense, No):
                raise _refusal(sense)
            claims = self._claims(asker, wish, self._judge.judge_wish(asker, wish))
            if isinstance(claims, No):
                raise NothingLeftToGrant("the right behind this does not reach that far", reason=claims.why)
        return self._signed(claims)

    def draft_from_memory(self, asker: Principal, wish: Wish) -> IssuedToken | None:
        """Do as `draft` where nothing has to be read and nothing is refused, else return None; never waits.

        Of the disk it asks one thing: whether the keyring's manifest is still the one that is known.
        """
        if isinstance(judge_wish(wish), No) or not self._signer.is_at_hand:
            return None
        standing = self._judge.judge_from_memory(asker, wish)
        claims = None if standing is None else self._claims(asker, wish, standing)
        return None if claims is None or isinstance(claims, No) else self._signed(claims)

    async def keep(self, token: IssuedToken) -> None:
        """Make a draft valid: durable with its audit row, in one commit with what others write at that moment.

        Raises WriteFailed.
        """
        await self._group.submit(lambda session: self.record(session, token))

    def _claims(self, asker: Principal, wish: Wish, standing: Standing) -> Claims | No:
        if asker.person_id is None or asker.operator_id is None:
            raise NotFound
        token_id, now = TokenId(self._randomness.uuid()), self._clock.for_reading()
        return grant_wish(wish, standing, token_id, asker.person_id, asker.operator_id, now)

    def _signed(self, claims: Claims) -> IssuedToken:
        return IssuedToken(self._signer.sign(claims), new_handle(self._randomness), claims)

    def record(self, session: Session, token: IssuedToken) -> None:
        """Write the token and the event that it was issued; many of these may share one transaction."""
        claims = token.claims
        payload = token.jwt.split(".")[1]
        self._store.add(session, KeptToken(claims.token_id, digest_of(token.handle), payload, claims.session_until))
        self._audit.note(session, token_event(Tag.TOKEN_ISSUED, claims, self._clock.now(), **_told(claims)))

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


def _refusal(sense: No) -> Refusal:
    match sense.why:
        case Why.PURPOSE_UNKNOWN:
            return PurposeNotAllowed("footage is looked at for named purposes only", reason=sense.why)
        case Why.PURPOSE_DOES_NOT_FIT:
            return PurposeNotAllowed("this purpose does not go with these actions", reason=sense.why)
        case _:
            return TokenWishIsBad("no token can be made of this", reason=sense.why)


def _told(claims: Claims) -> dict[str, str | int | bool | None]:
    return {
        "token": str(claims.token_id),
        "actions": ",".join(sorted(claims.actions)),
        "purpose": str(claims.purpose),
        "expires_at": int(claims.expires_at.timestamp()),
        "session_until": int(claims.session_until.timestamp()),
        "grants": ",".join(f"{use.grant_id}.{use.version}" for use in claims.grants),
    }
