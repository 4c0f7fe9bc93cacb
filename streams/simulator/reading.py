"""What comes out of the service, read back: bar codes and canaries of media bytes."""

from streams.media import nal
from streams.media.decoder import Luma, NotDecodable, decode_luma
from streams.simulator.rules import (
    CANARY_ROWS,
    CODE_ROWS,
    BarCode,
    Layout,
    layout_for,
    read_canary,
    read_code,
    sample_row,
)


def read_bar_codes(media: bytes, cut_short: bool = False) -> list[BarCode]:
    """Return the bar codes of a media file's pictures in order of presentation; a picture without one is left out.

    With `cut_short` the media may break off anywhere, as it does for a viewer who was cut: what could be decoded
    before is returned.

    Raises:
        NotDecodable: the bytes are no media, or break off although they should not.

    """
    found: list[BarCode] = []
    try:
        # `extend` takes one by one: what was found before a break stays found.
        found.extend(code for picture in decode_luma(media) if (code := _code_of(picture)) is not None)
    except NotDecodable:
        if not cut_short or not found:
            raise
    return found


def read_pixel_canaries(media: bytes) -> list[bytes]:
    """Return the canary of each picture that has a bar code, in order of presentation.

    Raises:
        NotDecodable: as `read_bar_codes`.

    """
    found = []
    for picture in decode_luma(media):
        layout = layout_for(picture.width, picture.height)
        if layout is not None and _code_of(picture) is not None:
            rows = [layout.canary_row(row) for row in range(CANARY_ROWS)]
            found.append(read_canary(_words(picture, layout, rows)))
    return found


def find_canary(data: bytes, canary: bytes) -> list[int]:
    """Return every offset where the canary of an SEI stands in any bytes, as it is or with emulation prevention.

    A canary that is cut in two by a packet or chunk border is not found: search before such cuts are made.
    """
    looks = {canary, nal.escape(canary)}
    return sorted(at for look in looks for at in _offsets(data, look))


def _offsets(data: bytes, needle: bytes) -> list[int]:
    found, at = [], data.find(needle)
    while at >= 0:
        found.append(at)
        at = data.find(needle, at + 1)
    return found


def _code_of(picture: Luma) -> BarCode | None:
    layout = layout_for(picture.width, picture.height)
    if layout is None:
        return None
    return read_code(_words(picture, layout, [layout.code_row(row) for row in range(CODE_ROWS)]))


def _words(picture: Luma, layout: Layout, first_lines: list[int]) -> tuple[int, ...]:
    return tuple(sample_row(picture.data, picture.line_size, line, layout.unit) for line in first_lines)
