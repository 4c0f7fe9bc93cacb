"""The root rotation is killed after every one of its own steps, and nothing living is ever lost."""

import itertools
import signal
import threading
import uuid
from pathlib import Path
from typing import Protocol

import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace, a_place
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import packed_batch, read_header, read_manifest

SEGMENT_KEY = KeyBytes(bytes(range(32)))


class Filled:
    """A keyring with two bucket keys, a sealed credential and a signature, and the proof that all still work."""

    def __init__(self, place: KeyringPlace, clock: HandClock) -> None:
        self.place, self.folder, self.clock = place, place.folder, clock
        keyring = place.create(clock)
        self.wraps: dict[BucketKeyId, bytes] = {}
        for _ in range(2):
            bucket_key = keyring.create_bucket_key()
            self.wraps[bucket_key] = keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
        self.sealed = keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera")
        self.signed = keyring.sign(Purpose.RECEIPT_SIGNING, b"receipt")
        self.pseudonym = keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1")

    def opened(self) -> FolderKeyring:
        return self.place.open(self.clock)

    def everything_works(self) -> bool:
        keyring = self.opened()
        for bucket_key, wrapped in self.wraps.items():
            assert keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
        assert keyring.open(Purpose.CAMERA_CREDENTIAL, self.sealed, b"camera") == b"a secret"
        assert keyring.sign(Purpose.RECEIPT_SIGNING, b"receipt") == self.signed
        assert keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1") == self.pseudonym
        return True

    def roots(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "roots").glob("*.root"))

    def root_versions_in_use(self) -> set[int]:
        return {read_header(path.read_bytes()).root_version for path in self.folder.rglob("*.key")}


class Places(Protocol):
    def __call__(self, name: str) -> KeyringPlace: ...


@pytest.fixture(params=["file", "pkcs11"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    softhsm = request.getfixturevalue("softhsm") if request.param == "pkcs11" else None
    return lambda name: a_place(request.param, tmp_path / name, softhsm)


@pytest.fixture
def filled(places: Places, clock: HandClock) -> Filled:
    return Filled(places("keyring"), clock)


def steps_of_a_rotation(place: KeyringPlace) -> list[Step]:
    return list(Filled(place, HandClock()).opened().root_rotation(at_once=1).steps())


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


def test_the_kill_points_are_all_of_the_steps(places: Places) -> None:
    assert set(steps_of_a_rotation(places("keyring"))) == set(Step)


def test_a_rotation_given_up_after_any_step_goes_on_where_it_stopped(places: Places, clock: HandClock) -> None:
    for stop, _ in enumerate(steps_of_a_rotation(places("whole"))):
        filled = Filled(places(f"stopped-{stop}"), clock)
        steps = filled.opened().root_rotation(at_once=1).steps()
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


def test_a_rotation_killed_after_any_step_loses_no_living_key(places: Places, clock: HandClock) -> None:
    kill_points = {step: number for number, step in enumerate(steps_of_a_rotation(places("whole")))}
    for step, number in kill_points.items():
        filled = Filled(places(step), clock)
        assert filled.place.rotate_and_die(number) == -signal.SIGKILL
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
    for number, _ in enumerate(keyring.root_rotation(at_once=1).steps()):
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


# A batch of bucket keys, cut off inside


class CutOff:
    """A rotation that has come to its bucket keys, and what is written down before they are replaced."""

    def __init__(self, filled: Filled) -> None:
        self.folder = filled.folder
        keyring = filled.opened()
        self.before = {path: path.read_bytes() for path in (self.folder / "buckets").iterdir()}
        for step in keyring.root_rotation().steps():
            if step is Step.REWRAPPED and self.files() != self.before:
                break
        self.after = self.files()
        self.record = self.folder / "rewrapping"

    def files(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (self.folder / "buckets").iterdir()}

    def cut_off(self, record: bytes, files: dict[Path, bytes]) -> None:
        """Put the folder into a state that a crash can leave."""
        self.record.write_bytes(record)
        self.record.chmod(0o600)
        for path, data in files.items():
            path.write_bytes(data)

    def whole_record(self) -> bytes:
        return packed_batch({uuid.UUID(path.stem): data for path, data in self.after.items()})


def test_a_batch_cut_off_anywhere_loses_no_key(filled: Filled) -> None:
    batch = CutOff(filled)
    whole = batch.whole_record()
    assert batch.after != batch.before
    for cut in (0, 1, 16, len(whole) // 2, len(whole) - 1):
        for record in (whole[:cut], whole[:cut] + bytes(len(whole) - cut)):
            # The record was not whole, so nothing was written over.
            batch.cut_off(record, batch.before)
            assert filled.everything_works()
            assert batch.files() == batch.before
    torn = {path: batch.after[path][:40] + data[40:] for path, data in batch.before.items()}
    for states in itertools.product(*(((path, a[path]) for a in (batch.before, torn, batch.after)) for path in torn)):
        batch.cut_off(whole, dict(states))
        assert filled.everything_works()
        assert batch.files() == batch.after
    filled.opened().rotate_root()
    assert filled.everything_works()
    assert not batch.record.exists()
    assert len(filled.roots()) == 1


def test_a_key_destroyed_after_a_batch_was_cut_off_is_nowhere_any_more(filled: Filled) -> None:
    """Somebody else has the keyring open, and notices the crash by the record that is left."""
    batch, elsewhere = CutOff(filled), filled.opened()
    batch.cut_off(batch.whole_record(), batch.before)
    gone = next(iter(filled.wraps))
    its_file = batch.folder / "buckets" / f"{gone}.key"
    wrap_of_it = batch.after[its_file]
    assert wrap_of_it in batch.record.read_bytes()
    assert elsewhere.destroy_bucket_key(gone)
    held = {path: path.read_bytes() for path in batch.folder.rglob("*") if path.is_file()}
    assert [path for path, data in held.items() if wrap_of_it[24:] in data] == []
    with pytest.raises(KeyIsDestroyed):
        filled.opened().unwrap_in_bucket(gone, filled.wraps[gone], b"here")


def test_a_record_of_another_length_is_refused_and_nothing_is_written_over(filled: Filled) -> None:
    batch = CutOff(filled)
    longer = packed_batch({uuid.UUID(path.stem): data + b"!" for path, data in batch.after.items()})
    batch.cut_off(longer, batch.before)
    with pytest.raises(KeyringUnavailable):
        filled.opened()
    assert batch.files() == batch.before
