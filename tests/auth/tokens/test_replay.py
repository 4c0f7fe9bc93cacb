"""Tokens and rights that were taken away stay taken away when an older database is put back."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from auth.grants.replay import Revocations
from auth.grants.store import GrantStore
from auth.grants.tables import GrantRow
from auth.principal import Right, Role
from auth.sessions.memory import AccessMemory
from auth.tokens.errors import TokenWithdrawn
from auth.tokens.replay import replay_withdrawn_tokens
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from auth.tokens.store import TokenStore
from auth.tokens.tables import StreamTokenRow
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts

LIVE = Asked("north", "door", Action.LIVE)


def _replayed(parts: TokenParts) -> int:
    with parts.db.writing() as session:
        store = TokenStore(parts.db.engine.dialect)
        return replay_withdrawn_tokens(session, parts.journal.entries(), store, parts.clock.now(), parts.randomness)


def _taken_away(parts: TokenParts) -> Revocations:
    return Revocations(parts.audit, parts.clock, AccessMemory(parts.clock))


@pytest.mark.parametrize("is_known", [True, False])
def test_a_withdrawn_token_opens_nothing_though_the_older_database_does_not_know_it(
    parts: TokenParts, is_known: bool
) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.withdraw_token(parts.viewer, issued.claims.token_id)
    with parts.db.writing() as session:
        mine = StreamTokenRow.id == issued.claims.token_id
        if is_known:
            session.execute(update(StreamTokenRow).where(mine).values(withdrawn_at=None))
        else:
            session.execute(delete(StreamTokenRow).where(mine))
    parts.restart_view()
    # What an older database would bring back, were it not for the journal.
    parts.tokens.admit(issued.jwt, LIVE)

    assert _replayed(parts) == 1

    parts.restart_view()
    with pytest.raises(TokenWithdrawn):
        parts.tokens.admit(issued.jwt, LIVE)
    assert _replayed(parts) == 0


def test_a_token_on_which_nothing_can_rest_any_more_is_left_out(parts: TokenParts, clock: HandClock) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.withdraw_token(parts.viewer, issued.claims.token_id)
    with parts.db.writing() as session:
        session.execute(delete(StreamTokenRow))
    clock.forward(timedelta(hours=13))
    assert _replayed(parts) == 0


def test_every_version_is_raised_past_what_the_journal_tells_of(parts: TokenParts) -> None:
    grant = parts.access.grant(parts.viewer, [Right.LIVE])
    with parts.db.writing() as session:
        parts.grants.withdraw(session, parts.owner, parts.operator_id, grant.id)
        session.execute(update(GrantRow).where(GrantRow.id == grant.id).values(withdrawn_at=None, version=1))
    with parts.db.writing() as session:
        done = _taken_away(parts).replay(session, parts.journal.entries())
    assert done.withdrawn == [grant.id]
    with parts.db.reading() as session:
        versions = GrantStore().versions(session)
        assert versions[grant.id] > 2
        assert min(versions.values()) >= 2
        assert GrantStore().held_by(session, [parts.viewer.person_id])[parts.viewer.person_id] == []  # type: ignore[list-item,index]


def test_the_last_owner_keeps_what_the_copy_says_and_is_listed(parts: TokenParts) -> None:
    second = parts.access.person(parts.operator_id, "second@example.org")
    grant = parts.access.grant(second, Role.OWNER)
    with parts.db.reading() as session:
        (own,) = GrantStore().held_by(session, [parts.owner.person_id])[parts.owner.person_id]  # type: ignore[list-item,index]
    with parts.db.writing() as session:
        parts.grants.change(session, second, parts.operator_id, own.id, own.version, own.terms)
        # In the copy, the second owner was not there yet.
        session.execute(update(GrantRow).where(GrantRow.id == own.id).values(version=1))
        session.execute(delete(GrantRow).where(GrantRow.id == grant.id))
    with parts.db.writing() as session:
        done = _taken_away(parts).replay(session, parts.journal.entries())
    assert (done.owners, done.changed) == ([own.id], [])
    with parts.db.reading() as session:
        assert GrantStore().held_by(session, [parts.owner.person_id])[parts.owner.person_id] != []  # type: ignore[list-item,index]
