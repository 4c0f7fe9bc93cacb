"""Slots come when they are due, and what is missed is counted."""

from datetime import timedelta

from streams.simulator.metronome import Metronome
from tests.given.clock import HandClock

BEAT = timedelta(milliseconds=40)


def test_each_slot_comes_when_it_is_due(clock: HandClock) -> None:
    metronome = Metronome(clock, 25)
    assert metronome.wait() == 0
    for slot in range(1, 4):
        clock.forward(BEAT)
        assert metronome.wait() == slot
    assert metronome.lost == 0


def test_a_little_late_is_caught_up_with(clock: HandClock) -> None:
    metronome = Metronome(clock, 25)
    clock.forward(20 * BEAT)
    assert [metronome.wait() for _ in range(21)] == list(range(21))
    assert metronome.lost == 0


def test_seconds_behind_are_left_out_and_counted(clock: HandClock) -> None:
    metronome = Metronome(clock, 25)
    clock.forward(timedelta(seconds=10))
    assert metronome.wait() == 250
    assert metronome.lost == 250


def test_a_restart_counts_from_zero(clock: HandClock) -> None:
    metronome = Metronome(clock, 25)
    assert metronome.wait() == 0
    clock.forward(timedelta(seconds=10))
    metronome.restart()
    assert metronome.wait() == 0


def test_a_stopped_metronome_beats_no_more_even_if_it_was_stalled(clock: HandClock) -> None:
    metronome = Metronome(clock, 25)
    metronome.stall()
    metronome.stop()
    assert metronome.wait() is None
