"""Filling the revocation view from the tables, before the first token is taken."""

from auth.grants.store import GrantStore
from auth.identities.store import PersonStore
from auth.revocation.view import RevocationView
from auth.tokens.withdrawing import TokenWithdrawals
from vms_privacy.db import Database


def load_revocations(db: Database, view: RevocationView, withdrawals: TokenWithdrawals) -> None:
    """Let the view know every grant's version, every withdrawn token and every disabled person.

    Join the listeners first: what changes while this reads is then heard, and nothing falls between.
    """
    with db.reading() as session:
        versions = GrantStore().versions(session)
        tokens = withdrawals.withdrawn(session)
        disabled = PersonStore().disabled(session)
    view.load(versions, tokens, disabled)
