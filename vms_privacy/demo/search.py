"""Looking for footage in clear where none may be: by the canary, and by what stands in every MP4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import inspect

from streams.media import nal
from vms_privacy.db import Database
from vms_privacy.demo.rows import read_whole
from vms_privacy.demo.world import World

# Eight bytes or more: ciphertext of the sizes looked at here holds them by chance less than once in 2^30 searches.
_SIGNS: Final = (b"ftypiso6", b"avc1\x00\x00\x00\x00\x00\x00\x00\x01", b"\x00\x00\x00\x10mfhd")


@dataclass(frozen=True, slots=True)
class Found:
    """Something in clear: where, such as a file below the folder that was searched, and what it was."""

    where: str
    sign: str


def search(folder: Path, canaries: Sequence[bytes]) -> tuple[int, list[Found]]:
    """Return how many bytes were looked at, and everything in clear that was found."""
    return _look(_files(folder), canaries)


def search_world(world: World) -> tuple[int, list[Found]]:
    """Search the data folder, and what lies elsewhere: every blob of every store, every row on a server."""
    return _look(_places(world), world.canaries)


def signs_in(data: bytes, canaries: Sequence[bytes]) -> list[str]:
    """Return what in these bytes is footage in clear."""
    hits = [f"canary {number}" for number, canary in enumerate(canaries) if _holds(data, canary)]
    return hits + [repr(sign) for sign in _SIGNS if sign in data]


def _holds(data: bytes, canary: bytes) -> bool:
    return canary in data or nal.escape(canary) in data


def _look(places: Iterator[tuple[str, bytes]], canaries: Sequence[bytes]) -> tuple[int, list[Found]]:
    size, found = 0, []
    for where, data in places:
        size += len(data)
        found += [Found(where, sign) for sign in signs_in(data, canaries)]
    return size, found


def _places(world: World) -> Iterator[tuple[str, bytes]]:
    yield from _files(world.data_dir)
    for name, store in world.parts.stores.items():
        for blob in store.names():
            data = read_whole(store, blob)
            if data is not None:
                yield f"{name}:{blob}", data
    if world.parts.db.engine.dialect.name == "postgresql":
        yield from _tables(world.parts.db)


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        data = _read_file(path) if path.is_file() else None
        if data is not None:
            yield path.relative_to(folder).as_posix(), data


def _read_file(path: Path) -> bytes | None:
    """Return a file's bytes; None if it was moved or destroyed since the folder was listed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _tables(db: Database) -> Iterator[tuple[str, bytes]]:
    """Every column of every row, as the server sends it in its binary form: bytes and text as they are."""
    for table in inspect(db.engine).get_table_names():
        with db.reading() as session:
            # What a cursor of the driver can beyond the standard.
            cursor = cast("Any", session.connection().connection.cursor())
            with cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as rows:
                yield table, b"".join(rows)
