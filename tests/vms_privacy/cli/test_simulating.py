"""Simulated cameras from the command line."""

import pytest

from vms_privacy.cli.simulating import with_login


@pytest.mark.parametrize(
    ("login", "address"),
    [
        ("", "rtsp://127.0.0.1:8654/cam-1"),
        ("viewer", "rtsp://viewer@127.0.0.1:8654/cam-1"),
        ("a@b/c", "rtsp://a%40b%2Fc@127.0.0.1:8654/cam-1"),
    ],
)
def test_the_line_that_adds_a_simulated_camera_names_its_log_in(login: str, address: str) -> None:
    assert with_login("rtsp://127.0.0.1:8654/cam-1", login) == address
