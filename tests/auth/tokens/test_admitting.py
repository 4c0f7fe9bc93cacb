"""Admitting: what a token opens, in which words it is refused, and what that leaves behind (P7, P8, P9)."""

import json
from datetime import datetime, timedelta

import pytest

from auth.errors import NotFound
from auth.grants.rules import Terms
from auth.principal import Right, Role
from auth.resources.store import ResourceStore
from auth.tokens.errors import OutsideWindow, TokenExpired, TokenIsBad, TokenLacksAction, TokenWithdrawn
from auth.tokens.issuing import IssuedToken
from auth.tokens.rules import Action, microseconds
from auth.tokens.service import Asked
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag
from vms_privacy.errors import Refusal

HOUR = timedelta(hours=1)


@pytest.fixture(params=["jwt", "handle"])
def form(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def text(token: IssuedToken, form: str) -> str:
    return token.jwt if form == "jwt" else token.handle


def us(moment: datetime) -> int:
    return microseconds(moment)


def test_a_token_opens_its_camera_by_its_names(parts: TokenParts, form: str) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    issued = parts.issue(parts.viewer, Action.LIVE, Action.ARCHIVE)
    for action in Action:
        admission = parts.tokens.admit(text(issued, form), Asked("north", "door", action))
        assert (admission.claims, admission.resource.camera_id) == (issued.claims, parts.camera.camera_id)


def test_an_expired_token_starts_nothing_whatever_the_camera(parts: TokenParts, clock: HandClock, form: str) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    clock.forward(timedelta(seconds=299))
    parts.tokens.admit(text(issued, form), Asked("north", "door", Action.LIVE))
    clock.forward(timedelta(seconds=1))
    for names in [("north", "door"), ("north", "no-such"), ("no-such", "door")]:
        with pytest.raises(TokenExpired):
            parts.tokens.admit(text(issued, form), Asked(*names, Action.LIVE))
    assert {event.reason for event in parts.events(Tag.TOKEN_REFUSED)} == {"token-expired"}


def test_in_time_doubt_a_token_ends_by_the_later_of_the_times(parts: TokenParts, clock: HandClock, form: str) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    clock.doubt = timedelta(seconds=300)
    with pytest.raises(TokenExpired):
        parts.tokens.admit(text(issued, form), Asked("north", "door", Action.LIVE))


def test_a_token_is_not_good_before_its_time(parts: TokenParts, clock: HandClock, form: str) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    clock.forward(-timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        parts.tokens.admit(text(issued, form), Asked("north", "door", Action.LIVE))
    assert [event.reason for event in parts.events(Tag.TOKEN_REFUSED)] == ["token-not-yet-valid"]


def test_a_token_for_another_camera_is_answered_like_a_camera_that_does_not_exist(parts: TokenParts, form: str) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    parts.access.camera(parts.operator_id, "yard")
    parts.access.camera(parts.access.operator("south"), "door")
    issued = parts.issue(parts.viewer, Action.LIVE)
    answers = []
    for names in [("north", "yard"), ("south", "door"), ("north", "no-such"), ("no-such", "door"), ("..", "%2e")]:
        with pytest.raises(NotFound) as refused:
            parts.tokens.admit(text(issued, form), Asked(*names, Action.LIVE))
        answers.append((refused.value.detail, dict(refused.value.facts)))
    assert answers == [(NotFound().detail, {})] * 5
    # Its own operator's log says the same of all of them, and names no foreign camera.
    refusals = parts.events(Tag.TOKEN_REFUSED)
    assert {(event.reason, event.operator_id, event.camera_id) for event in refusals} == {
        ("other-camera", parts.operator_id, parts.camera.camera_id)
    }


@pytest.mark.parametrize("names", [("north", "door"), ("north", "no-such")])
@pytest.mark.parametrize(
    "garbage", ["", None, "x", "p1.", "p1.AAAAAAAAAAAAAAAAAAAAAA", "a.b.c", "p2.AAAAAAAAAAAAAAAAAAAAAA", "é" * 25]
)
def test_garbage_is_answered_alike_for_every_camera_and_counted_not_stored(
    parts: TokenParts, names: tuple[str, str], garbage: str | None
) -> None:
    with pytest.raises(TokenIsBad) as refused:
        parts.tokens.admit(garbage, Asked(*names, Action.LIVE))
    assert refused.value.detail == TokenIsBad("").detail
    assert parts.events(Tag.TOKEN_REFUSED) == []
    parts.refusals.flush_all()
    (counted,) = parts.events(Tag.TOKEN_REFUSED)
    assert (counted.actor, json.loads(counted.detail)["count"]) == ("nobody", 1)
    assert counted.reason.startswith("token-is-bad/")


def test_only_the_one_spelling_of_a_handle_is_taken(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    handle = parts.issue(parts.viewer, Action.LIVE, purpose="live_view").handle
    # The unused bits of the last character: a lenient decoder takes each of these for the same 128 bits.
    others = [chr(ord(handle[-1]) + 1), "B", "-"]
    for spelling in [
        handle + "=",
        handle + "==",
        handle.upper(),
        f" {handle}",
        *(handle[:-1] + last for last in others),
    ]:
        with pytest.raises(TokenIsBad):
            parts.tokens.admit(spelling, Asked("north", "door", Action.LIVE))
    parts.tokens.admit(handle, Asked("north", "door", Action.LIVE))


def test_a_token_opens_nothing_beyond_its_action_window_and_depth(
    parts: TokenParts, clock: HandClock, form: str
) -> None:
    noon = clock.now()
    parts.access.grant(parts.viewer, Role.INVESTIGATOR, window=(noon - 4 * HOUR, noon - HOUR), depth=3 * HOUR)
    token = text(parts.issue(parts.viewer, Action.ARCHIVE), form)

    def ask(since: datetime | None, until: datetime | None) -> str:
        try:
            span = [None if moment is None else us(moment) for moment in (since, until)]
            parts.tokens.admit(token, Asked("north", "door", Action.ARCHIVE, *span))
        except OutsideWindow as refused:
            return str(refused.facts["reason"])
        return "yes"

    assert ask(noon - 2 * HOUR, noon - HOUR) == "yes"
    assert ask(None, None) == "yes"
    assert ask(noon - 5 * HOUR, noon - HOUR) == "outside-window"
    assert ask(noon - 2 * HOUR, noon) == "outside-window"
    assert ask(noon - 2 * HOUR, None) == "outside-window"
    assert ask(None, noon - HOUR) == "outside-window"
    assert ask(noon - 4 * HOUR, noon - HOUR) == "beyond-depth"
    assert ask(noon - HOUR, noon - HOUR) == "outside-window"
    with pytest.raises(TokenLacksAction):
        parts.tokens.admit(token, Asked("north", "door", Action.LIVE))
    reasons = [event.reason for event in parts.events(Tag.TOKEN_REFUSED)]
    assert reasons == ["outside-window"] * 4 + ["beyond-depth", "outside-window", "token-lacks-action"]


def test_a_withdrawn_token_person_or_grant_opens_nothing(parts: TokenParts, form: str) -> None:
    people = [parts.access.person(parts.operator_id, f"{number}@example.org") for number in range(4)]
    grants = [parts.access.grant(person, [Right.LIVE]) for person in people]
    by_token, by_person, by_grant, untouched = (
        parts.issue(person, Action.LIVE, purpose="live_view") for person in people
    )
    parts.withdraw_token(parts.owner, by_token.claims.token_id)
    parts.sessions.hear_person(by_person.claims.person_id)
    parts.withdraw_grant(grants[2])
    for issued in (by_token, by_person, by_grant):
        with pytest.raises(TokenWithdrawn):
            parts.tokens.admit(text(issued, form), Asked("north", "door", Action.LIVE))
    parts.tokens.admit(text(untouched, form), Asked("north", "door", Action.LIVE))
    assert {event.reason for event in parts.events(Tag.TOKEN_REFUSED)} == {"token-withdrawn"}


def test_after_a_restart_a_withdrawn_token_is_still_withdrawn(parts: TokenParts, form: str) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.withdraw_token(parts.viewer, issued.claims.token_id)
    parts.restart_view()
    with pytest.raises(TokenWithdrawn):
        parts.tokens.admit(text(issued, form), Asked("north", "door", Action.LIVE))


def test_a_token_withdrawn_under_a_clock_that_was_wrong_at_the_start_stays_withdrawn(
    parts: TokenParts, clock: HandClock, form: str
) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.withdraw_token(parts.viewer, issued.claims.token_id)
    ahead = timedelta(days=400)
    clock.forward(ahead)
    clock.doubt = ahead
    parts.restart_view()
    parts.view.forget_old()
    clock.forward(-ahead)
    clock.doubt = timedelta(0)
    parts.view.heartbeat()
    with pytest.raises(TokenWithdrawn):
        parts.tokens.admit(text(issued, form), Asked("north", "door", Action.LIVE))


def test_a_changed_grant_is_judged_again_and_only_ever_narrows(parts: TokenParts, clock: HandClock, form: str) -> None:
    grant = parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    token = text(parts.issue(parts.viewer, Action.ARCHIVE), form)
    with parts.db.writing() as session:
        terms = Terms(frozenset({Right.ARCHIVE}), clock.now() - HOUR, clock.now() + HOUR, depth=2 * HOUR)
        parts.grants.change(session, parts.owner, parts.operator_id, grant.id, 1, terms)
    admission = parts.tokens.admit(token, Asked("north", "door", Action.ARCHIVE))
    assert admission.claims.depth == 2 * HOUR
    assert admission.claims.session_until == clock.now() + HOUR
    assert [use.version for use in admission.claims.grants] == [2]
    with pytest.raises(OutsideWindow):
        parts.tokens.admit(token, Asked("north", "door", Action.ARCHIVE, us(clock.now() - 3 * HOUR), us(clock.now())))


def test_a_withdrawn_grant_ends_its_token_even_if_another_grant_gives_the_same(parts: TokenParts, form: str) -> None:
    grant = parts.access.grant(parts.viewer, [Right.LIVE])
    first = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.access.grant(parts.viewer, [Right.LIVE], parts.camera.camera_id)
    parts.withdraw_grant(grant)
    with pytest.raises(TokenWithdrawn):
        parts.tokens.admit(text(first, form), Asked("north", "door", Action.LIVE))
    again = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.tokens.admit(text(again, form), Asked("north", "door", Action.LIVE))


def test_a_removed_camera_has_no_live_picture_but_its_archive(parts: TokenParts, clock: HandClock, form: str) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    token = text(parts.issue(parts.viewer, Action.LIVE, Action.ARCHIVE), form)
    with parts.db.writing() as session:
        ResourceStore().remove(session, parts.camera.camera_id, clock.now())
    with pytest.raises(NotFound):
        parts.tokens.admit(token, Asked("north", "door", Action.LIVE))
    parts.tokens.admit(token, Asked("north", "door", Action.ARCHIVE))


def test_a_renamed_camera_is_opened_by_its_new_name_alone(parts: TokenParts, form: str) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    token = text(parts.issue(parts.viewer, Action.LIVE, purpose="live_view"), form)
    with parts.db.writing() as session:
        ResourceStore().rename(session, parts.camera.camera_id, "gate")
    parts.tokens.admit(token, Asked("north", "gate", Action.LIVE))
    with pytest.raises(NotFound):
        parts.tokens.admit(token, Asked("north", "door", Action.LIVE))


def test_no_refusal_tells_a_token_or_a_name(parts: TokenParts, clock: HandClock, form: str) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    token = text(parts.issue(parts.viewer, Action.LIVE, purpose="live_view"), form)
    clock.forward(HOUR)
    for attempt in (token, token[:-2], "p1." + "x" * 22):
        with pytest.raises(Refusal) as refused:
            parts.tokens.admit(attempt, Asked("north", "door", Action.LIVE))
        told = f"{refused.value!r} {refused.value.facts}"
        assert attempt not in told
        assert "door" not in told
