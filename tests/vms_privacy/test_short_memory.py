"""Opened keys stay in memory for a short while, and few of them."""

from datetime import timedelta

from tests.given.clock import HandClock
from vms_privacy.keyring.short_memory import ShortMemory


def test_nothing_is_remembered_for_30_seconds_or_longer(clock: HandClock) -> None:
    memory: ShortMemory[str] = ShortMemory(clock)
    memory.keep("a", "key")
    clock.forward(timedelta(seconds=29.9))
    assert memory.get("a") == "key"
    clock.forward(timedelta(seconds=0.1))
    assert memory.get("a") is None
    assert len(memory) == 0


def test_using_a_value_does_not_make_it_stay(clock: HandClock) -> None:
    memory: ShortMemory[str] = ShortMemory(clock)
    memory.keep("a", "key")
    for _ in range(29):
        clock.forward(timedelta(seconds=1))
        assert memory.get("a") == "key"
    clock.forward(timedelta(seconds=1))
    assert memory.get("a") is None


def test_any_use_lets_go_of_everything_that_is_old(clock: HandClock) -> None:
    memory: ShortMemory[str] = ShortMemory(clock)
    memory.keep("a", "key")
    clock.forward(timedelta(seconds=30))
    memory.keep("b", "other")
    assert len(memory) == 1


def test_the_oldest_makes_room(clock: HandClock) -> None:
    memory: ShortMemory[int] = ShortMemory(clock, room=3)
    for number in range(5):
        memory.keep(number, number)
    assert [memory.get(number) for number in range(5)] == [None, None, 2, 3, 4]


def test_what_is_kept_again_is_new(clock: HandClock) -> None:
    memory: ShortMemory[str] = ShortMemory(clock)
    memory.keep("a", "old")
    clock.forward(timedelta(seconds=20))
    memory.keep("a", "new")
    clock.forward(timedelta(seconds=20))
    assert memory.get("a") == "new"


def test_what_is_forgotten_is_gone_at_once(clock: HandClock) -> None:
    memory: ShortMemory[str] = ShortMemory(clock)
    memory.keep("a", "key")
    memory.forget("a")
    memory.forget("never there")
    assert memory.get("a") is None
