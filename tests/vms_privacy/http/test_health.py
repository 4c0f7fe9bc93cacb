"""Readiness: every part is asked, and a part that hangs holds nobody but the one who asks it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vms_privacy.http.health import NOT_ASKED, OneAtATime


class _Hanging:
    """A probe that answers when it is let."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.go_on = threading.Event()
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.is_asked.set()
        assert self.go_on.wait(10)
        return "" if self.calls > 1 else "store-unavailable"


def test_a_part_that_hangs_holds_one_who_asks_and_the_others_hear_what_was_last_known() -> None:
    hanging = _Hanging()
    probe = OneAtATime(hanging)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(probe)
        assert hanging.is_asked.wait(10)
        assert [probe() for _ in range(100)] == [NOT_ASKED] * 100, "what is not known is not ready"
        hanging.go_on.set()
        assert first.result(10) == "store-unavailable"
    assert hanging.calls == 1
    hanging.go_on.clear()
    hanging.is_asked.clear()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(probe)
        assert hanging.is_asked.wait(10)
        assert probe() == "store-unavailable"
        hanging.go_on.set()
        assert second.result(10) == ""
    assert probe() == ""


def test_a_probe_that_fails_is_asked_again() -> None:
    calls: list[int] = []

    def fails_once() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("nobody foresaw this")
        return ""

    probe = OneAtATime(fails_once)
    with pytest.raises(RuntimeError):
        probe()
    assert probe() == ""
