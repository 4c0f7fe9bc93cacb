"""Several processes rotate one keyring's root, such as the service's own job and a command: nothing living is lost."""

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.given.clock import HandClock
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import Purpose

SEGMENT_KEY = KeyBytes(bytes(range(32)))
MAKES_A_KEY = 3


class Shared:
    """One keyring, opened by three processes, each in the middle of a rotation of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wraps: dict[BucketKeyId, bytes] = {}
        self.first = FileKeyring.create(folder, HandClock(), SystemRandomness())
        self.processes = [self.opened() for _ in range(3)]
        self.going = [one.root_rotation().steps() for one in self.processes]
        self.sealed = self.first.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera")
        self.make_a_key()

    def opened(self) -> FileKeyring:
        return FileKeyring(self.folder, HandClock(), SystemRandomness())

    def make_a_key(self) -> None:
        bucket_key = self.first.create_bucket_key()
        self.wraps[bucket_key] = self.first.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")

    def go_on(self, number: int) -> None:
        """One step of one process; a rotation that is over is followed by the next."""
        if next(self.going[number], None) is None:
            self.going[number] = self.processes[number].root_rotation().steps()

    def everything_opens(self) -> bool:
        keyring = self.opened()
        assert keyring.open(Purpose.CAMERA_CREDENTIAL, self.sealed, b"camera") == b"a secret"
        for bucket_key, wrapped in self.wraps.items():
            assert keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
        return keyring.bucket_keys() == set(self.wraps)


# The first has its root announced and written; the second does all of it, and announces the next one.
@example(turns=[0, 0, *[1] * 13, 0, 0, 0, 0])
# The first has re-wrapped all it knows of; the second ends that rotation and has put the next root to use.
@example(turns=[*[0] * 9, MAKES_A_KEY, *[1] * 9, 0, 0])
@settings(max_examples=30)
@given(turns=st.lists(st.integers(0, MAKES_A_KEY), max_size=80))
def test_rotations_of_several_processes_in_whatever_order_lose_no_living_key(turns: list[int]) -> None:
    with tempfile.TemporaryDirectory() as place:
        shared = Shared(Path(place) / "keyring")
        for turn in turns:
            if turn == MAKES_A_KEY:
                shared.make_a_key()
            else:
                shared.go_on(turn)
            assert shared.everything_opens()
        shared.opened().rotate_root()
        assert shared.everything_opens()
        assert len(list((Path(place) / "keyring/roots").iterdir())) == 1
