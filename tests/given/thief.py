"""A thief with copies, who knows every page of docs/formats and imports nothing of the service.

Opens keyring folders by keyring-v2, wraps in rows by docs/design/keys.md, and files with the independent reader: what
opens here would open for anybody who has the same copies.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pkcs11
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pkcs11.mechanisms import GCMParams

from tests.vectors.independent_reader import Opened

OpensWrap = Callable[[bytes, bytes], bytes | None]
"""What a root does with a wrap and the place it is from; None if it does not open."""

_ROWS: Final = (
    "SELECT id, operator_id, camera_id, bucket_key_id, wrapped_key, salt, last_tag, blob_name FROM segment "
    "WHERE wrapped_key IS NOT NULL AND last_tag IS NOT NULL"
)


@dataclass(frozen=True)
class Copies:
    """A database and a store as they were at some moment."""

    database: Path
    archive: Path


def listed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def unwrapped(key: bytes, wrapped: bytes, context: bytes, associated: bytes) -> bytes | None:
    """keyring-v2, section 2."""
    info = listed(b"vms-privacy keyring-v1 wrap", context)
    made = HKDF(algorithm=SHA256(), length=44, salt=wrapped[:24], info=info).derive(key)
    try:
        return AESGCM(made[:32]).decrypt(made[32:], wrapped[24:], listed(context, associated))
    except InvalidTag:
        return None


def roots_in(keyring: Path) -> dict[int, OpensWrap]:
    """keyring-v2, section 3: the roots in a folder, if it was copied with them."""
    found = {}
    for path in (keyring / "roots").glob("*.root"):
        data = path.read_bytes()
        # A card of a token has another head, and no key in it.
        if data.startswith(b"VMSR"):
            found[int(path.stem)] = _opens_with(data[12:44])
    return found


def _opens_with(root: bytes) -> OpensWrap:
    return lambda wrapped, place: unwrapped(root, wrapped, place, b"")


class StolenToken:
    """A token with its PIN in the thief's hands: it works for them as it does for the service."""

    def __init__(self, library: Path, label: str, pin: str) -> None:
        loaded = pkcs11.lib(str(library))
        loaded.reinitialize()
        self._session: Any = loaded.get_token(token_label=label).open(user_pin=pin)

    @property
    def roots(self) -> list[Any]:
        return list(self._session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}))

    def opening(self) -> dict[int, OpensWrap]:
        """keyring-pkcs11-v1, section 2: every root in it, by its version."""
        return {int.from_bytes(one[pkcs11.Attribute.ID][16:], "big"): self._opens_with(one) for one in self.roots}

    def _opens_with(self, root: Any) -> OpensWrap:
        named = bytes(root[pkcs11.Attribute.ID])

        def opens(wrapped: bytes, place: bytes) -> bytes | None:
            associated = listed(b"vms-privacy keyring-pkcs11-v1 wrap", named[:16], named[16:], place)
            given = GCMParams(wrapped[:12], associated, 128)
            try:
                opened: bytes = root.decrypt(wrapped[12:], mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=given)
            except pkcs11.PKCS11Error:
                return None
            return opened

        return opens


def bucket_keys(keyrings: Iterable[Path], roots: Sequence[Mapping[int, OpensWrap]]) -> dict[bytes, bytes]:
    """keyring-v2, section 4: every bucket key on every page of every folder that some root opens."""
    found = dict[bytes, bytes]()
    for path in (path for folder in keyrings for path in sorted((folder / "buckets").glob("*.page"))):
        data = path.read_bytes()
        version, number, count, length = (int.from_bytes(data[at : at + 4], "big") for at in (8, 12, 32, 36))
        place = listed(b"bucket page", number.to_bytes(4, "big"), version.to_bytes(4, "big"))
        for root in (one[version] for one in roots if version in one):
            page_key = root(data[40 : 40 + length], place)
            if page_key is not None:
                entries = (data[at : at + 96] for at in range(40 + length, 40 + length + 96 * count, 96))
                found.update(_keys_on(page_key, entries))
    return found


def _keys_on(page_key: bytes, entries: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for entry in entries:
        key = unwrapped(page_key, entry[24:], listed(b"bucket key", b"archive-bucket", entry[:16], entry[16:24]), b"")
        if key is not None:
            yield entry[:16], key


def media_of(stolen: Iterable[Copies], keys: Mapping[bytes, bytes]) -> dict[str, bytes]:
    """Return the media of every segment, by its id, that opens with rows and bytes of any of the copies."""
    copies = list(stolen)
    found = {}
    for copy in copies:
        for row in _rows(copy.database):
            segment, operator, camera, bucket = (bytes.fromhex(one.replace("-", "")) for one in row[:4])
            wrapped, salt, last_tag, blob = row[4:]
            if bucket not in keys:
                continue
            context = listed(b"segment key", bucket)
            associated = b"vms-privacy archive segment-key v1\x00" + operator + camera + segment + bucket + wrapped[1:5]
            # Format and generation, then the keyring's own format byte.
            key = unwrapped(keys[bucket], wrapped[6:], context, associated)
            for path in (one.archive / blob[:2] / blob for one in copies):
                if key is not None and path.exists():
                    found[segment.hex()] = b"".join(Opened(path.read_bytes(), key, salt, last_tag).media())
    return found


def _rows(database: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(_ROWS).fetchall()
