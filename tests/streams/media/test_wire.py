"""The socket to a camera: what the system refuses is a failure of this connection, with its reason."""

from collections.abc import Sequence

import pytest

from streams.address import parse_address
from streams.media.faults import Fault, SourceFailed
from streams.media.wire import PRIVATE_NETWORKS, Trust, Wire
from tests.given.full_table import no_more_files

ADDRESS = parse_address("rtsp://127.0.0.1/cam")


async def to_itself(host: str, port: int) -> Sequence[str]:
    return [host]


async def test_a_machine_without_a_socket_left_reaches_no_camera_and_says_so() -> None:
    with no_more_files(), pytest.raises(SourceFailed) as caught:
        await Wire.connect(ADDRESS, PRIVATE_NETWORKS, Trust(), None, to_itself)
    assert (caught.value.fault, "no socket left" in caught.value.detail) == (Fault.UNREACHABLE, True)
