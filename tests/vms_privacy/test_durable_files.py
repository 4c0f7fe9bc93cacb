"""Small private files: whole or not at all, and gone when they are said to be gone."""

import os
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


def test_files_are_overwritten_where_they_lie_and_one_that_is_gone_stays_gone(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(300)]
    for path in paths[1:]:
        path.write_bytes(b"old")
    inodes = [path.stat().st_ino for path in paths[1:]]
    durable_files.overwrite_durably([(str(path), b"new") for path in paths])
    assert not paths[0].exists()
    assert {path.read_bytes() for path in paths[1:]} == {b"new"}
    assert [path.stat().st_ino for path in paths[1:]] == inodes


def test_a_file_of_another_length_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"longer")
    with pytest.raises(ValueError, match="not as long"):
        durable_files.overwrite_durably([(str(tmp_path / "a"), b"new")])
    assert (tmp_path / "a").read_bytes() == b"longer"
