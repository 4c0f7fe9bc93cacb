"""Opaque secrets."""

import pytest

from auth.opaque import digest_of, new_opaque
from tests.given.randomness import CountedRandomness


def test_a_secret_has_at_least_128_bits_and_is_never_the_same() -> None:
    randomness = CountedRandomness()
    made = {new_opaque(randomness, "a1") for _ in range(1000)}
    assert len(made) == 1000
    assert all(text.startswith("a1.") and len(text) == 25 for text in made)
    with pytest.raises(ValueError, match="128 bits"):
        new_opaque(randomness, "a1", 15)


def test_any_text_has_a_digest() -> None:
    assert len({digest_of(text) for text in ("", "a1.x", "\ud800", "x" * 10_000)}) == 4
    assert len(digest_of("\ud800")) == 32
