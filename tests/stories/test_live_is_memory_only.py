"""P2 from outside: while people watch, no regular file is given a byte of what they see, by whatever call.

The live story runs under strace, every process of it; a relay that does write is found by the same analysis.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streams.media import nal
from tests.given.traced import Traced, trace
from tests.guards.sources import ROOT

DEADLINE_S = 180.0

pytestmark = [pytest.mark.story, pytest.mark.timeout(DEADLINE_S + 30)]


def live_story(folder: Path, *broken: str) -> tuple[Traced, dict[str, Any]]:
    """Run the live part of the story; return what strace and what the story itself said."""
    command = [sys.executable, "-m", "tests.stories.live_story", str(folder / "story"), *broken]
    traced = trace(command, ROOT, folder / "trace.txt", DEADLINE_S)
    assert traced.returncode == 0, traced.stderr[-2000:]
    told: dict[str, Any] = json.loads(traced.stdout)
    assert told["step"] == "live-leaves-nothing"
    return traced, told


def leaks(traced: Traced, canaries: Sequence[bytes]) -> set[str]:
    """Name the files that were given a canary, as it is or escaped within a NAL unit."""
    looks = {look for canary in canaries for look in (canary, nal.escape(canary))}
    return {name for call in traced.writes_to_files() if any(call.holds(look) for look in looks) for name in call.files}


def test_no_regular_file_is_given_what_is_watched_live(tmp_path: Path) -> None:
    traced, told = live_story(tmp_path)
    assert told["ok"], told
    assert told["detail"]["canaries in them"] > 25
    canaries = [bytes.fromhex(one) for one in told["canaries"]]
    assert leaks(traced, canaries) == set()
    writes = list(traced.writes_to_files())
    assert len(writes) > 100, "the database is written, so there are writes to be told of"
    assert not any(call.is_cut for call in writes)
    # The canaries are on the way all the same, through pipes.
    assert any(call.holds(canaries[0]) for call in traced.calls("write", "writev"))
    # No other way into a file is gone: none is copied, and none is mapped to be written but SQLite's index of its log.
    assert [
        call for call in traced.calls("sendfile", "copy_file_range", "splice", "tee", "vmsplice") if call.files
    ] == []
    assert [ring for ring in traced.calls("io_uring_setup") if " = " in ring.rest and "ENOSYS" not in ring.rest] == []
    assert list(traced.calls("memfd_create")) == []
    shared = [call for call in traced.calls("mmap") if "PROT_WRITE" in call.rest and "MAP_SHARED" in call.rest]
    assert {name for call in shared for name in call.files} <= {str(tmp_path / "story" / "data" / "vms-privacy.db-shm")}


def test_a_relay_that_writes_is_found_by_the_same_analysis(tmp_path: Path) -> None:
    traced, told = live_story(tmp_path, "relay-writes-to-disk")
    assert not told["ok"]
    canaries = [bytes.fromhex(one) for one in told["canaries"]]
    assert leaks(traced, canaries) == {str(tmp_path / "story" / "data" / "cache" / "dump.rtp")}
