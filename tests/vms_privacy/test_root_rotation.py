"""The root rotation is killed after every one of its own steps, and nothing living is ever lost."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import read_header, read_manifest

SEGMENT_KEY = KeyBytes(bytes(range(32)))
ROTATES_AND_DIES = """
import os, signal, sys
from pathlib import Path
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.file_keyring import FileKeyring

rotation = FileKeyring(Path(sys.argv[1]), SystemClock(), SystemRandomness()).root_rotation()
for number, _ in enumerate(rotation.steps()):
    if number == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


class Filled:
    """A keyring with two bucket keys, a sealed credential and a signature, and the proof that all still work."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.folder, self.clock = folder, clock
        keyring = FileKeyring.create(folder, clock, SystemRandomness())
        self.wraps: dict[BucketKeyId, bytes] = {}
        for _ in range(2):
            bucket_key = keyring.create_bucket_key()
            self.wraps[bucket_key] = keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
        self.sealed = keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera")
        self.signed = keyring.sign(Purpose.RECEIPT_SIGNING, b"receipt")
        self.pseudonym = keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1")

    def opened(self) -> FileKeyring:
        return FileKeyring(self.folder, self.clock, SystemRandomness())

    def everything_works(self) -> bool:
        keyring = self.opened()
        for bucket_key, wrapped in self.wraps.items():
            assert keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
        assert keyring.open(Purpose.CAMERA_CREDENTIAL, self.sealed, b"camera") == b"a secret"
        assert keyring.sign(Purpose.RECEIPT_SIGNING, b"receipt") == self.signed
        assert keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1") == self.pseudonym
        return True

    def roots(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "roots").iterdir())

    def root_versions_in_use(self) -> set[int]:
        return {read_header(path.read_bytes()).root_version for path in self.folder.rglob("*.key")}


@pytest.fixture
def filled(tmp_path: Path, clock: HandClock) -> Filled:
    return Filled(tmp_path / "keyring", clock)


def steps_of_a_rotation(folder: Path) -> list[Step]:
    return list(Filled(folder, HandClock()).opened().root_rotation().steps())


def test_a_rotation_leaves_every_key_under_the_new_root_and_no_old_root(filled: Filled) -> None:
    done = filled.opened().rotate_root()
    assert (done.version, done.rewrapped, done.destroyed) == (2, 7, 1)
    assert filled.roots() == ["000002.root"]
    assert filled.root_versions_in_use() == {2}
    assert filled.everything_works()


def test_rotations_follow_each_other(filled: Filled) -> None:
    keyring = filled.opened()
    assert [keyring.rotate_root().version for _ in range(3)] == [2, 3, 4]
    assert filled.everything_works()


def test_the_kill_points_are_all_of_the_steps(tmp_path: Path) -> None:
    assert set(steps_of_a_rotation(tmp_path / "keyring")) == set(Step)


def test_a_rotation_given_up_after_any_step_goes_on_where_it_stopped(tmp_path: Path, clock: HandClock) -> None:
    for stop, _ in enumerate(steps_of_a_rotation(tmp_path / "whole")):
        filled = Filled(tmp_path / f"stopped-{stop}", clock)
        steps = filled.opened().root_rotation().steps()
        for _ in range(stop + 1):
            next(steps)
        steps.close()
        assert filled.everything_works()
        wrapped_meanwhile = filled.opened().create_bucket_key()
        filled.opened().rotate_root()
        assert filled.everything_works()
        assert wrapped_meanwhile in filled.opened().bucket_keys()
        assert len(filled.roots()) == 1
        assert filled.root_versions_in_use() == {read_manifest((filled.folder / "manifest").read_bytes()).current}


def test_a_rotation_killed_after_any_step_loses_no_living_key(tmp_path: Path, clock: HandClock) -> None:
    kill_points = {step: number for number, step in enumerate(steps_of_a_rotation(tmp_path / "whole"))}
    for step, number in kill_points.items():
        filled = Filled(tmp_path / step, clock)
        killed = subprocess.run(
            [sys.executable, "-c", ROTATES_AND_DIES, str(filled.folder), str(number)], check=False, timeout=60
        )
        assert killed.returncode == -signal.SIGKILL
        assert filled.everything_works()
        filled.opened().rotate_root()
        assert filled.everything_works()
        assert len(filled.roots()) == 1


def test_a_root_already_condemned_is_destroyed_on_opening(filled: Filled) -> None:
    steps = filled.opened().root_rotation().steps()
    while next(steps) is not Step.DROPPED:
        assert "000001.root" in filled.roots()
    steps.close()
    filled.opened()
    assert filled.roots() == ["000002.root"]
    assert read_manifest((filled.folder / "manifest").read_bytes()).condemned == ()


def test_a_key_destroyed_while_the_root_rotates_does_not_come_back(filled: Filled) -> None:
    keyring = filled.opened()
    gone, stays = filled.wraps
    for number, _ in enumerate(keyring.root_rotation().steps()):
        if number == 3:
            keyring.destroy_bucket_key(gone)
    with pytest.raises(KeyIsDestroyed):
        filled.opened().unwrap_in_bucket(gone, filled.wraps[gone], b"here")
    assert filled.opened().bucket_keys() == {stays}


def test_keys_made_used_and_destroyed_during_rotations_never_fail(filled: Filled) -> None:
    keyring, over = filled.opened(), threading.Event()
    failures: list[str] = []

    def record_and_erase() -> None:
        while not over.is_set():
            try:
                bucket_key = keyring.create_bucket_key()
                wrapped = keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
                filled.opened().unwrap_in_bucket(bucket_key, wrapped, b"here")
                keyring.destroy_bucket_key(bucket_key)
            except KeyringUnavailable as error:
                failures.append(error.detail)

    workers = [threading.Thread(target=record_and_erase) for _ in range(2)]
    for worker in workers:
        worker.start()
    other = filled.opened()
    for _ in range(4):
        other.rotate_root()
    over.set()
    for worker in workers:
        worker.join()
    assert failures == []
    assert filled.everything_works()
    assert filled.opened().bucket_keys() == set(filled.wraps)


def test_a_rotation_stops_at_a_damaged_key_and_keeps_the_old_root(filled: Filled) -> None:
    damaged = next((filled.folder / "buckets").iterdir())
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(KeyringUnavailable):
        filled.opened().rotate_root()
    assert "000001.root" in filled.roots()
    damaged.write_bytes(whole)
    filled.opened().rotate_root()
    assert filled.everything_works()
