"""Stream tokens: what no token ever says, and what no token ever allows (P8)."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from auth.principal import Granted, Principal, PrincipalKind, Right
from auth.tokens.errors import TokenIsBad
from auth.tokens.payload import read_payload, read_use, write_payload, write_use
from auth.tokens.rules import (
    LONGEST_SESSION,
    Action,
    Claims,
    GrantUse,
    No,
    Purpose,
    Standing,
    Yes,
    allows,
    covers,
    meet,
    microseconds,
    narrow,
    reach,
    rights_needed,
    uses_for,
    within_session,
)
from auth.tokens.wishes import FITS, LONGEST_LIFETIME, SHORTEST_LIFETIME, Wish, grant_wish, judge_wish, standing_of
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId, TokenId

ISSUER, AUDIENCE = "vms-privacy", "vms-privacy/stream"
_NOON = datetime(2030, 1, 15, 12, tzinfo=UTC)
_CAMERA = CameraId(UUID(int=7))

_moments = st.timedeltas(timedelta(days=-400), timedelta(days=400)).map(lambda step: _NOON + step)
_maybe_moments = st.none() | _moments
_depths = st.none() | st.timedeltas(timedelta(0), timedelta(days=400))
_uuids = st.uuids(version=4)
_uses = st.builds(GrantUse, st.sampled_from(Right), _uuids.map(GrantId), st.integers(1, 2**31 - 1))
_wishes = st.builds(
    Wish,
    st.just(_CAMERA),
    st.frozensets(st.sampled_from(Action)),
    st.sampled_from(Purpose),
    st.timedeltas(timedelta(seconds=-5), timedelta(hours=13)),
    _maybe_moments,
    _maybe_moments,
)


def _standings(rights: frozenset[Right]) -> st.SearchStrategy[Standing]:
    uses = st.tuples(
        *(st.builds(GrantUse, st.just(right), _uuids.map(GrantId), st.integers(1, 9)) for right in sorted(rights))
    )
    return st.builds(Standing, uses, _maybe_moments, _maybe_moments, _maybe_moments, _depths)


@st.composite
def _granted(draw: st.DrawFn) -> tuple[Wish, Standing, datetime, Claims]:
    """A wish that makes sense and the claims that came of it."""
    purpose = draw(st.sampled_from(Purpose))
    actions = draw(st.frozensets(st.sampled_from(sorted(FITS[purpose])), min_size=1))
    since, until = sorted(draw(st.tuples(_moments, _moments)))
    wish = Wish(
        _CAMERA,
        actions,
        purpose,
        draw(st.timedeltas(SHORTEST_LIFETIME, LONGEST_LIFETIME)),
        draw(st.sampled_from([None, since])),
        draw(st.sampled_from([None, until + timedelta(seconds=2)])),
    )
    standing = draw(_standings(rights_needed(actions, purpose)))
    now = draw(_moments)
    ids = draw(st.tuples(_uuids, _uuids, _uuids))
    claims = grant_wish(wish, standing, TokenId(ids[0]), PersonId(ids[1]), OperatorId(ids[2]), now)
    if isinstance(claims, No):
        # As often as not: take the bounds away, so that there is something to look at.
        standing = Standing(standing.grants)
        claims = grant_wish(wish, standing, TokenId(ids[0]), PersonId(ids[1]), OperatorId(ids[2]), now)
    assert isinstance(claims, Claims)
    return wish, standing, now, claims


@given(_granted())
def test_no_token_is_longer_wider_or_deeper_than_the_wish_and_the_grant(
    made: tuple[Wish, Standing, datetime, Claims],
) -> None:
    wish, standing, now, claims = made
    assert claims.not_before <= now < claims.expires_at <= now + wish.lifetime
    assert claims.expires_at <= claims.session_until <= claims.not_before + LONGEST_SESSION
    if standing.valid_until is not None:
        assert claims.session_until <= standing.valid_until
    for bound in (wish.window_from, standing.window_from):
        assert bound is None or (claims.window_from is not None and claims.window_from >= bound)
    for bound in (wish.window_until, standing.window_until):
        assert bound is None or (claims.window_until is not None and claims.window_until <= bound)
    if standing.depth is not None:
        assert claims.depth is not None
        assert claims.depth <= standing.depth
    assert {use.right for use in claims.grants} == rights_needed(claims.actions, claims.purpose)


@given(_wishes)
def test_a_wish_that_makes_no_sense_is_never_granted_to_anybody(wish: Wish) -> None:
    sane = (
        bool(wish.actions)
        and SHORTEST_LIFETIME <= wish.lifetime <= LONGEST_LIFETIME
        and wish.actions <= FITS[Purpose(wish.purpose)]
        and (wish.window_from is None or wish.window_until is None or wish.window_from < wish.window_until)
    )
    assert isinstance(judge_wish(wish), Yes) == sane


@given(_granted())
def test_a_token_read_back_says_exactly_what_was_written(made: tuple[Wish, Standing, datetime, Claims]) -> None:
    claims = made[-1]
    assert read_payload(write_payload(claims, ISSUER, AUDIENCE), ISSUER, AUDIENCE) == claims


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(_granted(), st.data())
def test_a_token_with_any_member_changed_added_or_left_out_is_read_as_itself_or_not_at_all(
    made: tuple[Wish, Standing, datetime, Claims], data: st.DataObject
) -> None:
    members = json.loads(write_payload(made[-1], ISSUER, AUDIENCE))
    name = data.draw(st.sampled_from(sorted(members)) | st.text(max_size=4))
    if data.draw(st.booleans()) and name in members:
        del members[name]
    else:
        members[name] = data.draw(_json)
    payload = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    try:
        claims = read_payload(payload, ISSUER, AUDIENCE)
    except TokenIsBad:
        return
    # One exception: iat may lie before nbf, and claims do not carry it.
    assert name == "iat" or write_payload(claims, ISSUER, AUDIENCE) == payload


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_do_anything_but_refuse(payload: bytes) -> None:
    try:
        read_payload(payload, ISSUER, AUDIENCE)
    except TokenIsBad:
        return
    raise AssertionError("random bytes were taken for a token")


@given(_uses)
def test_a_grant_read_back_is_the_one_written(use: GrantUse) -> None:
    assert read_use(use.right, write_use(use)) == use


@given(_granted(), _moments, _uuids, st.sampled_from(Action))
def test_a_token_never_allows_another_camera_another_action_or_another_time(
    made: tuple[Wish, Standing, datetime, Claims], now: datetime, other: UUID, action: Action
) -> None:
    claims = made[-1]
    assert isinstance(allows(claims, CameraId(other), action, None, None, now), No)
    verdict = allows(claims, _CAMERA, action, None, None, now)
    expected = action in claims.actions and claims.not_before <= now < claims.expires_at
    assert isinstance(verdict, Yes) == expected


@given(_granted(), _moments, _moments, _moments)
def test_no_picture_outside_of_window_and_depth_is_ever_covered(
    made: tuple[Wish, Standing, datetime, Claims], first: datetime, last: datetime, now: datetime
) -> None:
    claims = made[-1]
    since, until = sorted((microseconds(first), microseconds(last)))
    if isinstance(covers(claims, Action.ARCHIVE, since, until, now), Yes):
        bounds = reach(claims, now)
        assert bounds.from_us is None or since >= bounds.from_us
        assert bounds.until_us is None or max(since + 1, until) <= bounds.until_us
        assert within_session(claims, since, now)


@given(_granted(), _moments, _moments)
def test_a_missing_bound_is_never_taken_for_less_than_it_asks(
    made: tuple[Wish, Standing, datetime, Claims], first: datetime, now: datetime
) -> None:
    claims = made[-1]
    since = microseconds(first)
    if isinstance(covers(claims, Action.ARCHIVE, since, None, now), Yes):
        assert isinstance(covers(claims, Action.ARCHIVE, since, max(since + 1, microseconds(now)), now), Yes)
    if isinstance(covers(claims, Action.ARCHIVE, None, since, now), Yes):
        assert claims.window_from is None
        assert claims.depth is None or now - claims.depth <= datetime(1970, 1, 1, tzinfo=UTC)


@given(_granted(), st.data(), _moments, _moments, _moments)
def test_judging_again_never_widens_what_was_granted(
    made: tuple[Wish, Standing, datetime, Claims], data: st.DataObject, first: datetime, last: datetime, now: datetime
) -> None:
    claims = made[-1]
    narrowed = narrow(claims, data.draw(_standings(rights_needed(claims.actions, claims.purpose))))
    if isinstance(narrowed, No):
        return
    assert narrowed.session_until <= claims.session_until
    assert narrowed.expires_at <= claims.expires_at
    since, until = sorted((microseconds(first), microseconds(last)))
    for action in Action:
        if isinstance(covers(narrowed, action, since, until, now), Yes):
            assert isinstance(covers(claims, action, since, until, now), Yes)


@given(_granted(), st.integers(1, 99))
def test_judging_again_takes_over_the_versions_it_was_judged_by(
    made: tuple[Wish, Standing, datetime, Claims], version: int
) -> None:
    claims = made[-1]
    for action in claims.actions:
        fresh = tuple(GrantUse(use.right, use.grant_id, version) for use in uses_for(claims, action))
        narrowed = narrow(claims, Standing(fresh))
        assert isinstance(narrowed, Claims)
        assert uses_for(narrowed, action) == fresh


@given(_maybe_moments, _maybe_moments, _maybe_moments, _maybe_moments)
def test_where_two_windows_meet_is_inside_both(
    a: datetime | None, b: datetime | None, c: datetime | None, d: datetime | None
) -> None:
    met = meet((a, b), (c, d))
    if isinstance(met, No):
        return
    since, until = met
    for bound in (a, c):
        assert bound is None or (since is not None and since >= bound)
    for bound in (b, d):
        assert bound is None or (until is not None and until <= bound)


@given(st.lists(st.tuples(st.sampled_from(Right), _maybe_moments, _maybe_moments, _depths), min_size=1, max_size=4))
def test_a_standing_is_as_narrow_as_the_narrowest_grant_behind_it(
    given_by: list[tuple[Right, datetime | None, datetime | None, timedelta | None]],
) -> None:
    asker = Principal(PrincipalKind.PERSON, PersonId(UUID(int=1)), OperatorId(UUID(int=2)))
    yeses = [
        Granted(asker, right, OperatorId(UUID(int=2)), _CAMERA, GrantId(UUID(int=number)), 1, until, depth, since)
        for number, (right, until, since, depth) in enumerate(given_by)
    ]
    standing = standing_of(yeses)
    for one in yeses:
        assert one.valid_until is None or (standing.valid_until is not None and standing.valid_until <= one.valid_until)
        if one.right in {Right.ARCHIVE, Right.EXPORT}:
            assert one.depth is None or (standing.depth is not None and standing.depth <= one.depth)
            assert one.window_from is None or (
                standing.window_from is not None and standing.window_from >= one.window_from
            )
