"""Withdrawing a token: who may, what it leaves behind, and when it is forgotten (P8, P9)."""

from datetime import timedelta

import pytest

from auth.errors import NotFound
from auth.principal import Right, Role
from auth.tokens.errors import TokenIsBad
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag
from vms_privacy.ids import TokenId
from vms_privacy.journal.rules import JournalKind


def test_its_own_person_and_whoever_may_give_the_right_may_withdraw_a_token(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    for actor in (parts.viewer, parts.owner):
        issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
        parts.withdraw_token(actor, issued.claims.token_id)
    assert [event.actor for event in parts.events(Tag.TOKEN_WITHDRAWN)] == [parts.viewer.label, parts.owner.label]


def test_to_everybody_else_the_token_does_not_exist(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    colleague = parts.access.person(parts.operator_id, "colleague@example.org")
    parts.access.grant(colleague, Role.INVESTIGATOR)
    neighbour = parts.access.person(parts.access.operator("south"), "neighbour@example.org")
    parts.access.grant(neighbour, Role.OWNER)
    for actor in (colleague, neighbour, parts.access.platform_admin()):
        with pytest.raises(NotFound):
            parts.withdraw_token(actor, issued.claims.token_id)
    with pytest.raises(NotFound):
        parts.withdraw_token(parts.owner, TokenId(parts.randomness.uuid()))
    parts.tokens.admit(issued.handle, Asked("north", "door", Action.LIVE))


def test_a_withdrawal_is_in_the_custody_journal_and_told_once(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    told: list[TokenId] = []
    parts.withdrawals.on_withdrawn(told.append)
    token_id = parts.issue(parts.viewer, Action.LIVE, purpose="live_view").claims.token_id
    parts.withdraw_token(parts.viewer, token_id)
    parts.withdraw_token(parts.viewer, token_id)
    assert told == [token_id]
    (entry,) = [entry for entry in parts.journal.entries() if entry.kind is JournalKind.REVOCATION]
    assert entry.facts["token_id"] == str(token_id)
    assert len(parts.events(Tag.TOKEN_WITHDRAWN)) == 1


def test_a_withdrawal_that_is_rolled_back_is_not_told(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")

    def withdraw_and_fail() -> None:
        with parts.db.writing() as session:
            parts.withdrawals.withdraw(session, parts.viewer, issued.claims.token_id)
            raise LookupError("something else went wrong")

    with pytest.raises(LookupError):
        withdraw_and_fail()
    parts.tokens.admit(issued.handle, Asked("north", "door", Action.LIVE))


def test_tokens_are_forgotten_once_nothing_can_rest_on_them(parts: TokenParts, clock: HandClock) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")

    def forget() -> int:
        with parts.db.writing() as session:
            return parts.withdrawals.forget(session)

    clock.forward(timedelta(hours=12))
    assert forget() == 0
    parts.tokens.read(issued.handle)
    clock.forward(timedelta(minutes=10, seconds=1))
    assert forget() == 1
    with pytest.raises(TokenIsBad):
        parts.tokens.read(issued.handle)
