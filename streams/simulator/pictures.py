"""Paints bar code and canary into the buffer of an encoder, and frames the pictures that come out of it."""

from dataclasses import dataclass

from streams.media import nal
from streams.media.encoder import EncodedPicture, PictureEncoder
from streams.simulator.rules import (
    CANARY_ROWS,
    CODE_ROWS,
    DARK,
    MIDDLE,
    BarCode,
    canary_words,
    code_words,
    layout_for,
    paint_row,
)

# Names our SEI among others (ISO/IEC 14496-10, D.2.7); its only meaning is "a simulated camera's canary follows".
SEI_IDENTIFIER = bytes.fromhex("6fd1a64f9a0b4c2fb3f1d2c59e7a8a41")


class Painter:
    """Paints one camera's pictures. Only the bar code's lines change from picture to picture."""

    def __init__(self, encoder: PictureEncoder, width: int, height: int, number: int, canary: bytes) -> None:
        layout = layout_for(width, height)
        if layout is None:
            raise ValueError("the picture is too small for a bar code")
        self._layout = layout
        self._number = number
        (self._luma, self._line_size), *chroma = encoder.planes
        self._luma[:] = bytes((MIDDLE,)) * len(self._luma)
        self.free_octets = (height - layout.height) * self._line_size
        for (plane, _), value in zip(chroma, (96 + number * 13 % 64, 96 + number * 29 % 64), strict=True):
            plane[:] = bytes((value,)) * len(plane)
        for line in range(layout.height):
            self._line(line, bytes((DARK,)) * layout.width, 0)
        for row, word in zip(range(CANARY_ROWS), canary_words(canary), strict=True):
            self._row(layout.canary_row(row), word)

    def paint(self, counter: int, utc_ms: int) -> None:
        """Write the bar code of the next picture."""
        words = code_words(BarCode(self._number, counter, utc_ms))
        for row, word in zip(range(CODE_ROWS), words, strict=True):
            self._row(self._layout.code_row(row), word)

    def noise(self, octets: bytes) -> None:
        """Fill the lines below the code, `free_octets` at most, so that a picture costs what a street scene costs."""
        first = self._layout.height * self._line_size
        self._luma[first : first + len(octets)] = octets

    def _row(self, first_line: int, word: int) -> None:
        line = paint_row(word, self._layout.unit)
        for number in range(first_line, first_line + self._layout.unit):
            self._line(number, line, self._layout.unit)

    def _line(self, number: int, pixels: bytes, left: int) -> None:
        at = number * self._line_size + left
        self._luma[at : at + len(pixels)] = pixels


@dataclass(frozen=True, slots=True)
class Marker:
    """Puts the canary into the bytes of every picture."""

    sei: bytes

    @classmethod
    def of(cls, canary: bytes) -> "Marker":
        """Make the marker; a canary that would be escaped inside a unit is refused, it could not be searched for."""
        if nal.needs_escape(canary):
            raise ValueError("a canary must not hold 00 00 followed by 00 to 03, nor end in 00 00")
        return cls(nal.with_lengths([nal.user_data(SEI_IDENTIFIER, canary)]))

    def mark(self, picture: EncodedPicture) -> bytes:
        """Return the picture's bytes with the SEI in front."""
        return self.sei + picture.data
