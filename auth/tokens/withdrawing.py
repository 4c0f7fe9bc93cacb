"""Withdrawing stream tokens, and forgetting those on which nothing can rest any more."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from auth.errors import NotFound
from auth.principal import Principal
from auth.revocation.view import RevocationView
from auth.tokens.events import token_event
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Claims
from auth.tokens.signing import TokenSigner
from auth.tokens.store import TokenStore
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database, after_commit
from vms_privacy.ids import TokenId
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind

_KEPT_AFTERWARDS: Final = timedelta(minutes=10)
"""How long what is known of a token outlives it: clocks differ, and a late look-up should still say withdrawn."""


class TokenWithdrawals:
    """Takes tokens back. Takes a session, never commits; tells the revocation view and its listeners after the commit.

    Run `withdraw` inside of `gate.noting(actor)`: its NotFound is a refusal of a known person.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        signer: TokenSigner,
        judge: GrantJudge,
        audit: AuditLog,
        journal: Journal,
        revocation: RevocationView,
    ) -> None:
        self._clock = clock
        self._judge = judge
        self._audit = audit
        self._journal = journal
        self._revocation = revocation
        self._signer = signer
        self._store = TokenStore(db.engine.dialect)
        self._listeners: list[Callable[[TokenId], None]] = []

    def on_withdrawn(self, listener: Callable[[TokenId], None]) -> None:
        """Call `listener` after the commit of every withdrawal, in the committing thread. For the assembly only."""
        self._listeners.append(listener)

    def withdraw(self, session: Session, actor: Principal, token_id: TokenId) -> None:
        """Withdraw a token for good; what rests on it is cut within a second of the commit.

        Its own person may, and whoever may give rights over its camera. Raises NotFound to everybody else. The custody
        journal has it before this is answered. Withdrawing twice is calm.
        """
        payload = self._store.by_id(session, token_id)
        # One that a restore has withdrawn without knowing it has no payload, and is nobody's to withdraw.
        if not payload:
            raise NotFound
        claims = self._signer.claims_of(payload)
        if not self._may_withdraw(session, actor, claims):
            raise NotFound
        if not self._store.withdraw(session, token_id, self._clock.now()):
            return
        event = token_event(
            Tag.TOKEN_WITHDRAWN, claims, self._clock.now(), token=str(token_id), person=str(claims.person_id)
        )
        self._audit.note(session, replace(event, actor=actor.label))
        facts = {"operator_id": str(claims.operator_id), "token_id": str(token_id), "act": "withdrawn"}
        self._journal.append(JournalKind.REVOCATION, facts)
        after_commit(session, lambda: self._tell_withdrawn(claims))

    def withdrawn(self, session: Session) -> dict[TokenId, datetime]:
        """Return the withdrawn tokens on which something could still rest, for the revocation view at start."""
        # The earlier of the times in doubt: what was left out because of a wrong clock would be valid again.
        return self._store.withdrawn(session, self._clock.for_destroying())

    def forget(self, session: Session) -> int:
        """Delete the tokens on which nothing can rest any more; return how many. For a timer."""
        return self._store.forget(session, self._clock.for_destroying() - _KEPT_AFTERWARDS)

    def _may_withdraw(self, session: Session, actor: Principal, claims: Claims) -> bool:
        if actor.person_id is not None and actor.person_id == claims.person_id:
            return True
        return self._judge.may_give(session, actor, claims.camera_id)

    def _tell_withdrawn(self, claims: Claims) -> None:
        self._revocation.hear_token(claims.token_id, claims.session_until + _KEPT_AFTERWARDS)
        for listener in self._listeners:
            listener(claims.token_id)
