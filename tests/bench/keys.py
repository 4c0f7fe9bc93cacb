"""Keys: wraps a second, and rotating the root under 30,000 bucket keys, with roots in files and in a token.

30,000 are some 40 cameras over 30 days. The peer is the same disk with every file replaced durably, one after the
other, which is what a rotation would be without batches.
"""

import os
import statistics
import tempfile
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
from vms_privacy.keyring.key_folder import KEY_FILE_SIZE, KeyFolder, OpenedKey
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import KEY_SIZE, KeyHeader, bucket_file, bucket_place, context_of

BUCKET_KEYS: Final = 30_000
MOST_S: Final = {"file": 5.0, "pkcs11": 10.0}
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
    took, longest, peer, cpu = [], [], [], []
    for _ in range(rounds):
        peer.append(_one_after_the_other(beside) * BUCKET_KEYS)
        cpu_s = time.process_time()
        began_s = at_s = time.perf_counter()
        for step in keyring.root_rotation().steps():
            now_s = time.perf_counter()
            if step is Step.REWRAPPED:
                longest.append(now_s - at_s)
            at_s = now_s
        took.append(time.perf_counter() - began_s)
        cpu.append(time.process_time() - cpu_s)
    theirs = f"file after file {statistics.median(peer):.0f} s"
    what = f"root rotated, {BUCKET_KEYS} bucket keys, {_WHAT[kind]}"
    yield within(what, statistics.median(took), MOST_S[kind], "s", theirs)
    yield told(f"CPU of that, {_WHAT[kind]}", f"{statistics.median(cpu):.1f} s")
    yield told(f"whoever makes a key meanwhile waits at most, {_WHAT[kind]}", f"{max(longest) * 1000:.0f} ms")


def _fill(keyring: FolderKeyring) -> None:
    """Put the keys there as they would be on the disk, without waiting for it 30,000 times."""
    files, randomness = _files(keyring), SystemRandomness()
    for _ in range(BUCKET_KEYS):
        bucket_key = randomness.uuid()
        opened = OpenedKey(KeyHeader(keyring.root_version, 1, 0), KeyBytes(randomness.octets(KEY_SIZE)))
        path = files.buckets / bucket_file(bucket_key)
        path.write_bytes(files.key_file(bucket_place(bucket_key), opened))
        path.chmod(durable_files.PRIVATE_FILE)
    os.sync()


def _one_after_the_other(beside: Path) -> float:
    """Return the seconds that replacing one file durably takes now."""
    path = beside / "replaced"
    began_s = time.perf_counter()
    for _ in range(_REPLACED):
        durable_files.write_durably(path, bytes(KEY_FILE_SIZE))
    return (time.perf_counter() - began_s) / _REPLACED


def _files(keyring: FolderKeyring) -> KeyFolder:
    return keyring._files
