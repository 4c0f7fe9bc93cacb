"""What grants allow, whatever grants there are."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from auth.grants.rules import (
    NEEDS_THE_LIVING_CAMERA,
    Grant,
    Refused,
    Scope,
    Span,
    Terms,
    Why,
    flaw_of,
    judge,
    judge_operator,
    judge_sight,
    judge_within,
    leaves_an_owner,
    may_become,
    may_disable,
    may_give,
    may_take,
)
from auth.principal import NOBODY, RIGHTS_OF, Granted, Principal, PrincipalKind, Right, Role, worker
from auth.resources.rules import Resource, lies_within
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId

# Few of everything, so that what is generated often meets.
NOON = datetime(2030, 1, 15, 12, 0, tzinfo=UTC)
OPERATORS = [OperatorId(uuid.UUID(int=number)) for number in (1, 2)]
PEOPLE = [PersonId(uuid.UUID(int=number)) for number in (11, 12)]
CAMERAS = [CameraId(uuid.UUID(int=number)) for number in (21, 22, 23)]
GROUPS = ["north", "north/yard", "north-2", "south"]

moments = st.integers(-3, 3).map(lambda hours: NOON + timedelta(hours=hours))
maybe_moments = st.none() | moments
rights = st.sampled_from(list(Right))
operator_ids = st.sampled_from(OPERATORS)
resources = st.builds(
    Resource,
    camera_id=st.sampled_from(CAMERAS),
    operator_id=operator_ids,
    name=st.just("gate"),
    group_path=st.sampled_from(["", *GROUPS]),
    version=st.just(1),
    removed_at=st.none() | st.just(NOON),
)
scopes = (
    st.builds(Scope, operator_ids) | st.builds(Scope, operator_ids, st.sampled_from(GROUPS)) | resources.map(Scope.of)
)
terms = st.builds(
    Terms,
    rights=st.frozensets(rights, min_size=1, max_size=4) | st.sampled_from(list(RIGHTS_OF.values())),
    valid_from=moments,
    valid_until=maybe_moments,
    depth=st.none() | st.integers(1, 5).map(lambda hours: timedelta(hours=hours)),
    window_from=maybe_moments,
    window_until=maybe_moments,
)
grants = st.builds(
    Grant,
    id=st.uuids(version=4).map(GrantId),
    person_id=st.sampled_from(PEOPLE),
    scope=scopes,
    terms=terms,
    version=st.integers(1, 9),
    withdrawn_at=st.none() | st.none() | moments,
)
many_grants = st.lists(grants, max_size=6)
people = st.builds(Principal, st.just(PrincipalKind.PERSON), st.sampled_from(PEOPLE), operator_ids)
spans = st.builds(lambda since, hours: Span(since, since + timedelta(hours=hours)), moments, st.integers(0, 4))


def reaches(grant: Grant, camera: Resource) -> bool:
    """A second opinion, said in other words than `Scope.contains`."""
    if grant.scope.camera_id is not None:
        return grant.scope.camera_id == camera.camera_id
    if grant.scope.group_path is not None:
        return f"{camera.group_path}/".startswith(f"{grant.scope.group_path}/")
    return True


def counts(grant: Grant, asker: Principal, camera: Resource, now: datetime) -> bool:
    """A second opinion on whether a grant has anything to say here."""
    return (
        grant.person_id == asker.person_id
        and grant.scope.operator_id == camera.operator_id == asker.operator_id
        and reaches(grant, camera)
        and grant.withdrawn_at is None
        and grant.terms.valid_from <= now
        and (grant.terms.valid_until is None or now < grant.terms.valid_until)
    )


@given(people, rights, resources, many_grants, moments)
def test_something_is_allowed_if_and_only_if_a_grant_in_force_says_so(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], now: datetime
) -> None:
    living = camera.removed_at is None or right not in NEEDS_THE_LIVING_CAMERA
    expected = living and any(right in one.terms.rights for one in held if counts(one, asker, camera, now))
    assert isinstance(judge(asker, right, camera, held, now), Granted) is expected


@given(people, rights, resources, many_grants, moments)
def test_a_yes_rests_on_one_of_the_grants_and_carries_its_limits(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], now: datetime
) -> None:
    verdict = judge(asker, right, camera, held, now)
    if isinstance(verdict, Granted):
        (grant,) = [one for one in held if one.id == verdict.grant_id]
        assert counts(grant, asker, camera, now)
        assert right in grant.terms.rights
        assert (verdict.principal, verdict.right, verdict.camera_id) == (asker, right, camera.camera_id)
        assert (verdict.grant_version, verdict.valid_until) == (grant.version, grant.terms.valid_until)
        assert (verdict.depth, verdict.window_from, verdict.window_until) == (
            grant.terms.depth,
            grant.terms.window_from,
            grant.terms.window_until,
        )


@given(people, rights, resources, many_grants, moments, moments)
def test_a_withdrawn_or_expired_grant_never_allows(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], now: datetime, withdrawn_at: datetime
) -> None:
    withdrawn = [replace(one, withdrawn_at=withdrawn_at) for one in held]
    expired = [replace(one, terms=replace(one.terms, valid_until=now)) for one in held]
    for over in (withdrawn, expired):
        verdict = judge(asker, right, camera, over, now)
        assert isinstance(verdict, Refused)
        assert not verdict.visible


@given(people, rights, resources, many_grants, moments)
def test_another_operators_grant_never_makes_visible(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], now: datetime
) -> None:
    foreign = [one for one in held if one.scope.operator_id != camera.operator_id]
    for verdict in (judge(asker, right, camera, foreign, now), judge_sight(asker, camera, foreign, now)):
        assert isinstance(verdict, Refused)
        assert not verdict.visible
    if asker.operator_id != camera.operator_id:
        assert judge(asker, right, camera, held, now) == Refused(Why.OTHER_OPERATOR, visible=False)
    within = judge_within(asker, right, camera.operator_id, held, now)
    if isinstance(within, Granted):
        (grant,) = [one for one in held if one.id == within.grant_id]
        assert grant.scope.operator_id == camera.operator_id


@given(people, rights, many_grants, moments)
def test_what_does_not_exist_is_never_visible(asker: Principal, right: Right, held: list[Grant], now: datetime) -> None:
    assert judge(asker, right, None, held, now) == Refused(Why.NO_SUCH_THING, visible=False)


@given(rights, resources, many_grants, moments, st.sampled_from(PEOPLE))
def test_platform_admins_workers_and_nobody_never_get_a_footage_right(
    right: Right, camera: Resource, held: list[Grant], now: datetime, person_id: PersonId
) -> None:
    admin = Principal(PrincipalKind.PLATFORM_ADMIN, person_id, camera.operator_id)
    for asker in (admin, worker("sweep"), NOBODY):
        for verdict in (
            judge(asker, right, camera, held, now),
            judge_sight(asker, camera, held, now),
            judge_operator(asker, right, camera.operator_id, held, now),
            judge_within(asker, right, camera.operator_id, held, now),
        ):
            assert isinstance(verdict, Refused)
            assert not verdict.visible


@given(people, rights, resources, many_grants, moments)
def test_refused_though_visible_means_another_right_is_held(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], now: datetime
) -> None:
    verdict = judge(asker, right, camera, held, now)
    if isinstance(verdict, Refused) and verdict.visible:
        assert any(counts(one, asker, camera, now) for one in held)
        assert judge_sight(asker, camera, held, now) == camera


@given(people, rights, resources, many_grants, moments, spans)
def test_a_span_is_allowed_only_inside_depth_and_window(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], now: datetime, span: Span
) -> None:
    def holds(one: Terms) -> bool:
        return (
            (one.depth is None or span.since >= now - one.depth)
            and (one.window_from is None or span.since >= one.window_from)
            and (one.window_until is None or span.until <= one.window_until)
        )

    without = judge(asker, right, camera, held, now)
    expected = isinstance(without, Granted) and any(
        right in one.terms.rights and holds(one.terms) for one in held if counts(one, asker, camera, now)
    )
    assert isinstance(judge(asker, right, camera, held, now, span), Granted) is expected


@given(people, rights, resources, many_grants, grants, moments)
def test_one_more_grant_never_takes_anything_away(
    asker: Principal, right: Right, camera: Resource, held: list[Grant], more: Grant, now: datetime
) -> None:
    if isinstance(judge(asker, right, camera, held, now), Granted):
        assert isinstance(judge(asker, right, camera, [*held, more], now), Granted)


@given(people, rights, resources, st.permutations(range(4)), st.lists(grants, min_size=4, max_size=4), moments)
def test_the_order_of_grants_does_not_matter(
    asker: Principal, right: Right, camera: Resource, order: list[int], held: list[Grant], now: datetime
) -> None:
    shuffled = [held[place] for place in order]
    assert judge(asker, right, camera, held, now) == judge(asker, right, camera, shuffled, now)


@given(people, rights, operator_ids, many_grants, moments)
def test_a_right_over_the_operator_needs_a_grant_over_the_whole_of_it(
    asker: Principal, right: Right, operator_id: OperatorId, held: list[Grant], now: datetime
) -> None:
    verdict = judge_operator(asker, right, operator_id, held, now)
    within = judge_within(asker, right, operator_id, held, now)
    if isinstance(verdict, Granted):
        (grant,) = [one for one in held if one.id == verdict.grant_id]
        assert grant.scope == Scope(operator_id)
        assert isinstance(within, Granted)
    else:
        assert verdict.visible is (asker.operator_id == operator_id)


@given(people, many_grants, scopes, terms, rights, moments, resources)
def test_nobody_gives_more_than_they_hold(
    asker: Principal,
    held: list[Grant],
    scope: Scope,
    wanted: Terms,
    right: Right,
    now: datetime,
    camera: Resource,
) -> None:
    """Whoever gives themselves something can do nothing with it, ever, that they could not do before."""
    assert asker.person_id is not None
    if may_give(asker, held, scope, wanted, now) is not None:
        return
    given_away = Grant(GrantId(uuid.UUID(int=99)), asker.person_id, scope, wanted, 1)
    later = max(now, wanted.valid_from)
    if isinstance(judge(asker, right, camera, [given_away], later), Granted):
        theirs = [one for one in held if one.withdrawn_at is None and one.person_id == asker.person_id]
        assert isinstance(judge(asker, right, camera, theirs, later), Granted)


@given(people, many_grants, scopes, terms, moments)
def test_giving_takes_the_right_to_give(
    asker: Principal, held: list[Grant], scope: Scope, wanted: Terms, now: datetime
) -> None:
    powerless = [replace(one, terms=replace(one.terms, rights=one.terms.rights - {Right.GRANT})) for one in held]
    assert may_give(asker, powerless, scope, wanted, now) is not None


@given(people, many_grants, grants, moments)
def test_who_may_give_a_grant_may_take_it_back(
    asker: Principal, held: list[Grant], grant: Grant, now: datetime
) -> None:
    if may_give(asker, held, grant.scope, grant.terms, now) is None:
        assert may_take(asker, held, grant, now) is None


@given(people, many_grants, many_grants, moments)
def test_who_may_become_somebody_could_have_given_them_everything(
    asker: Principal, held: list[Grant], theirs: list[Grant], now: datetime
) -> None:
    allowed = may_become(asker, held, theirs, now) is None
    lasting = [
        one for one in theirs if one.withdrawn_at is None and (not one.terms.valid_until or now < one.terms.valid_until)
    ]
    assert allowed is all(may_give(asker, held, one.scope, one.terms, now) is None for one in lasting)
    if allowed:
        assert may_disable(asker, held, theirs, now) is None


@given(many_grants, moments)
def test_an_owner_is_left_only_by_a_grant_without_an_end(held: list[Grant], now: datetime) -> None:
    if leaves_an_owner(held, now):
        assert leaves_an_owner(held, now + timedelta(days=3650))
    ended = [replace(one, terms=replace(one.terms, valid_until=now + timedelta(days=1))) for one in held]
    assert not leaves_an_owner(ended, now)


@given(terms, moments)
def test_terms_without_a_flaw_give_something_to_somebody_some_day(wanted: Terms, now: datetime) -> None:
    if not flaw_of(wanted, now):
        grant = Grant(GrantId(uuid.UUID(int=99)), PEOPLE[0], Scope(OPERATORS[0]), wanted, 1)
        assert grant.is_in_force(max(now, wanted.valid_from))


@given(st.sampled_from(["", *GROUPS]), st.sampled_from(GROUPS), st.sampled_from(GROUPS))
def test_lying_within_a_group_is_handed_down(path: str, middle: str, outer: str) -> None:
    if lies_within(path, middle) and lies_within(middle, outer):
        assert lies_within(path, outer)


@given(scopes, scopes, scopes)
def test_containing_is_handed_down(inner: Scope, middle: Scope, outer: Scope) -> None:
    assert inner.contains(inner)
    # The same camera in two groups is two states of the world; one of them at a time.
    if inner.camera_id and inner.camera_id == middle.camera_id and inner != middle:
        return
    if outer.contains(middle) and middle.contains(inner):
        assert outer.contains(inner)


def test_every_role_is_a_part_of_what_an_owner_holds() -> None:
    for role in Role:
        assert RIGHTS_OF[role] <= RIGHTS_OF[Role.OWNER]
    assert Right.MASK_LIFT not in RIGHTS_OF[Role.OWNER]
