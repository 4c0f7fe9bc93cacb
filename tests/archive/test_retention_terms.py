"""What an operator sets for all its cameras: the profile's cap, the default, the minimum (RT-16)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from archive.retention.rules import CAPS_OF, FULL_REASONS, Profile, Terms
from archive.retention.service import RetentionRefused, ShorteningTakesTwo
from archive.retention.terms import OperatorTerms
from archive.segments.rules import State
from auth.principal import Granted, Right
from auth.resources.store import ResourceStore
from tests.given.footage import House
from vms_privacy.ids import CameraId, GrantId
from vms_privacy.journal.rules import JournalKind

DAY = timedelta(days=1)
WHY = "the insurer asks for it in writing"
AT_LENGTH = "the insurer asks for it in writing, for all of the loading bays"


def terms_of(house: House) -> OperatorTerms:
    return OperatorTerms(house.retention, house.audit, house.journal, house.clock, house.randomness)


def set_terms(house: House, **wanted: object) -> Terms:
    granted = Granted(house.owner, Right.RETAIN, house.operator_id, None, GrantId(house.randomness.uuid()), 1)
    with house.db.writing() as session:
        return terms_of(house).set(session, granted, replace(Terms(), **wanted))  # type: ignore[arg-type]


def rule_of(house: House, keep_for: timedelta, why: str = AT_LENGTH) -> str:
    with pytest.raises(RetentionRefused) as refused, house.db.writing() as session:
        house.retention.set(session, house.granted(), keep_for, why)
    return str(refused.value.facts["rule"])


def keep(house: House, keep_for: timedelta, why: str = AT_LENGTH) -> None:
    with house.db.writing() as session:
        house.retention.set(session, house.granted(), keep_for, why)


def test_nobody_has_to_set_anything(house: House) -> None:
    with house.db.reading() as session:
        assert terms_of(house).current(session, house.operator_id) == Terms()
    assert len(AT_LENGTH) >= FULL_REASONS > len(WHY)


@pytest.mark.parametrize("profile", [Profile.FRANCE, Profile.LUXEMBOURG])
def test_nothing_is_kept_beyond_the_cap_of_the_profile_whatever_the_justification(
    house: House, profile: Profile
) -> None:
    set_terms(house, profile=profile)
    assert rule_of(house, timedelta(days=31)) == "beyond-the-profile"
    keep(house, timedelta(days=30))


def test_in_luxembourg_more_than_eight_days_needs_more_than_a_few_words(house: House) -> None:
    set_terms(house, profile=Profile.LUXEMBOURG)
    keep(house, timedelta(days=8), WHY)
    assert rule_of(house, timedelta(days=9), WHY) == "retention-needs-full-reasons"
    keep(house, timedelta(days=9), AT_LENGTH)


def test_the_general_profile_and_that_of_the_united_kingdom_cap_nothing_below_a_year(house: House) -> None:
    for profile in (Profile.GENERAL, Profile.UNITED_KINGDOM, Profile.KAZAKHSTAN):
        set_terms(house, profile=profile)
        keep(house, timedelta(days=366))
    assert CAPS_OF[Profile.UNITED_KINGDOM].review_every is not None


def test_no_camera_is_kept_for_less_than_the_minimum(house: House) -> None:
    set_terms(house, at_least=2 * DAY)
    assert rule_of(house, 2 * DAY - timedelta(seconds=1)) == "below-the-minimum"
    keep(house, 2 * DAY)


@pytest.mark.parametrize(
    ("own", "wanted", "rule"),
    [
        (timedelta(days=40), {"profile": Profile.FRANCE}, "cameras-beyond-the-profile"),
        (timedelta(days=1), {"at_least": timedelta(days=2)}, "cameras-below-the-minimum"),
        (timedelta(days=1), {"keep_for": timedelta(days=4)}, "retention-needs-justification"),
        (timedelta(days=1), {"keep_for": timedelta(days=31), "profile": Profile.FRANCE}, "beyond-the-profile"),
        (timedelta(days=1), {"at_least": timedelta(seconds=9)}, "retention-too-short"),
        (timedelta(days=1), {"at_least": timedelta(hours=1), "keep_for": timedelta(minutes=59)}, "below-the-minimum"),
    ],
)
def test_terms_that_contradict_themselves_or_a_camera_are_refused(
    house: House, own: timedelta, wanted: dict[str, object], rule: str
) -> None:
    keep(house, own)
    with pytest.raises(RetentionRefused) as refused:
        set_terms(house, **wanted)
    assert refused.value.facts["rule"] == rule
    with house.db.reading() as session:
        assert terms_of(house).current(session, house.operator_id) == Terms()


def test_a_shorter_default_reaches_what_is_there_and_is_journalled_and_heard_of(house: House) -> None:
    heard: list[CameraId] = []
    house.retention.on_change(heard.append)
    house.opt_in()
    house.record(2)
    set_terms(house, keep_for=timedelta(minutes=1))
    [row] = house.rows()
    assert (row.keep_us, heard) == (60_000_000, [house.camera.camera_id])
    assert [one.facts["keep_seconds"] for one in house.journal.entries() if one.kind is JournalKind.SHORTENING] == [60]
    house.clock.forward(timedelta(minutes=2))
    house.eraser.sweep()
    assert [one.state for one in house.rows()] == [State.ERASED]


def test_a_longer_default_works_forward_alone_and_what_a_camera_has_of_its_own_stays(house: House) -> None:
    house.opt_in()
    house.record(2)
    set_terms(house, keep_for=10 * DAY, justification=WHY)
    assert [one.keep_us for one in house.rows()] == [72 * 3600 * 1_000_000]
    with house.db.reading() as session:
        assert house.retention.current(session, house.camera.camera_id).keep_for == 10 * DAY
    keep(house, DAY)
    set_terms(house, keep_for=2 * DAY)
    with house.db.reading() as session:
        assert house.retention.current(session, house.camera.camera_id).keep_for == DAY


def test_a_default_that_would_destroy_much_at_once_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.opt_in()
    house.record(3)
    house.clock.forward(timedelta(minutes=5))
    monkeypatch.setattr("archive.retention.rules.HARMLESS_LOSS", timedelta(seconds=1))
    with pytest.raises(ShorteningTakesTwo):
        set_terms(house, keep_for=timedelta(minutes=1))
    assert [one.keep_us for one in house.rows()] == [72 * 3600 * 1_000_000]


def test_halving_the_default_again_and_again_is_refused_like_doing_it_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.opt_in()
    house.record(3)
    house.clock.forward(timedelta(minutes=5))
    monkeypatch.setattr("archive.retention.rules.HARMLESS_LOSS", timedelta(seconds=1))
    hours = [timedelta(hours=36), timedelta(hours=18), timedelta(hours=9), timedelta(hours=4), timedelta(hours=2)]
    for keep_for in (*hours, timedelta(hours=1), timedelta(minutes=30), timedelta(minutes=15), timedelta(minutes=8)):
        set_terms(house, keep_for=keep_for)
    with pytest.raises(ShorteningTakesTwo):
        set_terms(house, keep_for=timedelta(minutes=4))


def test_a_removed_camera_does_not_stand_against_terms(house: House) -> None:
    keep(house, timedelta(hours=1))
    with house.db.writing() as session:
        ResourceStore().remove(session, house.camera.camera_id, house.clock.now())
    set_terms(house, at_least=2 * DAY, keep_for=3 * DAY)


def test_other_terms_begin_another_segment(house: House) -> None:
    house.opt_in()
    house.record(2, close=False)
    with house.db.reading() as session:
        before = house.retention.current(session, house.camera.camera_id)
    set_terms(house, keep_for=10 * DAY, justification=WHY)
    with house.db.reading() as session:
        now = house.retention.current(session, house.camera.camera_id)
    assert (before.version, now.version) == (0, -1)
