"""Keyrings of the first layout, keyring-v1: every bucket key in a file of its own. They are taken over on opening.

The manifest decides: as long as it is of v1, the key files count and pages are leftovers of a try that was cut off;
from the moment it is of v2, pages count and key files are leftovers. So no crash loses a key or brings one back.
"""

import os
import struct
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from vms_privacy import durable_files
from vms_privacy.keyring.bucket_pages import BucketPages
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KEY_FILE_SIZE, KeyFolder
from vms_privacy.keyring.page_rules import page_file
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable
from vms_privacy.keyring.rules import (
    BadKeyFile,
    Manifest,
    bucket_file,
    bucket_of,
    bucket_place,
    without_digest,
)

_RECORD: Final = "rewrapping"
_RECORD_LIMIT: Final = 1024 * 1024
_RECORD_HEAD: Final = struct.Struct(">8sII")
_RECORD_MAGIC: Final = b"VMSB\x01\x00\x00\x00"


def take_over(files: KeyFolder, pages: BucketPages) -> None:
    """Bring a keyring of v1 to pages, or finish doing so. The caller is alone. Raises KeyringUnavailable."""
    manifest, is_v1 = files.manifest_as_found()
    if is_v1:
        _finish_record(files)
        for number in pages.numbers():
            with told("folder of bucket keys"):
                (files.buckets / page_file(number)).unlink()
        pages.write_all(_living(files, manifest), manifest.current)
        files.write_manifest(manifest)
    _drop_key_files(files)


def _living(files: KeyFolder, manifest: Manifest) -> Iterator[tuple[UUID, int, KeyBytes]]:
    for bucket_key in _key_files(files):
        path, role = files.buckets / bucket_file(bucket_key), f"bucket key {bucket_key}"
        opened = files.read_key_under(manifest, path, role, bucket_place(bucket_key))
        if opened is None:
            raise KeyringUnavailable(f"the keyring's {role} went while it was read", role=role)
        yield bucket_key, opened.header.made_at, opened.key


def _drop_key_files(files: KeyFolder) -> None:
    """Unlink what is on pages by now. Not overwritten one by one: all of it is wraps of living keys under a root."""
    left = _key_files(files)
    with told("folder of bucket keys"):
        for bucket_key in left:
            (files.buckets / bucket_file(bucket_key)).unlink()
        if left:
            durable_files.sync_folder(files.buckets)


def _key_files(files: KeyFolder) -> list[UUID]:
    with told("folder of bucket keys"):
        found = map(bucket_of, os.listdir(files.buckets))  # noqa: PTH208 - names, and no paths
        return [bucket_key for bucket_key in found if bucket_key is not None]


def _finish_record(files: KeyFolder) -> None:
    """Do what a rotation of v1 wrote down before it was cut off, to the files that are there; then destroy it."""
    record = files.folder / _RECORD
    with told("record of a re-wrapping"):
        if not record.exists():
            return
        noted = _noted(durable_files.read_private(record, _RECORD_LIMIT))
        for bucket_key, data in noted.items():
            path = files.buckets / bucket_file(bucket_key)
            if path.exists():
                durable_files.write_durably(path, data)
        durable_files.finish_destroying(record)


def _noted(data: bytes) -> dict[UUID, bytes]:
    """Return what the files are to become. Nothing for a record that was cut off: no file was begun with then."""
    try:
        body = without_digest(data)
    except BadKeyFile:
        return {}
    magic, count, size = _RECORD_HEAD.unpack_from(body)
    if magic != _RECORD_MAGIC or size > KEY_FILE_SIZE or len(body) != _RECORD_HEAD.size + count * (16 + size):
        raise BadKeyFile("it is not of format 1")
    starts = range(_RECORD_HEAD.size, len(body), 16 + size)
    return {UUID(bytes=body[at : at + 16]): body[at + 16 : at + 16 + size] for at in starts}
