"""Hashing: cost, salt, re-hashing, and the same work for nobody."""

import threading
from time import perf_counter

import pytest
from argon2 import Type, extract_parameters
from argon2.exceptions import InvalidHashError

from auth.identities.passwords import Cost, HashingIsBusy, Passwords
from tests.given.auth_app import CHEAP
from tests.given.randomness import CountedRandomness
from vms_privacy.ids import SystemRandomness


def test_the_cost_is_at_least_what_owasp_and_asvs_ask() -> None:
    """OWASP Password Storage Cheat Sheet and ASVS 5.0, appendix C: Argon2id, m=19 MiB with t=2 and p=1, or more."""
    stored = Passwords(SystemRandomness()).hash("a long enough password")
    found = extract_parameters(stored)
    assert found.type is Type.ID
    assert found.version == 19
    assert found.memory_cost >= 19 * 1024
    assert found.time_cost >= 2
    assert found.parallelism >= 1
    assert found.salt_len >= 16
    assert found.hash_len >= 32


def test_the_same_password_of_two_people_has_two_digests() -> None:
    passwords = Passwords(CountedRandomness(), CHEAP)
    first, second = passwords.hash("a long enough password"), passwords.hash("a long enough password")
    assert first != second
    assert passwords.matches(first, "a long enough password")
    assert passwords.matches(second, "a long enough password")
    assert not passwords.matches(first, "a long enough passworD")
    assert "long enough" not in first


def test_a_digest_of_another_cost_is_outdated_and_still_counts() -> None:
    old = Passwords(CountedRandomness(), CHEAP).hash("a long enough password")
    dearer = Passwords(CountedRandomness(), Cost(memory_kib=128, passes=1))
    assert dearer.is_outdated(old)
    assert dearer.matches(old, "a long enough password")
    assert not dearer.is_outdated(dearer.hash("a long enough password"))


def test_an_unknown_log_in_costs_what_a_wrong_password_costs() -> None:
    passwords = Passwords(CountedRandomness(), Cost(memory_kib=8192, passes=2))
    stored = passwords.hash("a long enough password")

    def quickest(digest: str | None) -> float:
        took = []
        for _ in range(7):
            started = perf_counter()
            assert not passwords.matches(digest, "another password")
            took.append(perf_counter() - started)
        return min(took)

    assert 0.5 < quickest(None) / quickest(stored) < 2


def test_where_there_is_no_password_none_fits() -> None:
    passwords = Passwords(CountedRandomness(), CHEAP)
    assert not passwords.matches(None, "")


def test_a_damaged_digest_lets_nobody_in() -> None:
    with pytest.raises(InvalidHashError):
        Passwords(CountedRandomness(), CHEAP).matches("not a digest", "a long enough password")


def test_only_so_many_hash_at_once() -> None:
    passwords = Passwords(CountedRandomness(), CHEAP, at_once=1, longest_queue_seconds=0.01)
    started, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with passwords._slot():
            started.set()
            go_on.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert started.wait(10)
    with pytest.raises(HashingIsBusy):
        passwords.hash("a long enough password")
    go_on.set()
    holder.join(10)
    assert passwords.matches(passwords.hash("a long enough password"), "a long enough password")
