"""Simulated cameras from the command line."""

import pytest

from vms_privacy.cli.simulating import with_user


@pytest.mark.parametrize(
    ("user", "address"),
    [
        ("", "rtsp://127.0.0.1:8654/cam-1"),
        ("viewer", "rtsp://viewer@127.0.0.1:8654/cam-1"),
        ("a@b/c", "rtsp://a%40b%2Fc@127.0.0.1:8654/cam-1"),
    ],
)
def test_the_line_that_adds_a_simulated_camera_names_its_user(user: str, address: str) -> None:
    assert with_user("rtsp://127.0.0.1:8654/cam-1", user) == address
