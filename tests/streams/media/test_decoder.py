"""Media is decoded to brightness, or refused in our words."""

import traceback

import pytest

from streams.media import nal
from streams.media.decoder import NotDecodable, decode_luma
from streams.media.encoder import PictureEncoder


def film() -> bytes:
    encoder = PictureEncoder(320, 240, fps=25, gop=5)
    start = b"\x00\x00\x00\x01"
    sets = nal.read_avcc(encoder.avcc)
    out = [*sets.sps, *sets.pps]
    for number in range(5):
        for plane, line_size in encoder.planes:
            plane[:] = bytes((40 * number + 20,)) * (len(plane) // line_size * line_size)
        out += [bytes(u) for p in encoder.encode(number) for u in nal.split_lengths(p.data)]
    return b"".join(start + unit for unit in out)


def test_brightness_comes_back_in_order() -> None:
    pictures = list(decode_luma(film()))
    assert [(picture.width, picture.height) for picture in pictures] == [(320, 240)] * 5
    middles = [picture.data[120 * picture.line_size + 160] for picture in pictures]
    assert all(abs(value - 40 * number - 20) < 8 for number, value in enumerate(middles))


@pytest.mark.parametrize("media", [b"", b"canary" * 500, bytes(4000), b"\x00\x00\x00\x01\x67\x42" * 100])
def test_what_is_no_media_is_refused_without_its_text(media: bytes) -> None:
    with pytest.raises(NotDecodable) as refused:
        list(decode_luma(media))
    assert refused.value.__cause__ is None
    assert "canary" not in "".join(traceback.format_exception_only(refused.value))
