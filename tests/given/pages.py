"""Where bucket keys lie, and a keyring laid out as the first version did it, for what takes it over."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.key_folder import OpenedKey
from vms_privacy.keyring.page_rules import BucketPage, page_file, page_of, read_page
from vms_privacy.keyring.rules import KeyHeader, bucket_file, bucket_place, read_manifest


class OnFewPages:
    """Randomness whose ids are on two pages alone, so that keys have neighbours."""

    def __init__(self) -> None:
        self._system = SystemRandomness()

    def uuid(self) -> UUID:
        made = self._system.uuid().bytes
        return UUID(bytes=made[:15] + bytes([made[14] % 2]))

    def octets(self, count: int) -> bytes:
        return self._system.octets(count)


def page_with(folder: Path, bucket_key: UUID) -> Path:
    """Return the path of the page a bucket key is on."""
    return folder / "buckets" / page_file(page_of(bucket_key))


def pages_in(folder: Path) -> dict[Path, BucketPage]:
    """Return every page of a keyring."""
    found = sorted((folder / "buckets").glob("*.page"))
    return {path: read_page(path.read_bytes(), int(path.stem, 16)) for path in found}


def laid_out_as_v1(keyring: FolderKeyring, folder: Path) -> None:
    """Turn a keyring into what keyring-v1 would have: a file for each bucket key, and its manifest."""
    files, pages = keyring._files, keyring._pages
    for bucket_key in keyring.bucket_keys():
        found = pages.find(bucket_key)
        assert found is not None
        opened = OpenedKey(KeyHeader(keyring.root_version, 1, 1_894_708_800), found.key)
        files.write_key(folder / "buckets" / bucket_file(bucket_key), "key", bucket_place(bucket_key), opened)
    for left in (folder / "buckets").iterdir():
        if left.suffix != ".key":
            left.unlink()
    manifest = read_manifest((folder / "manifest").read_bytes())
    (folder / "manifest").write_bytes(manifest.packed_v1())


def record_of_v1(files: Mapping[UUID, bytes]) -> bytes:
    """Return what a rotation of keyring-v1 wrote down before it overwrote key files."""
    (size,) = {len(data) for data in files.values()}
    head = b"VMSB\x01\x00\x00\x00" + len(files).to_bytes(4, "big") + size.to_bytes(4, "big")
    body = head + b"".join(bucket_key.bytes + data for bucket_key, data in files.items())
    return body + hashlib.sha256(body).digest()
