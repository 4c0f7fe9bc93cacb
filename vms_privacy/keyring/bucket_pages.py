"""Bucket keys on their pages: made, found, destroyed, and moved under another root. keyring-v2, sections 4 and 7.

Promise: a page is always whole, the one before a change or the one after it; destroying a key needs no root; and a
change waits for whoever works on the same page, never for the others.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from vms_privacy import durable_files
from vms_privacy.ids import Randomness
from vms_privacy.keyring.backup_rules import MadeKey
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KeyFolder, looked_again
from vms_privacy.keyring.page_rules import (
    EDITION_SIZE,
    HEAD_SIZE,
    PAGE_LIMIT,
    BucketEntry,
    BucketPage,
    edition_in,
    entry_place,
    keys_within,
    page_file,
    page_number,
    page_of,
    page_place,
    read_page,
)
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, WrapIsDamaged
from vms_privacy.keyring.rules import KEY_SIZE
from vms_privacy.keyring.wrapping import unwrap, wrap

_ROLE: Final = "folder of bucket keys"
_PAGES_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A bucket key in clear, and the edition of the page on which it was seen."""

    key: KeyBytes
    edition: bytes


class BucketPages:
    """The pages of one keyring. Raises KeyringUnavailable. Thread-safe, and safe between processes."""

    def __init__(self, files: KeyFolder, randomness: Randomness) -> None:
        self._files = files
        self._randomness = randomness

    def add(self, bucket_key: UUID, made_at: int, key: KeyBytes) -> FoundKey:
        """Put a new key on its page, under the root in use; durable on return."""
        number = page_of(bucket_key)
        with self._files.changing(), self._at(number):
            current = self._files.manifest().current
            found = self._read(number)
            if found is not None and bucket_key.bytes in found.entries:
                raise KeyringUnavailable("the randomness repeats itself", role=_role(number))
            page, page_key = self._under(current, number, found)
            entry = self._entry(page_key, bucket_key.bytes, made_at, key)
            page = page.having(bucket_key, entry, self._edition())
            with told(_role(number)):
                durable_files.write_durably(self._path(number), page.packed())
        return FoundKey(key, page.edition)

    def find(self, bucket_key: UUID) -> FoundKey | None:
        """Open a key; None if its page does not have it."""
        return looked_again(lambda: self._find_once(bucket_key))

    def still_has(self, bucket_key: UUID, edition: bytes) -> bool:
        """Say whether a key that was seen on this edition of its page is there. Reads little if it is the same."""
        number = page_of(bucket_key)
        if self._edition_of(number) == edition:
            return True
        page = self._read(number)
        return page is not None and bucket_key.bytes in page.entries

    def destroy(self, bucket_keys: Iterable[UUID]) -> frozenset[UUID]:
        """Take keys off their pages, durable on return, the pages before overwritten; return those that were there.

        Some pages at a time: whoever makes a key on one of them waits for no more than those.
        """
        by_page = dict[int, set[UUID]]()
        for one in bucket_keys:
            by_page.setdefault(page_of(one), set()).add(one)
        numbers = sorted(by_page)
        gone = set[UUID]()
        for at in range(0, len(numbers), _PAGES_AT_ONCE):
            gone |= self._destroy_on({number: by_page[number] for number in numbers[at : at + _PAGES_AT_ONCE]})
        return frozenset(gone)

    def keys(self) -> frozenset[UUID]:
        """Return the ids of all keys."""
        pages = (self._read(number) for number in self.numbers())
        return frozenset(UUID(bytes=one) for page in pages if page is not None for one in page.entries)

    def in_clear(self) -> dict[UUID, MadeKey]:
        """Return every key in clear with its date, for a copy that is sealed at once."""
        found = dict[UUID, MadeKey]()
        for page in filter(None, map(self._read, self.numbers())):
            page_key = self._page_key(page)
            for one, entry in page.entries.items():
                key = _opened(page_key, page.number, entry_place(one, entry.made_at), entry)
                found[UUID(bytes=one)] = MadeKey(entry.made_at, key)
        return found

    def numbers(self) -> list[int]:
        """Return the numbers of the pages there are, in rising order."""
        with told(_ROLE):
            found = map(page_number, os.listdir(self._files.buckets))  # noqa: PTH208 - names, and no paths
            return sorted(number for number in found if number is not None)

    def batches(self, at_once: int) -> Iterator[list[int]]:
        """Return all pages in rising order, so many together that they hold some `at_once` keys, and at least one."""
        batch, held = list[int](), 0
        for number in self.numbers():
            with told(_role(number)):
                keys = keys_within(self._path(number).stat().st_size)
            if batch and held + keys > at_once:
                yield batch
                batch, held = [], 0
            batch.append(number)
            held += keys
        if batch:
            yield batch

    def move(self, numbers: Iterable[int]) -> int:
        """Put pages under the root in use, each with a new page key; return how many keys were moved.

        Whoever makes or destroys a key on one of them meanwhile waits for all of these.
        """
        with self._files.changing(), ExitStack() as locks:
            for number in sorted(numbers):
                locks.enter_context(self._at(number))
            current, moved, keys = self._files.manifest().current, list[tuple[Path, bytes]](), 0
            for number in sorted(numbers):
                page = self._read(number)
                if page is not None and page.root_version != current:
                    moved.append((self._path(number), self._under(current, number, page)[0].packed()))
                    keys += len(page.entries)
            with told(_ROLE):
                durable_files.replace_durably(moved)
        return keys

    def write_all(self, keys: Iterable[tuple[UUID, int, KeyBytes]], root_version: int) -> None:
        """Write all pages anew with these keys (id, made at, key), under one root. The caller is alone."""
        pages: dict[int, tuple[BucketPage, KeyBytes, dict[bytes, BucketEntry]]] = {}
        for bucket_key, made_at, key in keys:
            number = page_of(bucket_key)
            if number not in pages:
                pages[number] = (*self._under(root_version, number, None), {})
            _, page_key, entries = pages[number]
            entries[bucket_key.bytes] = self._entry(page_key, bucket_key.bytes, made_at, key)
        written = [
            (self._path(number), BucketPage(number, root_version, page.edition, page.page_key, entries).packed())
            for number, (page, _, entries) in pages.items()
        ]
        with told(_ROLE):
            durable_files.replace_durably(written)

    def _destroy_on(self, doomed: Mapping[int, Set[UUID]]) -> set[UUID]:
        """Take keys off these pages; the numbers rise."""
        gone, rests = set[UUID](), list[tuple[Path, bytes]]()
        with self._files.changing(), ExitStack() as locks:
            for number in doomed:
                locks.enter_context(self._at(number))
            for number, wanted in doomed.items():
                page = self._read(number)
                there = set() if page is None else {one for one in wanted if one.bytes in page.entries}
                if page is not None and there:
                    rests.append((self._path(number), page.without(there, self._edition()).packed()))
                    gone |= there
            with told(_role(next(iter(doomed))) if len(doomed) == 1 else _ROLE):
                durable_files.replace_durably(rests)
                if len(gone) < sum(map(len, doomed.values())):
                    # An attempt before may have taken it off and not been sure: "not there" is durable as well.
                    durable_files.sync_folder(self._files.buckets)
        return gone

    def _find_once(self, bucket_key: UUID) -> FoundKey | None:
        number = page_of(bucket_key)
        page = self._read(number)
        entry = None if page is None else page.entries.get(bucket_key.bytes)
        if page is None or entry is None:
            return None
        place = entry_place(bucket_key.bytes, entry.made_at)
        return FoundKey(_opened(self._page_key(page), number, place, entry), page.edition)

    def _under(self, root_version: int, number: int, page: BucketPage | None) -> tuple[BucketPage, KeyBytes]:
        """Return a page under this root with its page key: as it is if it is under it, else with a new page key."""
        if page is not None and page.root_version == root_version:
            return page, self._page_key(page)
        page_key = KeyBytes(self._randomness.octets(KEY_SIZE))
        wrapped = self._files.roots.wrap(root_version, page_key.reveal(), page_place(number, root_version))
        entries = {}
        if page is not None:
            old = self._page_key(page)
            for one, entry in page.entries.items():
                place = entry_place(one, entry.made_at)
                key = _opened(old, number, place, entry)
                entries[one] = BucketEntry(entry.made_at, wrap(page_key, key.reveal(), place, b"", self._randomness))
        return BucketPage(number, root_version, self._edition(), wrapped, entries), page_key

    def _entry(self, page_key: KeyBytes, bucket_key: bytes, made_at: int, key: KeyBytes) -> BucketEntry:
        wrapped = wrap(page_key, key.reveal(), entry_place(bucket_key, made_at), b"", self._randomness)
        return BucketEntry(made_at, wrapped)

    def _page_key(self, page: BucketPage) -> KeyBytes:
        """Open a page key. It is not remembered: whoever reads our memory has the keys in use, not whole pages."""
        if page.root_version not in self._files.manifest().needed:
            detail = f"the keyring's {_role(page.number)} is damaged: it names a root that this keyring does not have"
            raise KeyringUnavailable(detail, role=_role(page.number))
        place = page_place(page.number, page.root_version)
        try:
            return KeyBytes(self._files.roots.unwrap(page.root_version, page.page_key, place))
        except WrapIsDamaged:
            raise _does_not_authenticate(page.number) from None

    def _edition(self) -> bytes:
        return self._randomness.octets(EDITION_SIZE)

    def _edition_of(self, number: int) -> bytes | None:
        with told(_role(number)):
            try:
                handle = os.open(self._path(number), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                return edition_in(os.read(handle, HEAD_SIZE))
            finally:
                os.close(handle)

    def _read(self, number: int) -> BucketPage | None:
        try:
            return self._read_once(number)
        except KeyringUnavailable:
            # A page that was replaced is overwritten, also under whoever has it open; a second look decides.
            return self._read_once(number)

    def _read_once(self, number: int) -> BucketPage | None:
        with told(_role(number)):
            try:
                data = durable_files.read_private(self._path(number), PAGE_LIMIT)
            except FileNotFoundError:
                return None
            return read_page(data, number)

    def _path(self, number: int) -> Path:
        return self._files.buckets / page_file(number)

    @contextmanager
    def _at(self, number: int) -> Iterator[None]:
        """Hold off every other change of this page, of any thread and process."""
        flags = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with told(_role(number)):
            # Beside the page, which every change replaces. It is never removed: who waits for it would wait alone.
            handle = os.open(self._path(number).with_suffix(".lock"), flags, durable_files.PRIVATE_FILE)
        try:
            with told(_role(number)):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _opened(page_key: KeyBytes, number: int, place: bytes, entry: BucketEntry) -> KeyBytes:
    try:
        return KeyBytes(unwrap(page_key, entry.wrapped, place, b""))
    except WrapIsDamaged:
        raise _does_not_authenticate(number) from None


def _does_not_authenticate(number: int) -> KeyringUnavailable:
    return KeyringUnavailable(f"the keyring's {_role(number)} does not authenticate", role=_role(number))


def _role(number: int) -> str:
    return f"page {number:02x} of bucket keys"
