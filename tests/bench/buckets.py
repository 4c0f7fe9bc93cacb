"""What a bucket costs: our store against the plain client of the same library, on the same gateway, in turns.

In erasing the plain client believes what it is answered; ours asks before and after what is kept of each name. 4,000
objects, with `--long` 20,000.
"""

import io
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from minio import Minio
from minio.deleteobjects import DeleteObject

from archive.blobs.rules import name_of
from archive.blobs.s3_store import S3Store
from archive.erasure.rules import BATCH
from tests.bench.outcome import Effort, Line, at_least, told
from tests.given.rgw import Rgw, lacks, started
from tests.given.s3 import s3_store

LEAST: Final = 0.85
_BLOB: Final = bytes(4 * 1024 * 1024)
_SMALL: Final = bytes(64 * 1024)
_PUTS: Final = 16
_READS: Final = 100
_SOME: Final = 4000
_MANY: Final = 20_000
LONG_S: Final = 600.0
ERASED_AT_LEAST: Final = 0.9


class _Names:
    """Names that no round has used."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> list[str]:
        self._next += count
        return [name_of(number.to_bytes(16, "big")) for number in range(self._next - count, self._next)]


def measure(effort: Effort) -> Iterator[Line]:
    """Compare puts of 4 MiB, reads of 64 KiB out of them, and erasing in bulk."""
    if lacking := lacks():
        yield told("a bucket", f"not measured: {lacking} is not installed")
        return
    for gateway in started():
        ours, peer, bucket, names = s3_store(gateway), gateway.raw(), gateway.new_bucket(), _Names()
        ours.refuse_if_unfit()
        yield _puts(effort, ours, peer, bucket, names)
        yield _reads(effort, ours, peer, bucket, names)
        yield _erasures(effort, gateway)


def _puts(effort: Effort, ours: S3Store, peer: Minio, bucket: str, names: _Names) -> Line:
    def our_round() -> None:
        wanted = names.take(_PUTS)
        for name in wanted:
            ours.put(name, io.BytesIO(_BLOB), len(_BLOB))
        ours.erase_many(wanted)

    def peer_round() -> None:
        wanted = names.take(_PUTS)
        for name in wanted:
            peer.put_object(bucket, name, io.BytesIO(_BLOB), len(_BLOB))
        list(peer.remove_objects(bucket, map(DeleteObject, wanted)))

    rates = _in_turns(effort, our_round, peer_round)
    ratio = statistics.median(one / other for one, other in rates)
    mine, theirs = (statistics.median(side) * _PUTS * len(_BLOB) / 1e6 for side in zip(*rates, strict=True))
    return at_least("a blob of 4 MiB put, and erased", f"{mine:.0f} MB/s", f"minio {theirs:.0f} MB/s", ratio, LEAST)


def _reads(effort: Effort, ours: S3Store, peer: Minio, bucket: str, names: _Names) -> Line:
    [mine_name], [their_name] = names.take(1), names.take(1)
    ours.put(mine_name, io.BytesIO(_BLOB), len(_BLOB))
    peer.put_object(bucket, their_name, io.BytesIO(_BLOB), len(_BLOB))

    def our_round() -> None:
        for number in range(_READS):
            ours.read(mine_name, number * 1000, len(_SMALL))

    def peer_round() -> None:
        for number in range(_READS):
            answer = peer.get_object(bucket, their_name, number * 1000, len(_SMALL))
            answer.read()
            answer.release_conn()

    rates = _in_turns(effort, our_round, peer_round)
    ratio = statistics.median(one / other for one, other in rates)
    mine, theirs = (statistics.median(side) * _READS for side in zip(*rates, strict=True))
    return at_least("64 KiB read out of it", f"{mine:.0f} /s", f"minio {theirs:.0f} /s", ratio, LEAST)


def _erasures(effort: Effort, gateway: Rgw) -> Line:
    """Fill a bucket and erase all of it as the engine does, then the same with the plain client."""
    count = _MANY if effort.long_s >= LONG_S else _SOME
    ours, names = s3_store(gateway), _Names()
    ours.refuse_if_unfit()
    peer, bucket = gateway.raw(), gateway.new_bucket()
    mine, theirs = names.take(count), names.take(count)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: ours.put(name, io.BytesIO(b"sealed"), 6), mine))
        list(pool.map(lambda name: peer.put_object(bucket, name, io.BytesIO(b"sealed"), 6), theirs))
    began_s = time.perf_counter()
    for at in range(0, count, BATCH):
        assert ours.erase_many(mine[at : at + BATCH]).is_clean
    middle_s = time.perf_counter()
    refused = list(peer.remove_objects(bucket, map(DeleteObject, theirs)))
    ended_s = time.perf_counter()
    assert not refused
    mine_rate, their_rate = count / (middle_s - began_s), count / (ended_s - middle_s)
    what = f"{count:,} erased, {BATCH:,} at once, each confirmed"
    theirs_told = f"minio, unconfirmed {their_rate:.0f} /s"
    return at_least(what, f"{mine_rate:.0f} /s", theirs_told, mine_rate / their_rate, ERASED_AT_LEAST)


def _in_turns(effort: Effort, ours: Callable[[], None], peer: Callable[[], None]) -> list[tuple[float, float]]:
    """Return rounds per second of both, measured one after the other."""
    ours()
    peer()
    rates = []
    for _ in range(effort.rounds * 3):
        began_s = time.perf_counter()
        ours()
        middle_s = time.perf_counter()
        peer()
        rates.append((1 / (middle_s - began_s), 1 / (time.perf_counter() - middle_s)))
    return rates
