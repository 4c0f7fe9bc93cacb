"""An address never appears; its pseudonym is the same all day and another one tomorrow."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.keyring.file_keyring import FileKeyring


@pytest.fixture
def pseudonyms(tmp_path: Path, clock: HandClock) -> Pseudonyms:
    return Pseudonyms(FileKeyring.create(tmp_path / "keyring", clock, CountedRandomness()), clock)


def test_a_pseudonym_lasts_the_day_and_no_longer(pseudonyms: Pseudonyms, clock: HandClock) -> None:
    today = pseudonyms.address("192.0.2.7")
    clock.forward(timedelta(hours=11))
    assert pseudonyms.address("192.0.2.7") == today
    clock.forward(timedelta(hours=1))
    assert pseudonyms.address("192.0.2.7") != today


def test_a_pseudonym_says_nothing_of_the_address(pseudonyms: Pseudonyms) -> None:
    one, other = pseudonyms.address("192.0.2.7"), pseudonyms.address("192.0.2.8")
    assert one != other
    assert len(one) == len(other) == 24
    assert set(one) <= set("0123456789abcdef")


def test_another_keyring_gives_other_pseudonyms(pseudonyms: Pseudonyms, tmp_path: Path, clock: HandClock) -> None:
    other = Pseudonyms(FileKeyring.create(tmp_path / "other", clock, CountedRandomness("other")), clock)
    assert other.address("192.0.2.7") != pseudonyms.address("192.0.2.7")


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7"),
        ("2001:db8::1", "2001:0DB8:0:0::0001"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", "testclient"),
    ],
)
def test_two_spellings_of_one_address_have_one_pseudonym(pseudonyms: Pseudonyms, one: str, same: str) -> None:
    assert pseudonyms.address(one) == pseudonyms.address(same)
