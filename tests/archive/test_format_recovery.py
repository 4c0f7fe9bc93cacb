"""Files that a crash left: what is kept, what is cut, what is left alone. sealed-file-v1, section 10."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from archive.format.errors import WrongKey
from archive.format.sealed_file import FileState, SealedWriter, recover
from tests.given.randomness import CountedRandomness
from tests.given.sealed_vectors import reader_of
from tests.given.sealing import KEY, sealed
from tests.vectors import independent_reader
from tests.vectors.sealed_by_hand import stream
from vms_privacy.keyring.plaintext import KeyBytes

RECORDER = """
    import sys
    from archive.format.index import FragmentIndex
    from archive.format.sealed_file import SealedWriter
    from tests.given.sealing import KEY
    from tests.vectors.sealed_by_hand import stream
    from vms_privacy.ids import SystemRandomness
    from vms_privacy.keyring.plaintext import KeyBytes

    file = open(sys.argv[1], "wb", buffering=0)
    writer = SealedWriter(file, KeyBytes(KEY), 4096, SystemRandomness())
    for number in range(10**9):
        writer.write(stream(f"fragment {number}", 6000))
        writer.fill_chunk()
        print(number, flush=True)
"""


@pytest.mark.parametrize("after", [0, 3, 17])
def test_w5_c2_what_was_in_whole_chunks_survives_a_kill(after: int, tmp_path: Path) -> None:
    """A process that seals as fast as it can is killed at some moment: no fragment it reported is lost."""
    path = tmp_path / "file"
    command = [sys.executable, "-c", textwrap.dedent(RECORDER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = itertools.takewhile(lambda line: int(line) < after, process.stdout)
        for _ in lines:
            pass
        process.send_signal(signal.SIGKILL)
        reported = max([after, *map(int, process.stdout.read().split())])
    with path.open("r+b", buffering=0) as file:
        done = recover(file, KeyBytes(KEY))
    reader = reader_of(path.read_bytes(), KEY, done.summary.salt, done.summary.last_tag)
    assert reader.state is FileState.RECOVERED
    plain = reader.read(0, 1 << 40)
    for number in range(reported + 1):
        assert plain[number * 8192 : number * 8192 + 6000] == stream(f"fragment {number}", 6000)


def test_c1_a_wrong_key_never_cuts_anything(tmp_path: Path) -> None:
    """Without the key check, no chunk would authenticate and recovery would cut the whole recording."""
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness("seal")).write(bytes(50_000))
    before = path.read_bytes()
    with path.open("r+b") as file, pytest.raises(WrongKey):
        recover(file, KeyBytes(bytes(32)))
    assert path.read_bytes() == before


def test_c3_two_recoveries_of_one_crash_write_the_same_bytes(tmp_path: Path) -> None:
    """Two copies of one spool, recovered apart: one nonce, one plaintext, one tag."""
    data, _ = sealed(stream("c3", 20_000))
    results = set()
    for name, torn in (("a", data[:15_000]), ("b", data[:13_000])):
        (tmp_path / name).write_bytes(torn)
        with (tmp_path / name).open("r+b") as file:
            recover(file, KeyBytes(KEY))
        results.add((tmp_path / name).read_bytes())
    assert len(results) == 1
    assert independent_reader.recover(data[:15_000], KEY) in results


def test_a_recovered_file_is_closed_on_the_disk_and_not_only_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(sealed(stream("disk", 20_000))[0][:15_000])
    with path.open("r+b", buffering=0) as file:
        done = recover(file, KeyBytes(KEY))
        assert os.fstat(file.fileno()).st_size == done.summary.size
    assert path.stat().st_size == done.summary.size
