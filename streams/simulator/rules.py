"""The bar code and the canary in a simulated picture: where each bit stands and how it is read. Pure.

Layout in units of 16 pixels (8 in pictures under 576 wide), from the corner (1, 1): four rows of 32 blocks of
bar code, one dark row, eight rows of 32 blocks of canary; a dark border one unit wide round all of it. A block
of 16 is a macroblock, so it is coded as one flat value and survives any quantiser.
"""

import zlib
from dataclasses import dataclass

COLUMNS, CODE_ROWS, CANARY_ROWS = 32, 4, 8
DARK, BRIGHT, MIDDLE = 40, 215, 128
CANARY_SIZE = COLUMNS * CANARY_ROWS // 8
_MAGIC = 0xB5
_CHECK_BITS = 24


@dataclass(frozen=True, slots=True)
class BarCode:
    """What a picture says of itself: camera number, how many pictures came before, UTC in milliseconds."""

    camera: int
    counter: int
    utc_ms: int

    def __post_init__(self) -> None:
        if not (0 <= self.camera < 1 << 16 and 0 <= self.counter < 1 << 32 and 0 <= self.utc_ms < 1 << 48):
            raise ValueError("a bar code has 16 bits of camera, 32 of counter and 48 of time")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the blocks stand in a picture of one size, in pixels."""

    unit: int

    @property
    def width(self) -> int:
        """Pixels from the left edge to the right end of the border."""
        return (COLUMNS + 2) * self.unit

    @property
    def height(self) -> int:
        """Pixels from the upper edge to the lower end of the border."""
        return (CODE_ROWS + CANARY_ROWS + 3) * self.unit

    def code_row(self, row: int) -> int:
        """Return the first line of a row of the bar code."""
        return (1 + row) * self.unit

    def canary_row(self, row: int) -> int:
        """Return the first line of a row of the canary."""
        return (2 + CODE_ROWS + row) * self.unit


def layout_for(width: int, height: int) -> Layout | None:
    """Return the layout of pictures of this size, or None if they are too small (under 272 x 120)."""
    layout = Layout(16 if width >= 576 and height >= 240 else 8)
    return layout if width >= layout.width and height >= layout.height else None


def code_words(code: BarCode) -> tuple[int, ...]:
    """Return the rows of the bar code, 32 bits each, the first block being the highest bit."""
    value = _MAGIC
    for number, bits in ((code.camera, 16), (code.counter, 32), (code.utc_ms, 48)):
        value = value << bits | number
    return _split(value << _CHECK_BITS | _check(value), CODE_ROWS)


def read_code(words: tuple[int, ...]) -> BarCode | None:
    """Return the bar code of four rows, or None if they are no bar code or a bit is wrong."""
    value = _join(words)
    value, check = value >> _CHECK_BITS, value & ((1 << _CHECK_BITS) - 1)
    if value >> 96 != _MAGIC or check != _check(value):
        return None
    return BarCode(value >> 80 & 0xFFFF, value >> 48 & 0xFFFFFFFF, value & 0xFFFFFFFFFFFF)


def canary_words(canary: bytes) -> tuple[int, ...]:
    """Return the rows of the canary."""
    if len(canary) != CANARY_SIZE:
        raise ValueError(f"a canary has {CANARY_SIZE} bytes")
    return _split(int.from_bytes(canary, "big"), CANARY_ROWS)


def read_canary(words: tuple[int, ...]) -> bytes:
    """Return the canary of eight rows."""
    return _join(words).to_bytes(CANARY_SIZE, "big")


def paint_row(word: int, unit: int) -> bytes:
    """Return one line of pixels of a row: 32 blocks, bright for one."""
    bright, dark = bytes((BRIGHT,)) * unit, bytes((DARK,)) * unit
    return b"".join(bright if word >> bit & 1 else dark for bit in range(COLUMNS - 1, -1, -1))


def sample_row(luma: memoryview, line_size: int, first_line: int, unit: int) -> int:
    """Return the word of a row: each bit is the mean of the inner half of its block against the middle grey."""
    inner, half = unit // 4, unit // 2
    lines = [(first_line + inner + n * half // 4) * line_size + unit for n in range(4)]
    word = 0
    for column in range(COLUMNS):
        at = column * unit + inner
        total = sum(sum(luma[line + at : line + at + half]) for line in lines)
        word = word << 1 | (total >= MIDDLE * 4 * half)
    return word


def _check(value: int) -> int:
    return zlib.crc32(value.to_bytes(13, "big")) & ((1 << _CHECK_BITS) - 1)


def _split(value: int, rows: int) -> tuple[int, ...]:
    return tuple(value >> COLUMNS * (rows - 1 - row) & 0xFFFFFFFF for row in range(rows))


def _join(words: tuple[int, ...]) -> int:
    value = 0
    for word in words:
        value = value << COLUMNS | word
    return value
