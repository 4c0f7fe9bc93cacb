"""Erasure on a durable PostgreSQL: keys destroyed a second, of whole buckets and of re-keyed ones, receipts and all.

Every row has a key of its own that opens its own sealed file, which is small and in memory: what removing bytes costs
is another bench's. Buckets of 60, as a camera fills one in an hour. 120,000 segments; a million with `--long`, and the
limits are those for a million.
"""

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import func, select

from archive.blobs.memory_store import MemoryStore
from archive.format.index import FragmentIndex
from archive.format.sealed_file import SealedWriter
from archive.keys.rules import WrappedKey, associated_data, wrap_header
from archive.receipts.rounds import sign_due
from archive.recorder.standing import micros
from archive.segments import days
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from auth.tokens.handles import random_name
from tests.bench.outcome import Effort, Line, at_least
from tests.given.clock import HandClock
from tests.given.databases import import_every_table, make_tables
from tests.given.footage import House
from tests.given.postgres import postgres
from vms_privacy.db import Database
from vms_privacy.ids import BucketKeyId, CameraId, SegmentId, SystemRandomness
from vms_privacy.keyring.plaintext import KeyBytes

CAMERAS: Final = 20
PER_BUCKET: Final = 60
LONG_S: Final = 600.0
WHOLE: Final = 50_000
RE_KEYED: Final = 5_000
_MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 60 * _MINUTE_US
_CHUNK: Final = 4096
_LATER: Final = timedelta(days=3650)


def measure(effort: Effort) -> Iterator[Line]:
    """Measure whole buckets, then buckets of which every second segment lives on."""
    import_every_table()
    rows = 1_000_000 if effort.long_s >= LONG_S else int(__import__("os").environ.get("ROWS", "120000"))
    with postgres(durable=True) as server, tempfile.TemporaryDirectory(prefix="vms-bench-") as text:
        for what, limit, is_doomed in (
            ("whole buckets", WHOLE, _all),
            ("re-keyed buckets", RE_KEYED, _every_second),
        ):
            url = server.url(server.create())
            make_tables(url)
            db = Database(url)
            folder = Path(text) / what.partition(" ")[0]
            folder.mkdir()
            yield from _of(what, limit, db, folder, rows, is_doomed)
            db.close()


def _all(_: int) -> bool:
    return True


def _every_second(number: int) -> bool:
    return number % 2 == 0


def _of(
    what: str, limit: int, db: Database, folder: Path, rows: int, is_doomed: Callable[[int], bool]
) -> Iterator[Line]:
    house = House(db, HandClock(), folder, SystemRandomness())
    store = house.store = MemoryStore()
    house.journal.close()
    house.join()
    house.opt_in()
    house.record(2)
    house.delivery.deliver()
    _fill(house, store, rows, is_doomed)
    house.clock.forward(timedelta(days=400))
    house.progress = lambda _: None
    eraser = house.new_eraser()
    began_s = time.perf_counter()
    report = eraser.sweep()
    swept_s = time.perf_counter() - began_s
    assert report.is_clean, report.failed
    house.clock.forward(timedelta(hours=1))
    began_s = time.perf_counter()
    signed = sign_due(db, house.receipts)
    signed_s = time.perf_counter() - began_s
    assert not signed.failed, signed.failed
    gone = len(report.erased)
    with db.reading() as session:
        left = session.scalar(select(func.count()).where(SegmentRow.receipt_id.is_(None))) or 0
    assert left == sum(not is_doomed(number) for number in range(rows)), left
    rate = gone / (swept_s + signed_s)
    shares = f"swept {gone / swept_s:,.0f} /s, receipts {gone / signed_s:,.0f} /s"
    yield at_least(f"{what}: segments destroyed of {rows:,} rows", f"{rate:,.0f} /s", shares, rate / limit, 1.0)


def _fill(house: House, store: MemoryStore, rows: int, is_doomed: Callable[[int], bool]) -> None:
    """Add rows, each with its own key and file; those that are not doomed are kept for ten years more."""
    with house.db.reading() as session:
        model = session.scalars(select(SegmentRow)).one()
    columns = [column.name for column in SegmentRow.__table__.columns]
    begins_us = micros(house.clock.now()) // _HOUR_US * _HOUR_US + 24 * _HOUR_US
    made_at = house.clock.now()
    later_us = int(_LATER.total_seconds()) * 1_000_000
    url = house.db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SET session_replication_role = replica")
        buckets: list[tuple[BucketKeyId, CameraId, int]] = []
        with server.cursor() as cursor, cursor.copy(f"COPY segment ({', '.join(columns)}) FROM STDIN") as copy:
            camera = house.camera.camera_id
            cameras = [CameraId(house.randomness.uuid()) for _ in range(CAMERAS)]
            for number in range(rows):
                bucket, place = divmod(number, PER_BUCKET)
                camera, hour = cameras[bucket % CAMERAS], bucket // CAMERAS
                starts_us = begins_us + hour * _HOUR_US + place * _MINUTE_US
                if place == 0:
                    buckets.append((house.keyring.create_bucket_key(), camera, starts_us // _HOUR_US))
                key_id = buckets[-1][0]
                segment_id, name = SegmentId(house.randomness.uuid()), random_name(house.randomness)
                key = KeyBytes(house.randomness.octets(32))
                at = WrappedKey(house.operator_id, camera, segment_id, key_id, b"")
                wrapped = wrap_header(1) + house.keyring.wrap_in_bucket(key_id, key, associated_data(at, 1))
                file = io.BytesIO()
                writer = SealedWriter(file, key, _CHUNK, house.randomness)
                writer.write(b"pictures")
                summary = writer.finish(FragmentIndex(0, ()))
                store.put(name, io.BytesIO(file.getvalue()), summary.size)
                ends_us = starts_us + _MINUTE_US
                own = {
                    "id": segment_id,
                    "blob_name": name,
                    "camera_id": camera,
                    "starts_us": starts_us,
                    "ends_us": ends_us,
                    "destroy_from_us": ends_us + model.keep_us + (0 if is_doomed(number) else later_us),
                    "keep_us": model.keep_us + (0 if is_doomed(number) else later_us),
                    "bucket_key_id": key_id,
                    "bucket_hour": starts_us // _HOUR_US,
                    "wrapped_key": wrapped,
                    "salt": writer.salt,
                    "last_tag": summary.last_tag,
                    "size_bytes": summary.size,
                    "chunk_size": _CHUNK,
                }
                copy.write_row([own.get(one, getattr(model, one)) for one in columns])
        with (
            server.cursor() as cursor,
            cursor.copy(
                "COPY archive_bucket (bucket_key_id, operator_id, camera_id, hour, generation, made_at) FROM STDIN"
            ) as copy,
        ):
            for key_id, camera, hour in buckets:
                copy.write_row([key_id, house.operator_id, camera, hour, 1, made_at])
        server.execute("DELETE FROM segment WHERE id = %s", [model.id])
    with house.db.writing() as session:
        days.stored(session, SegmentRow.state == State.STORED)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("VACUUM ANALYZE")
