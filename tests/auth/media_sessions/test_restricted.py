"""A restricted camera is watched by nobody, live included (P6): refused at the door, cut while it runs, open again."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from auth.media_sessions.rules import End, Protocol
from auth.revocation.view import RevocationView
from auth.tokens.errors import FootageIsRestricted
from auth.tokens.rules import Action, microseconds
from auth.tokens.service import Asked
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts
from tests.given.viewers import Cut, beat, enter, opened, viewer, wait
from vms_privacy.audit.events import Tag
from vms_privacy.ids import CameraId

SECOND = timedelta(seconds=1)


def _restrict(parts: TokenParts, since: datetime, until: datetime) -> None:
    """As the archive tells it: known first, then whoever looks is judged again."""
    camera = parts.camera.camera_id
    parts.view.hear_restrictions({camera: [(microseconds(since), microseconds(until))]})
    parts.sessions.hear_camera(camera)


def test_a_restriction_cuts_whoever_watches_live_and_leaves_recordings_to_be_judged_by_their_time(
    parts: TokenParts, clock: HandClock
) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE, Action.ARCHIVE)
    live = enter(parts, token)
    recorded = enter(parts, token, Protocol.HLS, action=Action.ARCHIVE)
    cut = Cut()
    live.attach(cut)
    _restrict(parts, clock.now(), clock.now() + 60 * SECOND)
    assert (cut.times, live.end, recorded.end) == (1, End.RESTRICTED, None)
    with pytest.raises(FootageIsRestricted):
        live.check()
    recorded.check()
    beat(parts)
    assert [event.reason for event in parts.events(Tag.MEDIA_CUT)] == ["footage-restricted"]


def test_a_restricted_camera_refuses_at_the_door_with_a_trace_and_opens_again_when_it_is_over(
    parts: TokenParts, clock: HandClock
) -> None:
    person, _ = viewer(parts)
    token = parts.issue(person, Action.LIVE)
    _restrict(parts, clock.now(), clock.now() + 10 * SECOND)
    with pytest.raises(FootageIsRestricted):
        parts.tokens.admit(token.jwt, Asked("north", "door", Action.LIVE))
    assert parts.events(Tag.TOKEN_REFUSED)[-1].reason == FootageIsRestricted.code
    clock.forward(10 * SECOND)
    beat(parts)
    parts.tokens.admit(token.jwt, Asked("north", "door", Action.LIVE))


def test_a_restriction_that_begins_later_cuts_in_its_second_and_not_before(parts: TokenParts, clock: HandClock) -> None:
    session, _ = opened(parts)
    begins = clock.now() + 3 * SECOND
    _restrict(parts, begins, begins + 60 * SECOND)
    wait(parts, clock, 2.9 * SECOND)
    session.check()
    wait(parts, clock, 0.1 * SECOND)
    with pytest.raises(FootageIsRestricted):
        session.check()
    beat(parts)
    assert session.end is End.RESTRICTED


def test_another_cameras_restriction_cuts_nobody_here(parts: TokenParts, clock: HandClock) -> None:
    session, _ = opened(parts)
    other = CameraId(parts.randomness.uuid())
    parts.view.hear_restrictions({other: [(0, 2**60)]})
    parts.sessions.hear_camera(other)
    beat(parts)
    session.check()


def test_until_the_first_restrictions_were_heard_every_camera_is_restricted(clock: HandClock) -> None:
    view, camera = RevocationView(clock), CameraId(UUID(int=1))
    assert view.forbids_live(camera)
    view.hear_restrictions({})
    assert not view.forbids_live(camera)


def test_while_the_time_is_in_doubt_both_of_its_readings_count(clock: HandClock) -> None:
    view, camera = RevocationView(clock), CameraId(UUID(int=1))
    now = clock.now()
    view.hear_restrictions({camera: [(microseconds(now - 90 * SECOND), microseconds(now - 30 * SECOND))]})
    assert not view.forbids_live(camera)
    clock.doubt = timedelta(seconds=60)
    assert view.forbids_live(camera)


def test_pictures_of_the_ring_are_judged_by_the_time_at_which_they_were_captured(
    parts: TokenParts, clock: HandClock
) -> None:
    session, _ = opened(parts)
    now = microseconds(clock.now())
    parts.view.hear_restrictions({parts.camera.camera_id: [(now - 20_000_000, now - 5_000_000)]})
    beat(parts)
    session.check()
    session.check_live(now - 4_000_000, now - 3_500_000)
    for from_us in (now - 20_400_000, now - 10_000_000, now - 5_000_001):
        with pytest.raises(FootageIsRestricted):
            session.check_live(from_us, from_us + 500_000)


def test_a_stretch_between_two_readings_of_the_time_closes_live(clock: HandClock) -> None:
    view, camera = RevocationView(clock), CameraId(UUID(int=1))
    clock.doubt = timedelta(seconds=60)
    readings = sorted([microseconds(clock.for_reading()), microseconds(clock.for_destroying())])
    assert readings[0] < readings[1]
    view.hear_restrictions({camera: [(readings[0] + 1_000_000, readings[0] + 2_000_000)]})
    assert view.forbids_live(camera)


def test_a_camera_whose_restrictions_cannot_be_read_is_closed_until_they_can(clock: HandClock) -> None:
    view, camera, other = RevocationView(clock), CameraId(UUID(int=1)), CameraId(UUID(int=2))
    view.hear_restrictions({})
    view.close(camera)
    assert view.forbids_live(camera)
    assert not view.forbids_live(other)
    view.hear_restrictions({})
    assert not view.forbids_live(camera)
