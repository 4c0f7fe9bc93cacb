"""Issuing: who gets which token, what is written with it, and what a refusal leaves behind (P7, P8, P9)."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from auth.errors import NotAllowed, NotFound
from auth.opaque import digest_of
from auth.principal import Principal, Right, Role
from auth.tokens.errors import NothingLeftToGrant, PurposeNotAllowed, TokenWishIsBad
from auth.tokens.rules import Action, Purpose
from auth.tokens.tables import StreamTokenRow
from auth.tokens.wishes import Wish
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag
from vms_privacy.errors import Refusal
from vms_privacy.group_commit import WriteFailed
from vms_privacy.ids import CameraId
from vms_privacy.keyring.port import Purpose as KeyPurpose

HOUR = timedelta(hours=1)


def test_both_forms_say_the_same(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR, depth=timedelta(days=7))
    issued = parts.issue(parts.viewer, Action.LIVE, Action.ARCHIVE)
    assert parts.tokens.read(issued.jwt) == parts.tokens.read(issued.handle) == issued.claims
    assert issued.claims.depth == timedelta(days=7)


def test_a_token_is_in_the_audit_with_ids_and_without_itself(parts: TokenParts) -> None:
    grant = parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    (event,) = parts.events(Tag.TOKEN_ISSUED)
    detail = json.loads(event.detail)
    assert (event.actor, event.camera_id) == (parts.viewer.label, parts.camera.camera_id)
    assert detail["token"] == str(issued.claims.token_id)
    assert detail["grants"] == f"{grant.id}.1"
    assert detail["purpose"] == "live_view"
    assert issued.handle not in event.detail
    assert issued.jwt not in event.detail


def test_the_handle_itself_is_nowhere_in_the_database(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    with parts.db.reading() as session:
        row = session.scalars(select(StreamTokenRow)).one()
        assert row.handle_digest == digest_of(issued.handle)
        kept = [str(value) for value in vars(row).values()]
    assert not any(issued.handle in text or issued.jwt in text for text in kept)
    assert issued.handle not in repr(issued)


def test_the_defaults_are_300_seconds_to_start_and_12_hours_to_go_on(parts: TokenParts, clock: HandClock) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    wish = Wish(parts.camera.camera_id, frozenset({Action.LIVE}), "live_view")
    claims = parts.issuer.draft(parts.viewer, wish).claims
    assert claims.expires_at == clock.now() + timedelta(seconds=300)
    assert claims.session_until == clock.now() + timedelta(hours=12)


def test_a_token_ends_with_the_grant_it_rests_on(parts: TokenParts, clock: HandClock) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE], valid_until=clock.now() + timedelta(seconds=60))
    claims = parts.issue(parts.viewer, Action.LIVE, purpose="live_view").claims
    assert claims.expires_at == claims.session_until == clock.now() + timedelta(seconds=60)


def test_a_token_carries_the_meeting_of_the_window_asked_and_the_window_granted(
    parts: TokenParts, clock: HandClock
) -> None:
    noon = clock.now()
    parts.access.grant(parts.viewer, Role.INVESTIGATOR, window=(noon - 4 * HOUR, noon - 2 * HOUR))
    claims = parts.issue(parts.viewer, Action.ARCHIVE, window=(noon - 3 * HOUR, noon)).claims
    assert (claims.window_from, claims.window_until) == (noon - 3 * HOUR, noon - 2 * HOUR)


def test_a_grant_that_holds_the_whole_window_is_preferred_to_one_that_cuts_it(
    parts: TokenParts, clock: HandClock
) -> None:
    noon = clock.now()
    whole = parts.access.grant(parts.viewer, [Right.ARCHIVE], window=(noon - 400 * HOUR, noon - 300 * HOUR))
    parts.access.grant(parts.viewer, [Right.ARCHIVE], depth=timedelta(days=1))
    claims = parts.issue(parts.viewer, Action.ARCHIVE, window=(noon - 390 * HOUR, noon - 380 * HOUR)).claims
    assert [use.grant_id for use in claims.grants] == [whole.id]


def test_two_actions_may_rest_on_two_grants(parts: TokenParts) -> None:
    live = parts.access.grant(parts.viewer, [Right.LIVE])
    archive = parts.access.grant(parts.viewer, [Right.ARCHIVE], parts.camera.camera_id)
    claims = parts.issue(parts.viewer, Action.LIVE, Action.ARCHIVE).claims
    assert {use.right: use.grant_id for use in claims.grants} == {Right.LIVE: live.id, Right.ARCHIVE: archive.id}


def test_a_camera_that_may_not_be_seen_is_answered_like_one_that_does_not_exist(parts: TokenParts) -> None:
    neighbours = parts.access.operator("south")
    neighbour = parts.access.person(neighbours, "neighbour@example.org")
    parts.access.grant(neighbour, Role.OWNER)
    missing = CameraId(parts.randomness.uuid())
    answers = [
        refusal_of(parts, asker, camera_id)
        for asker, camera_id in [
            (neighbour, parts.camera.camera_id),
            (neighbour, missing),
            (parts.viewer, parts.camera.camera_id),
            (parts.access.platform_admin(), parts.camera.camera_id),
        ]
    ]
    assert {(type(answer), answer.detail, tuple(answer.facts)) for answer in answers} == {
        (NotFound, NotFound().detail, ())
    }


def refusal_of(parts: TokenParts, asker: Principal, camera_id: CameraId) -> Refusal:
    with pytest.raises(Refusal) as refused:
        parts.issuer.draft(asker, Wish(camera_id, frozenset({Action.LIVE}), "live_view"))
    return refused.value


@pytest.mark.parametrize(
    ("rights", "actions", "purpose", "refusal"),
    [
        ([Right.LIVE], [Action.ARCHIVE], "archive_view", NotAllowed),
        ([Right.LIVE], [Action.LIVE, Action.ARCHIVE], "archive_view", NotAllowed),
        ([Right.ARCHIVE], [Action.LIVE], "live_view", NotAllowed),
        ([Right.LIVE, Right.ARCHIVE], [Action.ARCHIVE], "export", NotAllowed),
        ([Right.LIVE, Right.ARCHIVE], [Action.ARCHIVE], "evidence", NotAllowed),
        ([Right.LIVE], [Action.LIVE], "analytics", PurposeNotAllowed),
        ([Right.LIVE], [Action.LIVE], "training", PurposeNotAllowed),
        ([Right.ARCHIVE], [Action.ARCHIVE], "live_view", PurposeNotAllowed),
        ([Right.LIVE], [Action.LIVE], "export", PurposeNotAllowed),
    ],
)
def test_without_the_right_or_a_fitting_purpose_there_is_no_token_and_a_trace(
    parts: TokenParts, rights: list[Right], actions: list[Action], purpose: str, refusal: type[Refusal]
) -> None:
    parts.access.grant(parts.viewer, rights)
    with pytest.raises(refusal) as refused:
        parts.issue(parts.viewer, *actions, purpose=purpose)
    (event,) = parts.events(Tag.TOKEN_REFUSED)
    assert (event.reason, event.actor, event.outcome) == (refused.value.code, parts.viewer.label, "refused")
    assert parts.events(Tag.TOKEN_ISSUED) == []


@pytest.mark.parametrize("purpose", list(Purpose))
def test_every_purpose_has_somebody_who_may_use_it(parts: TokenParts, purpose: Purpose) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    action = Action.LIVE if purpose in {Purpose.LIVE_VIEW, Purpose.HEALTH} else Action.ARCHIVE
    assert parts.issue(parts.viewer, action, purpose=purpose).claims.purpose is purpose


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=9), timedelta(hours=12, seconds=1), -HOUR])
def test_a_lifetime_below_10_seconds_or_above_12_hours_makes_no_token(parts: TokenParts, lifetime: timedelta) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    with pytest.raises(TokenWishIsBad) as refused:
        parts.issue(parts.viewer, Action.LIVE, lifetime=lifetime)
    assert refused.value.facts == {"reason": "lifetime-out-of-range"}


def test_a_window_that_runs_backward_makes_no_token(parts: TokenParts, clock: HandClock) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    with pytest.raises(TokenWishIsBad) as refused:
        parts.issue(parts.viewer, Action.ARCHIVE, window=(clock.now(), clock.now() - HOUR))
    assert refused.value.facts == {"reason": "window-runs-backward"}


def test_where_the_grants_window_does_not_meet_the_one_asked_for_there_is_no_token(
    parts: TokenParts, clock: HandClock
) -> None:
    noon = clock.now()
    parts.access.grant(parts.viewer, Role.INVESTIGATOR, window=(noon - 4 * HOUR, noon - 3 * HOUR))
    with pytest.raises(NothingLeftToGrant) as refused:
        parts.issue(parts.viewer, Action.ARCHIVE, window=(noon - 2 * HOUR, noon))
    assert refused.value.facts == {"reason": "windows-do-not-meet"}


def test_a_withdrawn_grant_gives_no_token_at_once_though_it_gave_one_just_before(parts: TokenParts) -> None:
    grant = parts.access.grant(parts.viewer, [Right.LIVE])
    parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.withdraw_grant(grant)
    with pytest.raises(NotFound):
        parts.issue(parts.viewer, Action.LIVE, purpose="live_view")


def test_a_grant_given_just_now_gives_a_token_at_once_though_it_was_refused_just_before(parts: TokenParts) -> None:
    with pytest.raises(NotFound):
        parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    parts.access.grant(parts.viewer, [Right.LIVE])
    parts.issue(parts.viewer, Action.LIVE, purpose="live_view")


def test_many_issue_at_once_and_each_token_is_its_own_and_in_the_audit(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    with ThreadPoolExecutor(8) as pool:
        issued = list(pool.map(lambda _: parts.issue(parts.viewer, Action.LIVE, purpose="live_view"), range(60)))
    assert len({token.handle for token in issued}) == 60
    audited = {json.loads(event.detail)["token"] for event in parts.events(Tag.TOKEN_ISSUED)}
    assert audited == {str(token.claims.token_id) for token in issued}


def test_a_token_that_could_not_be_written_is_not_handed_out(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    token = parts.issuer.draft(parts.viewer, Wish(parts.camera.camera_id, frozenset({Action.LIVE}), "live_view"))
    parts.group.close()
    with pytest.raises(WriteFailed):
        parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    with pytest.raises(Refusal):
        parts.tokens.read(token.handle)


def test_nothing_is_signed_where_nothing_may_wait_unless_the_key_is_at_hand(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    wish = Wish(parts.camera.camera_id, frozenset({Action.LIVE}), "live_view")
    parts.issuer.draft(parts.viewer, wish)
    assert parts.issuer.draft_from_memory(parts.viewer, wish) is not None
    parts.keyring.rotate(KeyPurpose.TOKEN_SIGNING)
    assert parts.issuer.draft_from_memory(parts.viewer, wish) is None
    parts.issuer.draft(parts.viewer, wish)
    assert parts.issuer.draft_from_memory(parts.viewer, wish) is not None
