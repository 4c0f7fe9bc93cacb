"""What `check` says of what it found, and of what it lets pass; which files it looks at, and for how long."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from archive.check.rules import Depth, Finding, Kind
from archive.check.service import CheckReport
from tests.given.clock import HandClock
from tests.vms_privacy.cli.typed import NO_BACKUP, say
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.cli.checking import Told, document_of, lines_of, stopped_by_hand, until
from vms_privacy.settings import Settings

Capture = pytest.CaptureFixture[str]


def test_time_that_is_not_accounted_for_and_no_finding_is_told_with_its_tolerance() -> None:
    report = CheckReport([], {"unaccounted_ms": 89, "tolerated_ms": 89})
    lines = lines_of(report)
    assert lines[-2] == "Everything is accounted for."
    assert lines[-1].startswith("89 ms of the opted-in time are in no segment and no gap")
    assert "the 1 s between segments that is tolerated" in lines[-1]
    assert document_of(report)["tolerated"] == lines[-1]


def test_where_nothing_is_tolerated_nothing_is_said_of_it() -> None:
    report = CheckReport([Finding(Kind.UNACCOUNTED)], {"unaccounted_ms": 2000, "tolerated_ms": 0})
    assert lines_of(report)[-2:] == ["1 finding(s):", "  unaccounted"]
    assert document_of(report)["tolerated"] == ""


@pytest.fixture
def installed(tmp_path: Path, capsys: Capture) -> Path:
    folder = tmp_path / "here"
    assert say(capsys, "init", "--data-dir", folder, *NO_BACKUP).code == 0
    return folder


def test_every_depth_can_be_asked_for_by_its_name(installed: Path, capsys: Capture) -> None:
    for depth in Depth:
        said = say(capsys, "check", "--data-dir", installed, "--depth", depth.word, "--json")
        assert said.code == 0
        assert (said.document["clean"], said.document["whole"], said.document["depth"]) == (True, True, depth.word)
    assert say(capsys, "check", "--data-dir", installed, "--depth", "guesses", "--json").code == 2


def test_which_files_are_meant_is_said_in_one_way(installed: Path, capsys: Capture) -> None:
    for words in (["--since-last"], ["--older-than", "P7D"], ["--resume"], ["--resume", "--for", "PT10M"]):
        assert say(capsys, "check", "--data-dir", installed, *words, "--json").code == 0
    said = say(capsys, "check", "--data-dir", installed, "--since-last", "--resume", "--json")
    assert (said.code, said.document["code"]) == (2, "wrong-usage")
    said = say(capsys, "check", "--data-dir", installed, "--for", "a while", "--json")
    assert (said.code, said.document["code"]) == (2, "bad-duration")


def test_a_check_is_in_the_audit(installed: Path, capsys: Capture) -> None:
    say(capsys, "check", "--data-dir", installed, "--json")
    parts = Assembly(Settings(data_dir=installed))
    try:
        with parts.db.reading() as session:
            tags = list(session.scalars(select(EventRow.tag).order_by(EventRow.number)))
    finally:
        parts.db.close()
    assert tags[-1] == Tag.CHECK_DONE


def test_files_are_looked_at_for_as_long_as_was_said() -> None:
    clock = HandClock()
    stop = until(clock, timedelta(minutes=10), lambda: False)
    assert not stop()
    clock.forward(timedelta(minutes=9))
    assert not stop()
    clock.forward(timedelta(minutes=1))
    assert stop()
    assert not until(clock, None, lambda: False)()
    assert until(clock, None, lambda: True)()


@pytest.fixture
def heard_interrupts() -> Iterator[None]:
    """A shell lets what it starts in the background ignore SIGINT: here it is heard, however the tests were started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard_interrupts")
def test_a_first_ctrl_c_lets_the_check_end_and_a_second_one_ends_it() -> None:
    with stopped_by_hand() as is_stopped:
        assert not is_stopped()
        signal.raise_signal(signal.SIGINT)
        assert is_stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_progress_is_told_every_few_seconds_and_programs_hear_none(capsys: Capture) -> None:
    clock = HandClock()
    told = Told(clock, is_quiet=False)
    for done in range(0, 3000, 300):
        clock.forward(timedelta(seconds=1))
        told("files", done, 3000)
    told("spool_files", 5)
    assert capsys.readouterr().err.splitlines() == ["files: 1,200 of 3,000", "files: 2,700 of 3,000"]
    quiet = Told(clock, is_quiet=True)
    clock.forward(timedelta(minutes=1))
    quiet("files", 1, 2)
    assert capsys.readouterr().err == ""


def test_who_did_not_look_at_everything_says_so_and_how_to_go_on() -> None:
    report = CheckReport([], {}, Depth.OPENS, is_whole=False)
    assert lines_of(report)[-1].endswith("`vms-privacy check --depth opens --resume` goes on there.")
    assert document_of(report)["whole"] is False


def test_what_was_mended_is_told_and_what_is_in_quarantine_is_not_forgotten(installed: Path, capsys: Capture) -> None:
    stranger = installed / "spool" / "who-wrote-this"
    stranger.write_bytes(b"x" * 1500)
    os.utime(stranger, (1, 1))
    said = say(capsys, "check", "--data-dir", installed)
    assert (said.code, stranger.exists()) == (6, True)
    said = say(capsys, "check", "--data-dir", installed, "--repair")
    assert said.code == 0
    assert "1 mended:\n  stranger, who-wrote-this, in the spool: quarantined" in said.out
    assert "1 in quarantine, 1.5 KiB" in said.out
    assert not stranger.exists()
    again = say(capsys, "check", "--data-dir", installed, "--repair", "--json")
    assert (again.code, again.document["mended"]) == (0, [])
    assert (again.document["totals"]["quarantined"], again.document["totals"]["quarantined_bytes"]) == (1, 1500)
    assert "1 in quarantine" in say(capsys, "check", "--data-dir", installed).out


def test_keys_that_nothing_needs_are_left_to_the_service_while_one_runs(installed: Path, capsys: Capture) -> None:
    parts = Assembly(Settings(data_dir=installed))
    unused = parts.keyring.create_bucket_key()
    with parts.journal:
        said = say(capsys, "check", "--data-dir", installed, "--repair")
        assert said.code == 6
        assert "the service is running" in said.err
        assert f"stranger-key, bucket key {unused}" in said.out
    said = say(capsys, "check", "--data-dir", installed, "--repair", "--json")
    assert said.code == 0
    assert [one["how"] for one in said.document["mended"]] == ["destroyed-unused-key"]
    assert unused not in Assembly(Settings(data_dir=installed)).keyring.bucket_keys()
    assert say(capsys, "verify", "journal", "--data-dir", installed, "--json").code == 0
