"""The custody journal on a real disk: durable, chained, one writer, loud about damage, calm about a torn last line."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.full_disk import a_full_disk
from vms_privacy.journal.journal import (
    Journal,
    JournalIsDamaged,
    JournalIsMissing,
    JournalIsTaken,
    JournalUnavailable,
    read_journal,
    verify_journal,
)
from vms_privacy.journal.rules import NO_ENTRY, Head, JournalKind

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "custody-journal-v1.md"
CAMERA = "6d0c1a9e-8f5b-4d53-9c3e-2f64a1b7c001"
APPENDS_FOR_EVER = """
import sys
from pathlib import Path
from vms_privacy.clock import SystemClock
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind

journal = Journal(Path(sys.argv[1]), SystemClock())
while True:
    print(journal.append(JournalKind.ERASURE, {"erasure_id": "e" * 150}), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def filled(path: Path, clock: HandClock, count: int = 3) -> bytes:
    with Journal(path, clock) as journal:
        for number in range(count):
            journal.append(JournalKind.WITHDRAWAL, {"camera_id": CAMERA, "entry": number})
    return path.read_bytes()


def test_entries_come_back_as_they_were_written_also_after_a_restart(path: Path, clock: HandClock) -> None:
    with Journal(path, clock) as journal:
        assert journal.append(JournalKind.SHORTENING, {"camera_id": CAMERA, "seconds": 10, "until": None}) == 1
    with Journal(path, clock) as journal:
        assert journal.append(JournalKind.KEY_DESTROYED, {}) == 2
        first, second = journal.entries()
    assert (first.number, first.kind, first.at) == (1, JournalKind.SHORTENING, clock.now())
    assert dict(first.facts) == {"camera_id": CAMERA, "seconds": 10, "until": None}
    assert (second.number, second.previous) == (2, first.hash)


def test_an_entry_is_on_the_disk_when_append_returns(path: Path, clock: HandClock) -> None:
    with Journal(path, clock) as journal:
        number = journal.append(JournalKind.ERASURE, {"erasure_id": CAMERA})
        assert [entry.number for entry in read_journal(path)] == [number]


def test_only_its_owner_may_read_it(path: Path, clock: HandClock) -> None:
    before = os.umask(0)
    try:
        filled(path, clock)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(JournalUnavailable):
        Journal(path, clock)


def test_a_journal_that_must_be_there_is_not_begun_anew(path: Path, clock: HandClock) -> None:
    with pytest.raises(JournalIsMissing):
        Journal.existing(path, clock)
    assert not path.exists()
    filled(path, clock)
    with Journal.existing(path, clock) as journal:
        assert journal.head.number == 3


def test_a_link_in_its_place_is_refused(path: Path, clock: HandClock) -> None:
    filled(path, clock)
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(JournalUnavailable):
        Journal(link, clock)


def test_there_is_one_writer_in_this_process_or_any_other(path: Path, clock: HandClock) -> None:
    with Journal(path, clock) as journal:
        with pytest.raises(JournalIsTaken):
            Journal(path, clock)
        other = subprocess.run([sys.executable, "-c", APPENDS_FOR_EVER, str(path)], capture_output=True, check=False)
        assert b"JournalIsTaken" in other.stderr
        journal.append(JournalKind.HOLD, {})
        assert journal.verify().ok
    Journal(path, clock).close()


def test_a_closed_journal_takes_no_entry(path: Path, clock: HandClock) -> None:
    journal = Journal(path, clock)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable):
        journal.append(JournalKind.HOLD, {})


@pytest.mark.parametrize(
    "facts",
    [
        {"Name": 1},
        {"a name": 1},
        {"": 1},
        {"reason": "free text of a person"},
        {"login": "someone@example.org"},
        {"line": "a\nb"},
        {"long": "x" * 201},
        {"name": "Łucja"},
    ],
)
def test_names_addresses_and_free_text_have_no_place_in_it(
    path: Path, clock: HandClock, facts: dict[str, str | int | None]
) -> None:
    with Journal(path, clock) as journal:
        with pytest.raises(ValueError):
            journal.append(JournalKind.ERASURE, facts)
        assert journal.head == NO_ENTRY


