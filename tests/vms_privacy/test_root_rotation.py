"""The root rotation is killed after every one of its own steps, and nothing living is ever lost."""

import itertools
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace, a_place
from tests.given.pages import OnFewPages, page_with, pages_in
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import read_header, read_manifest

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
        of_purposes = {read_header(path.read_bytes()).root_version for path in self.folder.rglob("*.key")}
        return of_purposes | {page.root_version for page in pages_in(self.folder).values()}


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
    assert (done.version, done.rewrapped, done.destroyed) == (2, 8, 1)
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
    for step in dict.fromkeys(steps_of_a_rotation(places("whole"))):
        filled = Filled(places(step), clock)
        assert filled.place.rotate_and_die(step) == -signal.SIGKILL
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
            keyring.destroy_bucket_keys([gone])
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
                keyring.destroy_bucket_keys([bucket_key])
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
    damaged = next(iter(pages_in(filled.folder)))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(KeyringUnavailable):
        filled.opened().rotate_root()
    assert "000001.root" in filled.roots()
    damaged.write_bytes(whole)
    filled.opened().rotate_root()
    assert filled.everything_works()


# A batch of pages, cut off inside


def test_a_batch_cut_off_anywhere_loses_no_key(filled: Filled) -> None:
    """Each page is the old or the new one, and beside it there may be one that is not finished."""
    steps, before = filled.opened().root_rotation().steps(), dict[Path, bytes]()
    for _ in steps:
        before = before or {path: path.read_bytes() for path in pages_in(filled.folder)}
        if {page.root_version for page in pages_in(filled.folder).values()} == {2}:
            break
    steps.close()
    after = {path: path.read_bytes() for path in before}
    assert all(after[path] != before[path] for path in before)
    for states in itertools.product(*(((path, a[path]) for a in (before, after)) for path in before)):
        for cut in (0, 50, 10_000):
            for path, data in states:
                path.write_bytes(data)
                path.with_name(path.name + ".unfinished").write_bytes(after[path][:cut])
            assert filled.everything_works()
            assert list((filled.folder / "buckets").glob("*.unfinished")) == []
    for path, data in before.items():
        path.write_bytes(data)
    filled.opened().rotate_root()
    assert filled.everything_works()
    assert filled.root_versions_in_use() == {2}
    assert len(filled.roots()) == 1


def test_a_key_destroyed_after_a_batch_was_cut_off_is_nowhere_any_more(filled: Filled) -> None:
    """Somebody else has the keyring open, and no opening has tidied up since the crash."""
    gone = next(iter(filled.wraps))
    page, elsewhere = page_with(filled.folder, gone), filled.opened()
    moved = page.with_name(page.name + ".unfinished")
    moved.write_bytes(page.read_bytes())
    wrap_of_it = pages_in(filled.folder)[page].entries[gone.bytes].wrapped
    assert elsewhere.destroy_bucket_keys([gone])
    held = {path: path.read_bytes() for path in filled.folder.rglob("*") if path.is_file()}
    assert [path for path, data in held.items() if wrap_of_it in data or gone.bytes in data] == []
    with pytest.raises(KeyIsDestroyed):
        filled.opened().unwrap_in_bucket(gone, filled.wraps[gone], b"here")


def test_every_page_has_a_key_of_its_own_and_a_new_one_under_every_root(filled: Filled) -> None:
    for _ in range(40):
        filled.opened().create_bucket_key()
    before = {page.page_key for page in pages_in(filled.folder).values()}
    assert len(before) == len(pages_in(filled.folder)) > 1
    filled.opened().rotate_root()
    assert {page.page_key for page in pages_in(filled.folder).values()}.isdisjoint(before)


def test_a_new_key_goes_under_the_new_root_also_where_its_page_is_not_moved_yet(
    places: Places, clock: HandClock
) -> None:
    place = replace(places("crowded"), randomness=OnFewPages())
    filled = Filled(place, clock)
    for step in filled.opened().root_rotation().steps():
        if step is Step.SWITCHED:
            break
    for _ in range(20):
        filled.opened().create_bucket_key()
    assert {page.root_version for page in pages_in(filled.folder).values()} == {2}
    assert filled.everything_works()
    filled.opened().rotate_root()
    assert filled.everything_works()
    assert len(filled.opened().bucket_keys()) == 22


def test_a_batch_holds_no_more_pages_than_its_keys_need(filled: Filled) -> None:
    for _ in range(30):
        filled.opened().create_bucket_key()
    numbers = [page.number for page in pages_in(filled.folder).values()]
    pages = filled.opened()._pages
    assert list(pages.batches(1)) == [[number] for number in numbers]
    assert list(pages.batches(1000)) == [numbers]
    for batch in list(pages.batches(3))[:-1]:
        assert len(batch) <= 3
