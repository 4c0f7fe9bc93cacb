"""What a picture says of itself is read back, or not at all."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.simulator.rules import (
    CANARY_ROWS,
    CODE_ROWS,
    BarCode,
    canary_words,
    code_words,
    layout_for,
    paint_row,
    read_canary,
    read_code,
    sample_row,
)

codes = st.builds(BarCode, st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**48 - 1))


@given(codes)
def test_a_bar_code_is_read_back(code: BarCode) -> None:
    assert read_code(code_words(code)) == code


@given(code=codes, wrong=st.sets(st.integers(0, 127), min_size=1, max_size=5))
def test_a_bar_code_with_wrong_bits_is_none(code: BarCode, wrong: set[int]) -> None:
    words = list(code_words(code))
    for bit in wrong:
        words[bit // 32] ^= 1 << bit % 32
    assert read_code(tuple(words)) is None


@pytest.mark.parametrize("word", [0, 2**32 - 1])
def test_a_flat_picture_is_no_bar_code(word: int) -> None:
    assert read_code((word,) * CODE_ROWS) is None


@given(st.binary(min_size=32, max_size=32))
def test_a_canary_is_read_back(canary: bytes) -> None:
    assert read_canary(canary_words(canary)) == canary


@given(
    word=st.integers(0, 2**32 - 1),
    unit=st.sampled_from([8, 16]),
    padding=st.integers(0, 70),
    noise=st.lists(st.integers(-80, 80), min_size=1, max_size=50),
)
def test_a_row_is_read_back_through_noise_of_a_third_of_the_range(
    word: int, unit: int, padding: int, noise: list[int]
) -> None:
    line = bytes(unit) + paint_row(word, unit) + bytes(padding)
    noisy = bytes(min(255, max(0, value + noise[at % len(noise)])) for at, value in enumerate(line))
    assert sample_row(memoryview(noisy * unit), len(line), 0, unit) == word


@given(width=st.integers(1, 4096), height=st.integers(1, 2400))
def test_rows_stand_inside_the_picture_and_apart(width: int, height: int) -> None:
    layout = layout_for(width, height)
    if layout is None:
        assert width < 272 or height < 120
        return
    rows = [layout.code_row(n) for n in range(CODE_ROWS)] + [layout.canary_row(n) for n in range(CANARY_ROWS)]
    assert all(b - a >= layout.unit for a, b in pairwise(rows))
    assert rows[0] == layout.unit
    assert rows[-1] + 2 * layout.unit <= layout.height <= height
    assert layout.width <= width


@pytest.mark.parametrize("numbers", [(2**16, 0, 0), (0, 2**32, 0), (0, 0, 2**48), (-1, 0, 0)])
def test_numbers_that_do_not_fit_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="bar code has"):
        BarCode(*numbers)


def test_a_canary_has_one_size() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        canary_words(bytes(31))
