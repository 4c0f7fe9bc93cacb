"""A line of the anchor is there whole, or not at all."""

import stat
from pathlib import Path

import pytest

from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.errors import AnchorUnavailable


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    anchor = Anchor(tmp_path / "anchor")
    assert (list(anchor.lines()), anchor.last()) == ([], None)
    for line in ("one", "two", "three"):
        anchor.append(line)
    assert (list(anchor.lines()), anchor.last()) == (["one", "two", "three"], "three")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    Anchor(tmp_path / "anchor").append("one")
    assert stat.S_IMODE((tmp_path / "anchor").stat().st_mode) == 0o600


@pytest.mark.parametrize("left", [b"", b"t", b"x" * 1024, b"x" * 3000])
def test_what_a_crash_left_is_passed_over_and_cut_off_by_the_next_line(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "anchor"
    path.write_bytes(b"one\n" + left)
    anchor = Anchor(path)
    assert anchor.last() == "one"
    anchor.append("two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_file_with_nothing_but_a_piece_of_a_line_is_an_empty_anchor(tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    path.write_bytes(b"audit-checkp")
    anchor = Anchor(path)
    assert (list(anchor.lines()), anchor.last()) == ([], None)
    anchor.append("one")
    assert path.read_bytes() == b"one\n"


def test_an_endless_line_is_given_out_in_pieces_and_never_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "anchor"
    path.write_bytes(b"x" * 5000 + b"\n")
    assert max(map(len, Anchor(path).lines())) <= 1024


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "anchor").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AnchorUnavailable):
        Anchor(tmp_path / "anchor").append("one")


@pytest.mark.parametrize("read", [lambda anchor: anchor.last(), lambda anchor: list(anchor.lines())])
def test_what_cannot_be_read_is_said_to_be_unavailable(tmp_path: Path, read: object) -> None:
    (tmp_path / "anchor").mkdir()
    assert callable(read)
    with pytest.raises(AnchorUnavailable):
        read(Anchor(tmp_path / "anchor"))
