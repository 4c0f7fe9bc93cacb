"""Small private files: whole or not at all, and gone when they are said to be gone."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.given.full_disk import a_full_disk
from vms_privacy import durable_files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_a_file_is_replaced_as_a_whole_and_private_whatever_it_was_before(path: Path) -> None:
    path.write_bytes(b"before")
    path.chmod(0o666)
    durable_files.write_durably(path, b"after")
    assert durable_files.read_private(path, 5) == b"after"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_what_was_there(path: Path) -> None:
    durable_files.write_durably(path, b"before")
    with a_full_disk(room=8), pytest.raises(OSError, match="File too large"):
        durable_files.write_durably(path, b"after, which is too long")
    assert durable_files.read_private(path, 100) == b"before"
    assert durable_files.tidy(path.parent) == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_file_longer_than_expected_is_refused(path: Path) -> None:
    durable_files.write_durably(path, b"12345")
    with pytest.raises(ValueError, match="expected size"):
        durable_files.read_private(path, 4)


def test_what_is_no_plain_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ValueError, match="plain file"):
        durable_files.read_private(path, 100)
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        durable_files.read_private(link, 100)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    durable_files.write_durably(path, b"theirs")
    os.chown(path, 65534, 65534)
    with pytest.raises(PermissionError):
        durable_files.read_private(path, 100)


def test_a_destroyed_file_is_gone_and_destroying_it_again_says_so(path: Path) -> None:
    durable_files.write_durably(path, b"secret")
    assert durable_files.destroy_durably(path) is True
    assert durable_files.destroy_durably(path) is False
    assert list(path.parent.iterdir()) == []


def test_tidying_leaves_what_is_whole(path: Path) -> None:
    durable_files.write_durably(path, b"whole")
    path.with_name("gone.destroying").write_bytes(b"secret")
    path.with_name("half.unfinished").write_bytes(b"ha")
    assert durable_files.tidy(path.parent) == 2
    assert list(path.parent.iterdir()) == [path]


def test_a_fault_is_told_without_the_path(path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        durable_files.read_private(path, 1)
    assert durable_files.fault_of(caught.value) == "No such file or directory"
    assert durable_files.fault_of(PermissionError("another user owns it")) == "another user owns it"


def test_many_files_are_replaced_at_once_and_what_was_there_is_overwritten(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(20)]
    for path in paths[1:]:
        durable_files.write_durably(path, b"old")
    with ExitStack() as opened:
        before = [opened.enter_context(path.open("rb")) for path in paths[1:]]
        durable_files.replace_durably([(path, b"newer") for path in paths])
        assert {file.read() for file in before} == {bytes(3)}
    assert {path.read_bytes() for path in paths} == {b"newer"}
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_replacing_nothing_does_nothing(tmp_path: Path) -> None:
    durable_files.replace_durably([])
    assert list(tmp_path.iterdir()) == []


def test_a_replacement_that_fails_leaves_every_file_old_or_new(tmp_path: Path) -> None:
    """The second of three cannot be replaced, since a folder has its name."""
    first, second, third = (tmp_path / name for name in ("1", "2", "3"))
    first.write_bytes(b"old")
    third.write_bytes(b"old")
    second.mkdir()
    with pytest.raises(OSError, match="directory"):
        durable_files.replace_durably([(first, b"newer"), (second, b"newer"), (third, b"newer")])
    assert {first.read_bytes(), third.read_bytes()} <= {b"old", b"newer"}
    assert third.read_bytes() == b"old"
