"""Keys: wraps a second, and rotating the root under 30,000 bucket keys, with roots in files and in a token.

30,000 are some 40 cameras over 30 days. The peer is the same disk with every file replaced durably, one after the
other, which is what a rotation would be with one key a file.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.outcome import Effort, Line, told, within
from tests.given.keyrings import a_place
from tests.given.softhsm import soft_hsm
from vms_privacy import durable_files
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.key_folder import KEY_FILE_SIZE, KeyFolder
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.rules import KEY_SIZE, context_of
from vms_privacy.root_care import PAUSE_S

BUCKET_KEYS: Final = 30_000
MOST_S: Final = {"file": 5.0, "pkcs11": 10.0}
LONGEST_WAIT_MS: Final = 100.0
_QUIET_S: Final = 2.0
_BETWEEN_KEYS_S: Final = 0.02
_WRAPS: Final = 2000
_REPLACED: Final = 200
_WHAT: Final = {"file": "roots in files", "pkcs11": "roots in SoftHSM"}


def measure(effort: Effort) -> Iterator[Line]:
    """Measure both keyrings on the same disk."""
    with soft_hsm() as softhsm, tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        for kind in ("file", "pkcs11"):
            keyring = a_place(kind, Path(text) / kind, softhsm).create(SystemClock())
            yield from _wraps(kind, keyring, effort.rounds)
            yield from _rotations(kind, keyring, Path(text), effort.rounds)


def _wraps(kind: str, keyring: FolderKeyring, rounds: int) -> Iterator[Line]:
    """A root's wraps, which making a bucket key and rotating cost; and a segment key's, which recording costs."""
    roots, place, segment_key = _files(keyring).roots, context_of(b"bench"), KeyBytes(bytes(KEY_SIZE))
    wrapped = roots.wrap(1, bytes(KEY_SIZE), place)
    for what, act in (
        ("wraps under a root", lambda: roots.wrap(1, bytes(KEY_SIZE), place)),
        ("openings under a root", lambda: roots.unwrap(1, wrapped, place)),
    ):
        yield told(f"{what}, {_WHAT[kind]}", f"{_a_second(act, rounds):.0f} a second")
    bucket_key = keyring.create_bucket_key()
    rate = _a_second(lambda: keyring.wrap_in_bucket(bucket_key, segment_key, b"bench"), rounds)
    yield told(f"wraps of segment keys, {_WHAT[kind]}", f"{rate:.0f} a second")


def _a_second(act: object, rounds: int) -> float:
    assert callable(act)
    rates = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        for _ in range(_WRAPS):
            act()
        rates.append(_WRAPS / (time.perf_counter() - began_s))
    return statistics.median(rates)


def _rotations(kind: str, keyring: FolderKeyring, beside: Path, rounds: int) -> Iterator[Line]:
    _fill(keyring)
    took, peer, cpu, waits = [], [], [], list[float]()
    with _Recorder(keyring) as quiet:
        time.sleep(_QUIET_S)
    for _ in range(rounds):
        peer.append(_one_after_the_other(beside) * BUCKET_KEYS)
        with _Recorder(keyring) as recorder:
            cpu_s = time.process_time()
            began_s = time.perf_counter()
            for _ in keyring.root_rotation().steps():
                # As the service does it.
                time.sleep(PAUSE_S)
            took.append(time.perf_counter() - began_s)
            cpu.append(time.process_time() - cpu_s)
        waits += recorder.waits
    theirs = f"file after file {statistics.median(peer):.0f} s"
    what = f"root rotated, {BUCKET_KEYS} bucket keys, {_WHAT[kind]}"
    yield within(what, statistics.median(took), MOST_S[kind], "s", theirs)
    yield told(f"CPU of that, {_WHAT[kind]}", f"{statistics.median(cpu):.1f} s")
    what = f"longest of {len(waits)} waits for a new key meanwhile, {_WHAT[kind]}"
    theirs = f"without a rotation {max(quiet.waits) * 1000:.0f} ms"
    yield within(what, max(waits) * 1000, LONGEST_WAIT_MS, "ms", theirs)


class _Recorder:
    """Makes bucket keys, as many a second as at the full hour of some 50 cameras, and notes how long each took."""

    def __init__(self, keyring: FolderKeyring) -> None:
        self.waits = list[float]()
        self._keyring = keyring
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record)

    def __enter__(self) -> "_Recorder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _record(self) -> None:
        while not self._over.is_set():
            began_s = time.perf_counter()
            self._keyring.create_bucket_key()
            self.waits.append(time.perf_counter() - began_s)
            time.sleep(_BETWEEN_KEYS_S)


def _fill(keyring: FolderKeyring) -> None:
    """Put the keys there as they would be on the disk, without waiting for it 30,000 times."""
    randomness = SystemRandomness()
    keys = ((randomness.uuid(), 0, KeyBytes(randomness.octets(KEY_SIZE))) for _ in range(BUCKET_KEYS))
    keyring._pages.write_all(keys, keyring.root_version)


def _one_after_the_other(beside: Path) -> float:
    """Return the seconds that replacing one file durably takes now."""
    path = beside / "replaced"
    began_s = time.perf_counter()
    for _ in range(_REPLACED):
        durable_files.write_durably(path, bytes(KEY_FILE_SIZE))
    return (time.perf_counter() - began_s) / _REPLACED


def _files(keyring: FolderKeyring) -> KeyFolder:
    return keyring._files
