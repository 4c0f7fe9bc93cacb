"""A camera's URL, taken apart."""

import pytest

from streams.address import RtspAddress, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://camera.example.org", RtspAddress("rtsp", "camera.example.org", 554, "/")),
        ("RTSPS://Camera.Example.Org./a?b=c", RtspAddress("rtsps", "camera.example.org", 322, "/a?b=c")),
        ("rtsp://192.0.2.1:8554/cam", RtspAddress("rtsp", "192.0.2.1", 8554, "/cam")),
        ("rtsp://[2001:DB8::1]:8554/cam", RtspAddress("rtsp", "2001:db8::1", 8554, "/cam")),
        ("rtsp://eve@camera/", RtspAddress("rtsp", "camera", 554, "/", "eve", None)),
        ("rtsp://eve:@camera/", RtspAddress("rtsp", "camera", 554, "/", "eve", "")),
        ("rtsp://e%3Ave:p%40ss%2F@camera/", RtspAddress("rtsp", "camera", 554, "/", "e:ve", "p@ss/")),
        ("rtsp://eve:100%@camera/", RtspAddress("rtsp", "camera", 554, "/", "eve", "100%")),
        ("rtsp://camera?channel=1", RtspAddress("rtsp", "camera", 554, "/?channel=1")),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: RtspAddress) -> None:
    assert parse_address(text) == expected


def test_what_is_asked_for_holds_no_credential_and_what_is_shown_no_path() -> None:
    address = parse_address("rtsp://eve:secret@[2001:db8::1]:8554/cam?key=hidden")
    assert address.uri == "rtsp://[2001:db8::1]:8554/cam?key=hidden"
    assert not {"eve", "secret", "hidden", "cam"} & set(repr(address).replace("'", " ").split())
    assert "secret" not in repr(address)
    assert "hidden" not in repr(address)
