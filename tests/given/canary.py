"""Looking for canaries in everything that an installation of real parts keeps, and planting one in each kind of place.

A canary is found as it is, in any eight bytes of it that follow one another (a page's border, or what a database packs,
may part it), and as text: in hexadecimal, base64 or as Python and JSON write bytes.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pkcs11
from psycopg import sql

from streams.media import nal
from tests.given.real_parts import RealParts
from tests.given.softhsm import PIN

_PIECE: Final = 8
"""By chance eight bytes stand in a gigabyte of other bytes once in 17,000 million searches for one piece."""


_TABLES: Final = (
    "SELECT oid::regclass::text, relnamespace <> 'pg_catalog'::regnamespace FROM pg_class "
    "WHERE relkind IN ('r', 'm', 'p') ORDER BY 1"
)


class Looks:
    """Everything by which canaries are found."""

    def __init__(self, canaries: Sequence[bytes]) -> None:
        found = {look for canary in canaries for look in _looks(canary)}
        pieces = {canary[at : at + _PIECE] for canary in canaries for at in range(len(canary) - _PIECE + 1)}
        self._looks = sorted(found | pieces)

    def are_in(self, data: bytes) -> bool:
        return any(look in data for look in self._looks)


def _looks(canary: bytes) -> Iterator[bytes]:
    yield nal.escape(canary)
    yield canary.hex().encode()
    yield canary.hex().upper().encode()
    yield repr(canary)[2:-1].encode()
    yield json.dumps(repr(canary)[2:-1])[1:-1].encode()
    yield json.dumps(canary.decode("latin-1"))[1:-1].encode()
    yield canary.decode("latin-1").encode()
    for shift in range(3):
        whole = canary[shift : len(canary) - (len(canary) - shift) % 3]
        yield base64.b64encode(whole)
        yield base64.urlsafe_b64encode(whole)


class Everything:
    """What there is of an installation: files, rows, objects, and the files of the servers that keep them."""

    def __init__(self, parts: RealParts, story: Path, log: Path) -> None:
        self._parts = parts
        self._story = story
        self._log = log
        self.bytes_searched = 0

    def places(self, looks: Looks) -> set[str]:
        """Return each place in which something is found, as `kind: where`."""
        return {f"{kind}: {where}" for kind, where, data in self._all() if self._holds(looks, data)}

    def places_in_the_stores_files(self, looks: Looks) -> set[str]:
        """Return the same of the files of the S3 store, which keeps nothing in them before it has ended."""
        files = _files("files of the S3 store", self._parts.rgw.folder)
        return {f"{kind}: {where}" for kind, where, data in files if self._holds(looks, data)}

    def plant(self, canary: bytes) -> set[str]:
        """Put a canary into one place of each kind; return where `places` has to find it."""
        (self._story / "data" / "spool" / "planted").write_bytes(b"before" + canary)
        with self._log.open("ab") as log:
            log.write(f'{{"event": "planted", "data": {json.dumps(repr(canary))}}}\n'.encode())
        with self._parts.server.connected(self._parts.database) as connection:
            connection.execute("CREATE TABLE planted (note text, thing bytea)")
            # More than a page takes as it is: the server packs it and parts it.
            connection.execute("INSERT INTO planted VALUES ('bytes', %s)", [b"a" * 4000 + canary + b"b" * 4000])
            connection.execute("CREATE TABLE noted (note text)")
            connection.execute("INSERT INTO noted VALUES (%s)", [base64.b64encode(canary).decode()])
        raw = self._parts.rgw.raw()
        for data in (b"in clear " + canary, b"another version"):
            raw.put_object(self._parts.bucket, "planted", BytesIO(data), len(data))
        _plant_in_token(self._parts, canary)
        return {
            "files of the service: data/spool/planted",
            f"log: {self._log.name}",
            "tables: planted",
            "tables: noted",
            "objects: planted",
        }

    def _holds(self, looks: Looks, data: bytes) -> bool:
        self.bytes_searched += len(data)
        return looks.are_in(data)

    def _all(self) -> Iterator[tuple[str, str, bytes]]:
        yield from _files("files of the service", self._story)
        yield "log", self._log.name, self._log.read_bytes()
        yield from self._tables()
        yield from _files("files of PostgreSQL", self._parts.server.folder)
        yield from self._objects()
        yield from _files("files of the token", self._parts.softhsm.folder)

    def _tables(self) -> Iterator[tuple[str, str, bytes]]:
        """Every column of every row of every table, the catalogue's and those of large objects included."""
        with self._parts.server.connected(self._parts.database) as connection:
            for table, is_ours in connection.execute(_TABLES).fetchall():
                # What `regclass` writes is quoted where it has to be. Some types of the catalogue have no binary form.
                form = "binary" if is_ours else "text"
                statement = sql.SQL(f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT {form})")
                with connection.cursor().copy(statement) as rows:
                    yield "tables", table, b"".join(bytes(part) for part in rows)
            # What was written so far is in the files, not in the server's memory alone.
            connection.execute("CHECKPOINT")

    def _objects(self) -> Iterator[tuple[str, str, bytes]]:
        """Every version of every object of every bucket, as a plain client gets it."""
        raw = self._parts.rgw.raw()
        for bucket in raw.list_buckets():
            for one in raw.list_objects(bucket.name, recursive=True, include_version=True):
                if not one.is_delete_marker:
                    answer = raw.get_object(bucket.name, one.object_name or "", version_id=one.version_id)
                    yield "objects", one.object_name or "", answer.read()
                    answer.close()


def _files(kind: str, folder: Path) -> Iterator[tuple[str, str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield kind, path.relative_to(folder).as_posix(), path.read_bytes()


def _plant_in_token(parts: RealParts, canary: bytes) -> None:
    """Put an object into the token that its own interface hides from nobody."""
    library: Any = pkcs11.lib(str(parts.token.library))
    library.reinitialize()
    with library.get_token(token_label=parts.token.label).open(rw=True, user_pin=PIN) as session:
        kind, attribute = pkcs11.ObjectClass.DATA, pkcs11.Attribute
        session.create_object(
            {attribute.CLASS: kind, attribute.TOKEN: True, attribute.PRIVATE: False, attribute.VALUE: canary}
        )
