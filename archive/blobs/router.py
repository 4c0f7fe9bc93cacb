"""All stores as one: each blob lies in the store that its row names, and in no other.

Promise: nothing is put where no row says that it belongs, and where a blob lies never changes, so that whoever uses a
store needs no more than the blob's name (decision 0044).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import BinaryIO, Final, Protocol

from archive.blobs.rules import checked
from archive.blobs.store import BlobStore, EraseReport, Quarantined
from archive.errors import NoStoreForRegion, StoreUnavailable
from vms_privacy.errors import Refusal

REMEMBERED: Final = 10_000
"""So many blobs' stores are kept in memory, some 2 MB; what was not asked for longest goes first."""


class StoreNames(Protocol):
    """Knows from the rows in which store each blob lies."""

    def of(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the store's name of each blob that a row has. Raises StoreUnavailable where rows cannot be read."""
        ...


class StoreRouter:
    """Leads to the store of a blob's row. Thread-safe if the stores and `rows` are.

    A blob that no row has may lie in any of them: each is asked for its size, erases it, or moves it away; it is never
    put. One whose store is not set up is unavailable, not gone. Every method may raise StoreUnavailable.
    """

    def __init__(self, stores: Mapping[str, BlobStore], rows: StoreNames, remembered: int = REMEMBERED) -> None:
        """Take the stores by their names, in the order in which they are listed. Raises ValueError without any."""
        if not stores or len({id(store) for store in stores.values()}) < len(stores):
            raise ValueError("there is a store, and no store has two names")
        self._stores = dict(stores)
        self._rows = rows
        self._remembered = remembered
        self._lock = threading.Lock()
        # Only what a row has said: that there is none may change with the next commit.
        self._known: OrderedDict[str, str] = OrderedDict()

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        store = self._store_of(name)
        if store is None:
            raise NoStoreForRegion("no row says where this blob belongs")
        store.put(name, source, size)

    def read(self, name: str, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise ValueError("a range begins at 0 or later and is not negative")
        store = self._store_of(name) or self._first_with(name)
        if store is None:
            raise FileNotFoundError("there is no such blob")
        return store.read(name, offset, length)

    def size(self, name: str) -> int | None:
        store = self._store_of(name) or self._first_with(name)
        return None if store is None else store.size(name)

    def keeps(self, name: str) -> bool:
        return self._in_each(name, lambda store: store.keeps(name))

    def erase(self, name: str) -> bool:
        return self._in_each(name, lambda store: store.erase(name))

    def erase_many(self, names: Sequence[str]) -> EraseReport:
        """Have each store erase what lies in it; one that is away keeps no other from erasing."""
        wanted = list(dict.fromkeys(checked(name) for name in names))
        report = EraseReport()
        try:
            known = self._look_up(wanted)
        except StoreUnavailable as refusal:
            report.failed = dict.fromkeys(wanted, refusal.code)
            return report
        of_store: dict[str, list[str]] = {}
        for name in wanted:
            if name in known:
                of_store.setdefault(known[name], []).append(name)
                continue
            try:
                report.gone[name] = self.erase(name)
            except (Refusal, OSError) as error:
                report.failed[name] = error.code if isinstance(error, Refusal) else type(error).__name__
        for store_name, some in of_store.items():
            store = self._stores.get(store_name)
            if store is None:
                report.failed |= dict.fromkeys(some, StoreUnavailable.code)
                continue
            one = store.erase_many(some)
            report.gone |= one.gone
            report.failed |= one.failed
        return report

    def names(self) -> Iterator[str]:
        return chain.from_iterable(store.names() for store in self._stores.values())

    def quarantine(self, name: str) -> bool:
        return self._in_each(name, lambda store: store.quarantine(name))

    def quarantined(self) -> Iterator[Quarantined]:
        return chain.from_iterable(store.quarantined() for store in self._stores.values())

    def capacity(self, ours: int) -> int | None:
        """Return what the one store can hold; of several each is to be asked by itself, with what is its own."""
        [first, *others] = self._stores.values()
        return None if others else first.capacity(ours)

    def _store_of(self, name: str) -> BlobStore | None:
        """Return the store that a row names, None where no row has the blob. Raises StoreUnavailable, ValueError."""
        store_name = self._look_up([checked(name)]).get(name)
        if store_name is None:
            return None
        store = self._stores.get(store_name)
        if store is None:
            raise StoreUnavailable("the store in which this blob lies is not set up")
        return store

    def _first_with(self, name: str) -> BlobStore | None:
        """Return the first store that has a blob which no row has. One that cannot tell is not passed over."""
        return next((store for store in self._stores.values() if store.size(name) is not None), None)

    def _in_each(self, name: str, act: Callable[[BlobStore], bool]) -> bool:
        """Act in the store of the row, else in every store, and then say the failure of the first that failed."""
        store = self._store_of(name)
        if store is not None:
            return act(store)
        was_there, failures = False, []
        for one in self._stores.values():
            try:
                was_there = act(one) or was_there
            except Refusal as refusal:
                failures.append(refusal)
        if failures:
            raise failures[0]
        return was_there

    def _look_up(self, names: Sequence[str]) -> dict[str, str]:
        with self._lock:
            found = {name: self._known[name] for name in names if name in self._known}
            for name in found:
                self._known.move_to_end(name)
        unknown = [name for name in names if name not in found]
        if not unknown:
            return found
        said = self._rows.of(unknown)
        with self._lock:
            self._known.update(said)
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return found | dict(said)