def test_an_entry_is_bounded(path: Path, clock: HandClock) -> None:
    with Journal(path, clock) as journal:
        with pytest.raises(ValueError, match="do not fit"):
            journal.append(JournalKind.ERASURE, {f"segment_{number}": "x" * 200 for number in range(400)})
        assert journal.append(JournalKind.ERASURE, {"yes": True}) == 1
        assert next(iter(journal.entries())).facts == {"yes": 1}


def test_many_threads_write_one_unbroken_chain(path: Path, clock: HandClock) -> None:
    with Journal(path, clock) as journal:
        numbers: list[int] = []

        def write(who: int) -> None:
            numbers.extend(journal.append(JournalKind.REVOCATION, {"who": who}) for _ in range(10))

        threads = [threading.Thread(target=write, args=(who,)) for who in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(numbers) == list(range(1, 61))
        assert journal.verify().ok


# A torn last line


def test_a_last_line_torn_anywhere_is_cut_away_and_that_is_recorded(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    start_of_last = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for cut in range(start_of_last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, clock) as journal:
            entries = list(journal.entries())
            assert journal.verify().ok
        assert [entry.kind for entry in entries] == [JournalKind.WITHDRAWAL] * 2 + [JournalKind.TAIL_CUT]
        assert entries[-1].facts["octets"] == cut - start_of_last


def test_a_journal_torn_in_its_first_line_goes_on(path: Path, clock: HandClock) -> None:
    path.write_bytes(filled(path, clock)[:20])
    with Journal(path, clock) as journal:
        assert [entry.kind for entry in journal.entries()] == [JournalKind.TAIL_CUT]


def test_a_tail_of_zeros_as_a_power_cut_leaves_it_is_cut_away(path: Path, clock: HandClock) -> None:
    path.write_bytes(filled(path, clock) + bytes(300))
    with Journal(path, clock) as journal:
        assert [entry.number for entry in journal.entries()] == [1, 2, 3, 4]


def test_a_reader_beside_the_writer_does_not_take_an_unfinished_line_for_damage(path: Path, clock: HandClock) -> None:
    path.write_bytes(filled(path, clock) + b'{"at":')
    assert verify_journal(path).ok
    assert len(list(read_journal(path))) == 3


def test_killed_at_any_moment_it_has_every_entry_that_was_answered(path: Path, clock: HandClock) -> None:
    for answers_wanted in (1, 5, 20):
        writer = subprocess.Popen([sys.executable, "-c", APPENDS_FOR_EVER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        answered = [int(writer.stdout.readline()) for _ in range(answers_wanted)]
        writer.send_signal(signal.SIGKILL)
        answered += [int(line) for line in writer.stdout.read().splitlines() if line]
        writer.stdout.close()
        writer.wait()
        with Journal(path, clock) as journal:
            assert journal.head.number >= max(answered)
            assert journal.verify().ok


# Damage


def test_any_changed_byte_before_the_end_is_found_and_names_the_entry(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    for at in range(len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        verdict = verify_journal(path)
        assert not verdict.ok
        assert verdict.first_bad == whole[:at].count(b"\n") + 1
        with pytest.raises(JournalIsDamaged) as caught:
            Journal(path, clock)
        assert caught.value.facts == {"entry": verdict.first_bad}
        assert path.read_bytes() != whole, "a damaged journal is left as it is"


@pytest.mark.parametrize("order", [(1, 2), (0, 2), (0, 2, 1), (0, 0, 1, 2), (2, 1, 0)])
def test_missing_repeated_and_moved_entries_are_found(path: Path, clock: HandClock, order: tuple[int, ...]) -> None:
    lines = filled(path, clock).splitlines(keepends=True)
    path.write_bytes(b"".join(lines[number] for number in order))
    assert not verify_journal(path).ok
    with pytest.raises(JournalIsDamaged):
        Journal(path, clock)


def test_a_whole_line_of_something_else_is_damage_and_not_a_torn_tail(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    for line in (b"\n", b"{}\n", b"[]\n", b"null\n", b"\xff\xfe\n", b"[" * 3000 + b"\n", b"x" * 70_000):
        path.write_bytes(whole + line)
        with pytest.raises(JournalIsDamaged):
            Journal(path, clock)


def test_a_line_written_in_other_words_is_damage(path: Path, clock: HandClock) -> None:
    lines = filled(path, clock).splitlines(keepends=True)
    path.write_bytes(json.dumps(json.loads(lines[0])).encode() + b"\n" + b"".join(lines[1:]))
    assert verify_journal(path).first_bad == 1


def test_a_cut_tail_and_a_chain_written_anew_are_found_with_a_head_kept_elsewhere(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    with Journal(path, clock) as journal:
        kept = journal.head
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert verify_journal(path).ok
    cut = verify_journal(path, kept)
    assert (cut.ok, cut.first_bad) == (False, 3)
    path.unlink()
    with Journal(path, clock) as forged:
        for _ in range(4):
            forged.append(JournalKind.HOLD, {})
    assert verify_journal(path).ok
    assert verify_journal(path, kept).first_bad == 3
    assert verify_journal(path, Head(4, forged.head.hash)).ok


def test_the_writer_notices_that_its_file_was_changed_or_replaced(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    with Journal(path, clock) as journal:
        path.write_bytes(whole[:-1])
        with pytest.raises(JournalIsDamaged):
            journal.append(JournalKind.HOLD, {})
        assert not journal.verify().ok
    path.write_bytes(whole)
    with Journal(path, clock) as journal:
        path.rename(path.with_name("away"))
        path.write_bytes(whole)
        path.chmod(0o600)
        with pytest.raises(JournalIsDamaged):
            journal.append(JournalKind.HOLD, {})
    with Journal(path, clock) as journal:
        path.unlink()
        with pytest.raises(JournalUnavailable):
            journal.append(JournalKind.HOLD, {})
        with pytest.raises(JournalUnavailable):
            journal.verify()


def test_a_look_at_name_and_size_finds_what_the_next_append_would_refuse(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    with Journal(path, clock) as journal:
        journal.refuse_if_changed()
        journal.append(JournalKind.HOLD, {})
        journal.refuse_if_changed()
        path.write_bytes(whole)
        with pytest.raises(JournalIsDamaged) as caught:
            journal.refuse_if_changed()
        assert caught.value.facts == {"entry": 5}
    with pytest.raises(JournalUnavailable):
        journal.refuse_if_changed()
    with Journal(path, clock) as journal:
        with a_full_disk(room=len(whole) + 10), pytest.raises(JournalUnavailable):
            journal.append(JournalKind.HOLD, {})
        with pytest.raises(JournalUnavailable):
            journal.refuse_if_changed()


def test_a_journal_that_was_away_for_a_while_takes_entries_again(path: Path, clock: HandClock) -> None:
    filled(path, clock)
    with Journal(path, clock) as journal:
        away = path.rename(path.with_name("away"))
        with pytest.raises(JournalUnavailable):
            journal.append(JournalKind.HOLD, {})
        away.rename(path)
        assert journal.append(JournalKind.HOLD, {}) == 4
        assert journal.verify().ok


def test_after_a_failed_write_it_takes_nothing_until_it_is_opened_again(path: Path, clock: HandClock) -> None:
    whole = filled(path, clock)
    with Journal(path, clock) as journal:
        with a_full_disk(room=len(whole) + 10), pytest.raises(JournalUnavailable):
            journal.append(JournalKind.HOLD, {})
        with pytest.raises(JournalUnavailable):
            journal.append(JournalKind.HOLD, {})
    with Journal(path, clock) as journal:
        assert [entry.kind for entry in journal.entries()][3:] == [JournalKind.TAIL_CUT]
        assert journal.append(JournalKind.HOLD, {}) == 5


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(JournalUnavailable):
        Journal(tmp_path / "missing" / "journal", clock)


# The format's page


def test_the_example_of_the_format_verifies(path: Path, clock: HandClock) -> None:
    block = re.search(r'```text\n(\{"at".*?)```', PAGE.read_text(), re.DOTALL)
    assert block is not None
    path.write_text(block[1])
    path.chmod(0o600)
    previous = "0" * 64
    for line in path.read_text().splitlines():
        told = json.loads(line)
        claimed = told.pop("hash")
        bare = json.dumps(told, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(b"vms-privacy custody-journal-v1\n" + bare.encode()).hexdigest() == claimed
        assert told["previous"] == previous
        previous = claimed
    with Journal(path, clock) as journal:
        assert journal.head == Head(2, previous)


def test_the_tests_that_the_page_names_exist() -> None:
    here = Path(__file__)
    sources = here.read_text() + (here.parents[1] / "properties" / "test_journal.py").read_text()
    named = re.findall(r"`(test_\w+)`", PAGE.read_text())
    assert len(named) > 8
    assert [name for name in named if f"def {name}(" not in sources] == []
