"""A page of bucket keys, as plain values: what its file says, and which keys belong on it. keyring-v2, section 4.

Bucket keys share a file by the last byte of their id, so that a rotation of the root waits for the disk, and asks a
security token, some hundred times whatever the number of keys.
"""

import itertools
import re
import struct
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from vms_privacy.keyring.port import Purpose
from vms_privacy.keyring.rules import BadKeyFile, context_of, with_digest, without_digest

PAGES: Final = 256
EDITION_SIZE: Final = 16
PAGE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one page: room for some 174,000 keys on each."""

_MAGIC: Final = b"VMSP\x01\x00\x00\x00"
_HEAD: Final = struct.Struct(f">8sII{EDITION_SIZE}sII")
"""Magic, root version, number of the page, edition, number of keys, length of the wrapped page key."""
HEAD_SIZE: Final = _HEAD.size
_MADE_AT: Final = struct.Struct(">Q")
_ID_SIZE: Final = 16
_WRAP_SIZE: Final = 72
ENTRY_SIZE: Final = _ID_SIZE + _MADE_AT.size + _WRAP_SIZE
_DIGEST_SIZE: Final = 32
_BUCKET_KEY: Final = context_of(b"bucket key", Purpose.ARCHIVE_BUCKET.encode())
_PAGE_NAME: Final = re.compile(r"([0-9a-f]{2})\.page")


@dataclass(frozen=True, slots=True)
class BucketEntry:
    """One bucket key on its page: when it was made, in seconds since 1970, and its wrap under the page key."""

    made_at: int
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class BucketPage:
    """One page. `edition` is random and new in every writing; `page_key` is wrapped under the root of this version.

    `entries` are by the 16 bytes of the bucket key's id.
    """

    number: int
    root_version: int
    edition: bytes
    page_key: bytes
    entries: Mapping[bytes, BucketEntry] = field(default_factory=dict)

    def having(self, bucket_key: uuid.UUID, entry: BucketEntry, edition: bytes) -> "BucketPage":
        """Return the page with one key more."""
        return replace(self, entries={**self.entries, bucket_key.bytes: entry}, edition=edition)

    def without(self, bucket_keys: Collection[uuid.UUID], edition: bytes) -> "BucketPage":
        """Return the page without these keys, which takes no key to write."""
        gone = {one.bytes for one in bucket_keys}
        rest = {one: entry for one, entry in self.entries.items() if one not in gone}
        return replace(self, entries=rest, edition=edition)

    def packed(self) -> bytes:
        head = (_MAGIC, self.root_version, self.number, self.edition, len(self.entries), len(self.page_key))
        entries = (one + _MADE_AT.pack(e.made_at) + e.wrapped for one, e in sorted(self.entries.items()))
        return with_digest(b"".join((_HEAD.pack(*head), self.page_key, *entries)))


def read_page(data: bytes, number: int) -> BucketPage:
    """Read the page of this number. Raises BadKeyFile for anything that `BucketPage.packed` would not write."""
    # A damaged id would read as a key that was destroyed, so nothing is believed of a page that is not whole.
    body = without_digest(data)
    if len(body) < HEAD_SIZE:
        raise BadKeyFile("it is too short")
    magic, root_version, found, edition, count, length = _HEAD.unpack_from(body)
    if magic != _MAGIC or root_version == 0 or len(body) != HEAD_SIZE + length + count * ENTRY_SIZE:
        raise BadKeyFile("it is not of format 1")
    if found != number:
        raise BadKeyFile("it is not the page of this number")
    first = HEAD_SIZE + length
    ids = [body[at : at + _ID_SIZE] for at in range(first, len(body), ENTRY_SIZE)]
    if any(one[-1] != number for one in ids) or any(a >= b for a, b in itertools.pairwise(ids)):
        raise BadKeyFile("its keys are not those of this page in rising order")
    rest = range(first + _ID_SIZE, len(body), ENTRY_SIZE)
    entries = [BucketEntry(_MADE_AT.unpack_from(body, at)[0], body[at + 8 : at + 8 + _WRAP_SIZE]) for at in rest]
    return BucketPage(number, root_version, edition, body[HEAD_SIZE:first], dict(zip(ids, entries, strict=True)))


def edition_in(head: bytes) -> bytes | None:
    """Return the edition that the first bytes of a page tell; None if they are none of a page."""
    if len(head) < HEAD_SIZE or head[: len(_MAGIC)] != _MAGIC:
        return None
    edition: bytes = _HEAD.unpack_from(head)[3]
    return edition


def keys_within(size: int) -> int:
    """Return how many keys a page of so many bytes holds at most."""
    return max(0, (size - HEAD_SIZE - _DIGEST_SIZE) // ENTRY_SIZE)


def page_of(bucket_key: uuid.UUID) -> int:
    """Return the number of the page a bucket key is on: the last byte of its id, which is random in every id."""
    return bucket_key.bytes[-1]


def page_file(number: int) -> str:
    """Return the file name of a page."""
    return f"{number:02x}.page"


def page_number(name: str) -> int | None:
    """Return the number of the page that a file name stands for; None for any other file."""
    found = _PAGE_NAME.fullmatch(name)
    return int(found[1], 16) if found else None


def page_place(number: int, root_version: int) -> bytes:
    """Return the place of a page key, which its wrap is bound to."""
    return context_of(b"bucket page", number.to_bytes(4, "big"), root_version.to_bytes(4, "big"))


def entry_place(bucket_key: bytes, made_at: int) -> bytes:
    """Return the place of a bucket key on its page, which its wrap is bound to."""
    return _BUCKET_KEY + context_of(bucket_key, _MADE_AT.pack(made_at))
