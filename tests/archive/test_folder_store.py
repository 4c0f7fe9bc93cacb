"""What only a store on a disk can get wrong: crashes, full disks, lost mounts, rights."""

import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from archive.blobs.folder_store import FolderStore
from archive.blobs.rules import name_of
from archive.errors import StoreUnavailable
from tests.contracts.test_blob_store import SEALED, HeldBack
from tests.given.randomness import CountedRandomness

NAME = name_of(bytes(range(16)))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore.create(tmp_path / "blobs")


def put(store: FolderStore, name: str, data: bytes = SEALED) -> None:
    store.put(name, io.BytesIO(data), len(data))


def files_of(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "blobs").rglob("*") if path.is_file() and path.name != "sealed-blobs-v1")


def test_a_store_is_opened_again_with_everything_in_it(store: FolderStore, tmp_path: Path) -> None:
    put(store, NAME)
    again = FolderStore(tmp_path / "blobs")
    assert again.read(NAME, 0, len(SEALED)) == SEALED


def test_nobody_else_may_read_it_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        put(FolderStore.create(tmp_path / "blobs"), NAME)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files_of(tmp_path)}
    assert modes == {0o600}
    folders = [tmp_path / "blobs", *(path for path in (tmp_path / "blobs").iterdir() if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_store_is_never_made_where_something_lies(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "letter.txt").write_text("not sealed")
    with pytest.raises(FileExistsError):
        FolderStore.create(tmp_path / "blobs")
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == ["letter.txt"]


def test_a_folder_that_is_not_mounted_is_not_an_empty_store(store: FolderStore, tmp_path: Path) -> None:
    """The disk goes away and leaves an empty folder: nothing may be called gone, erased or absent."""
    put(store, NAME)
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    (tmp_path / "blobs").mkdir()
    for act in (
        lambda: store.erase(NAME),
        lambda: store.size(NAME),
        lambda: store.read(NAME, 0, 1),
        lambda: list(store.names()),
        lambda: put(store, NAME),
        lambda: FolderStore(tmp_path / "blobs"),
    ):
        with pytest.raises(StoreUnavailable):
            act()
    assert list((tmp_path / "blobs").iterdir()) == []


def test_what_cannot_be_erased_is_not_called_gone(store: FolderStore, tmp_path: Path) -> None:
    """A folder stands where the blob should be: the system cannot remove it, so the store cannot tell."""
    shelf = tmp_path / "blobs" / NAME[:2]
    (shelf / NAME / "inner").mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        store.erase(NAME)


def test_what_cannot_be_looked_at_is_not_called_absent(store: FolderStore, tmp_path: Path) -> None:
    """A file stands where a shelf should be, and a folder where a blob should be."""
    (tmp_path / "blobs" / NAME[:2]).write_bytes(b"not a shelf")
    for act in (lambda: store.size(NAME), lambda: store.read(NAME, 0, 1), lambda: store.erase(NAME)):
        with pytest.raises(StoreUnavailable):
            act()
    (tmp_path / "blobs" / NAME[:2]).unlink()
    (tmp_path / "blobs" / NAME[:2] / NAME).mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        store.read(NAME, 0, 1)


def test_an_upload_that_a_crash_left_is_listed_erasable_and_no_obstacle(store: FolderStore, tmp_path: Path) -> None:
    shelf = tmp_path / "blobs" / NAME[:2]
    shelf.mkdir()
    (shelf / f"{NAME}.part").write_bytes(SEALED[:100])
    assert list(store.names()) == [NAME]
    assert store.size(NAME) is None
    with pytest.raises(FileNotFoundError):
        store.read(NAME, 0, 1)
    assert store.erase(NAME) is True
    assert list(store.names()) == []
    (shelf / f"{NAME}.part").write_bytes(SEALED[:100])
    put(store, NAME)
    assert store.read(NAME, 0, len(SEALED)) == SEALED
    assert [path.name for path in files_of(tmp_path)] == [NAME]


def test_a_crash_between_naming_and_tidying_is_one_blob(store: FolderStore, tmp_path: Path) -> None:
    put(store, NAME)
    path = tmp_path / "blobs" / NAME[:2] / NAME
    os.link(path, path.with_name(f"{NAME}.part"))
    assert list(store.names()) == [NAME]
    assert store.erase(NAME) is True
    assert files_of(tmp_path) == []


def test_an_upload_that_is_erased_on_its_way_never_becomes_a_blob(store: FolderStore, tmp_path: Path) -> None:
    source = HeldBack(SEALED)
    with ThreadPoolExecutor(1) as pool:
        stored = pool.submit(store.put, NAME, source, len(SEALED))
        assert source.reached_the_middle.wait(10)
        assert store.erase(NAME) is True
        source.go_on.set()
        with pytest.raises(StoreUnavailable, match="erased while"):
            stored.result(10)
    assert files_of(tmp_path) == []
    assert list(store.names()) == []


def test_something_that_is_not_a_blob_is_not_hidden(store: FolderStore, tmp_path: Path) -> None:
    put(store, NAME)
    (tmp_path / "blobs" / NAME[:2] / ".nfs000000000001").write_bytes(b"what an NFS server keeps of an erased file")
    with pytest.raises(StoreUnavailable, match="not a blob"):
        list(store.names())


def test_a_link_in_the_place_of_a_blob_is_not_followed(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"of somebody else")
    shelf = tmp_path / "blobs" / NAME[:2]
    shelf.mkdir()
    (shelf / NAME).symlink_to(tmp_path / "outside")
    with pytest.raises(StoreUnavailable):
        store.read(NAME, 0, 100)
    with pytest.raises(FileExistsError):
        put(store, NAME)
    assert store.erase(NAME) is True
    assert (tmp_path / "outside").read_bytes() == b"of somebody else"


def test_a_refusal_does_not_tell_where_the_store_is(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "blobs" / NAME[:2] / NAME / "inner").mkdir(parents=True)
    with pytest.raises(StoreUnavailable) as refused:
        store.erase(NAME)
    assert str(tmp_path) not in str(refused.value)
    assert refused.value.__cause__ is None


def run_in_a_process(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code with a store at hand in a process of its own."""
    lead = f"""
        import io, os, resource, signal, sys
        from pathlib import Path
        from archive.blobs.folder_store import FolderStore
        from archive.errors import StoreUnavailable
        store = FolderStore(Path({str(tmp_path / "blobs")!r}))
        NAME = {NAME!r}
    """
    program = textwrap.dedent(lead) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


def test_a_full_disk_is_a_refusal_and_leaves_nothing_half_visible(store: FolderStore, tmp_path: Path) -> None:
    """The system takes only the first 64 KiB of any file of this process, as a full disk would."""
    done = run_in_a_process(
        tmp_path,
        """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        try:
            store.put(NAME, io.BytesIO(bytes(200_000)), 200_000)
        except StoreUnavailable as refused:
            print(refused.code, refused)
        """,
    )
    assert done.stdout.startswith("store-unavailable storing a blob failed: File too large"), done.stderr
    assert str(tmp_path) not in done.stdout
    assert files_of(tmp_path) == []
    assert store.size(NAME) is None
    assert list(store.names()) == []
    put(store, NAME)
    assert store.size(NAME) == len(SEALED), "with room again, the same blob is stored"


def test_a_process_that_is_killed_while_storing_leaves_a_part_and_no_blob(store: FolderStore, tmp_path: Path) -> None:
    done = run_in_a_process(
        tmp_path,
        """
        class Deadly(io.BytesIO):
            def read(self, size=-1):
                if self.tell() >= 100_000:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().read(50_000)
        store.put(NAME, Deadly(bytes(200_000)), 200_000)
        """,
    )
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in files_of(tmp_path)] == [f"{NAME}.part"]
    assert store.size(NAME) is None
    assert list(store.names()) == [NAME]
    assert store.erase(NAME) is True
    assert files_of(tmp_path) == []


def test_names_are_opaque_and_never_equal(randomness: CountedRandomness) -> None:
    made = [name_of(randomness.octets(16)) for _ in range(500)]
    assert len(set(made)) == 500
    assert {len(name) for name in made} == {22}
    with pytest.raises(ValueError, match="16 bytes"):
        name_of(b"camera-7")


def test_a_folder_holds_what_its_disk_has_room_for_or_what_was_said(tmp_path: Path) -> None:
    store = FolderStore.create(tmp_path / "of-its-own")
    free = shutil.disk_usage(tmp_path).free
    assert store.capacity(10**15) == pytest.approx(free + 10**15, abs=2**33)
    assert FolderStore(tmp_path / "of-its-own", 1000).capacity(10**15) == 1000
    (tmp_path / "of-its-own").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        store.capacity(0)
