"""The clocks of requests: month ends, leap days, extensions and suspensions, exact to the microsecond (P11)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms_privacy.subject_requests.clocks import (
    ASKED_WITHIN,
    LONGEST_SUSPENSION,
    REMIND_DAYS,
    Asking,
    answer_by,
    extended_to,
    months_later,
    promised_by,
    reminder_due,
    suspended_for,
)

MOMENTS = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)
DELAYS = st.timedeltas(timedelta(0), timedelta(days=120))
SECOND = timedelta(seconds=1)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@st.composite
def _askings(draw: st.DrawFn, received_at: datetime) -> Asking:
    asked_at = received_at + draw(DELAYS)
    settled_at = draw(st.none() | DELAYS.map(lambda delay: asked_at + delay))
    return Asking(asked_at, draw(st.booleans()), settled_at)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2027-01-30T12:00", "2027-02-28T12:00"),
        ("2028-01-30T12:00", "2028-02-29T12:00"),
        ("2027-01-31T23:59:59", "2027-02-28T23:59:59"),
        ("2028-02-29T00:00", "2028-03-29T00:00"),
        ("2027-02-28T08:00", "2027-03-28T08:00"),
        ("2027-03-31T08:00", "2027-04-30T08:00"),
        ("2027-05-01T08:00", "2027-05-31T08:00"),
        ("2027-12-15T08:00", "2028-01-14T08:00"),
        # A Sunday stays a Sunday, and clocks that go forward in between move nothing.
        ("2027-01-17T10:00", "2027-02-16T10:00"),
        ("2027-03-14T10:00", "2027-04-13T10:00"),
    ],
)
def test_an_answer_is_promised_by_the_earlier_of_thirty_days_and_a_month(received: str, due: str) -> None:
    assert promised_by(_at(received)) == _at(due)


@pytest.mark.parametrize(
    ("received", "months", "until"),
    [
        ("2027-01-31T12:00", 1, "2027-03-28T12:00"),
        ("2027-01-31T12:00", 2, "2027-04-28T12:00"),
        ("2027-11-30T12:00", 2, "2028-02-29T12:00"),
        ("2026-11-30T12:00", 2, "2027-02-28T12:00"),
        ("2027-03-01T12:00", 2, "2027-05-31T12:00"),
        ("2027-06-15T12:00", 1, "2027-08-15T12:00"),
    ],
)
def test_an_extension_is_counted_in_months_and_of_two_ways_to_count_the_earlier_counts(
    received: str, months: int, until: str
) -> None:
    assert extended_to(_at(received), months) == _at(until)


@given(MOMENTS, st.integers(0, 40))
def test_some_months_later_is_the_same_day_or_the_last_of_a_shorter_month(moment: datetime, months: int) -> None:
    later = months_later(moment, months)
    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == months
    assert later.timetz() == moment.timetz()
    assert later.day == moment.day or (later.day < moment.day and (later + timedelta(days=1)).day == 1)


@given(MOMENTS)
def test_no_promise_is_longer_than_thirty_days_nor_than_a_month_nor_shorter_than_february(received: datetime) -> None:
    due = promised_by(received)
    assert received + timedelta(days=28) <= due <= received + timedelta(days=30)
    assert due <= months_later(received, 1)
    assert due in {received + timedelta(days=30), months_later(received, 1)}


@given(MOMENTS, st.integers(1, 2))
def test_an_extension_is_longer_than_the_promise_and_never_beyond_three_months_from_receipt(
    received: datetime, months: int
) -> None:
    until = extended_to(received, months)
    assert promised_by(received) < until <= months_later(received, 1 + months) <= months_later(received, 3)


@given(MOMENTS, MOMENTS)
def test_who_comes_later_is_never_promised_an_earlier_answer(one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert promised_by(first) <= promised_by(second)


@given(st.data(), MOMENTS)
def test_the_clock_stands_still_for_a_reasonable_doubt_alone_asked_about_at_once_and_thirty_days_at_most(
    data: st.DataObject, received: datetime
) -> None:
    asking = data.draw(_askings(received))
    still = suspended_for(received, asking)
    assert timedelta(0) <= still <= LONGEST_SUSPENSION
    if still:
        assert asking.has_doubt
        assert asking.asked_at <= received + ASKED_WITHIN
    if asking.settled_at is not None:
        assert still <= asking.settled_at - asking.asked_at
    assert suspended_for(received, None) == timedelta(0)


@given(st.data(), MOMENTS, st.integers(0, 2))
def test_there_is_always_an_answer_date_and_it_is_never_before_the_promise_nor_without_end(
    data: st.DataObject, received: datetime, months: int
) -> None:
    asking = data.draw(st.none() | _askings(received))
    until = answer_by(received, months, asking)
    assert promised_by(received) <= until <= months_later(received, 3) + LONGEST_SUSPENSION


@given(MOMENTS, st.lists(st.timedeltas(timedelta(days=-40), timedelta(days=5)), max_size=30))
def test_of_one_date_somebody_is_reminded_of_each_step_once_ever_more_urgently_and_in_time(
    until: datetime, offsets: list[timedelta]
) -> None:
    noted: list[int] = []
    for offset in sorted(offsets):
        now = until + offset
        days = reminder_due(until, now, noted)
        if days is not None:
            assert now >= until - timedelta(days=days)
            noted.append(days)
        else:
            assert noted or now < until - timedelta(days=max(REMIND_DAYS))
    assert noted == sorted(set(noted), reverse=True)
    if any(offset >= timedelta(0) for offset in offsets):
        assert noted[-1] == 0


def test_the_hour_of_summer_time_changes_no_date() -> None:
    paris = ZoneInfo("Europe/Paris")
    received = datetime(2027, 3, 10, 2, 30, tzinfo=paris).astimezone(UTC)
    assert promised_by(received) - received == timedelta(days=30)
    assert reminder_due(promised_by(received), promised_by(received) - SECOND, [14, 7, 3]) == 1
