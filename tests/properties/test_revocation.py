"""Revocation: no doubt is ever taken for a yes (P8, P12)."""

from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from auth.revocation.rules import DEAF_AFTER_S, STALE_AFTER_S, Footing, Hearing, Known, hearing_after, weigh
from auth.revocation.view import RevocationView
from tests.given.clock import HandClock
from vms_privacy.ids import GrantId, PersonId, TokenId

_silences = st.none() | st.floats(-5, 60, allow_nan=False)
_ORDER = [Hearing.FRESH, Hearing.STALE, Hearing.DEAF]
_versions = st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(1, 5)), min_size=1, max_size=3)


@given(st.floats(0, 60), st.floats(0, 60))
def test_a_longer_silence_is_never_trusted_more(one: float, more: float) -> None:
    assert _ORDER.index(hearing_after(one)) <= _ORDER.index(hearing_after(one + more))


@given(_silences)
def test_after_a_second_of_silence_nothing_starts_and_after_ten_nothing_goes_on(silence_s: float | None) -> None:
    hearing = hearing_after(silence_s)
    heard = silence_s is not None and silence_s >= 0
    assert hearing.may_start == (heard and silence_s is not None and silence_s < STALE_AFTER_S)
    assert hearing.may_go_on == (heard and silence_s is not None and silence_s < DEAF_AFTER_S)


@given(st.booleans(), st.booleans(), _versions)
def test_what_was_withdrawn_never_holds_and_what_moved_or_is_unknown_is_asked_about(
    token_withdrawn: bool, person_disabled: bool, versions: list[tuple[int, int | None]]
) -> None:
    used = tuple(used for used, _ in versions)
    current = tuple(current for _, current in versions)
    footing = weigh(Known(token_withdrawn, person_disabled, used, current))
    if token_withdrawn or person_disabled:
        assert footing is Footing.WITHDRAWN
    else:
        assert (footing is Footing.HOLDS) == (used == current)


@given(st.permutations([1, 2, 3, 4, 5]))
def test_in_whatever_order_changes_arrive_the_newest_version_counts(order: list[int]) -> None:
    view, grant_id = RevocationView(HandClock()), GrantId(UUID(int=1))
    for version in order:
        view.hear_grant(grant_id, version)
    assert view.version_of(grant_id) == 5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 100)), max_size=20), st.integers(0, 120))
def test_a_withdrawn_token_is_never_forgotten_before_its_time(told: list[tuple[int, int]], waited_s: int) -> None:
    clock = HandClock()
    view, noon = RevocationView(clock), clock.now()
    forget_at: dict[int, datetime] = {}
    for number, seconds in told:
        forget_at[number] = max(forget_at.get(number, noon), noon + timedelta(seconds=seconds))
        view.hear_token(TokenId(UUID(int=number)), noon + timedelta(seconds=seconds))
    clock.forward(timedelta(seconds=waited_s))
    view.forget_old()
    person, grant = PersonId(UUID(int=1)), GrantId(UUID(int=2))
    view.hear_grant(grant, 1)
    for number, until in forget_at.items():
        footing = view.weigh(TokenId(UUID(int=number)), person, [(grant, 1)])
        assert (footing is Footing.WITHDRAWN) == (until >= clock.now())
