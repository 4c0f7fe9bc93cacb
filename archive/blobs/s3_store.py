"""A blob store in a bucket of an S3 store.

A blob is one object under its name, stored by one request: it is there whole or not at all. The object
`sealed-blobs-v1` marks the bucket as a store; without it (another bucket, one made anew) "not there" is no answer, but
StoreIsUnfit. Erasing is version-wise and confirmed: the store is asked again what it keeps, whatever it said.
"""

import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import BinaryIO, Final, TypeVar

from archive.blobs.minio_store import MOST_ERASED_AT_ONCE, MOST_LISTED_AT_ONCE, KeptVersion, S3Bucket
from archive.blobs.rules import (
    MARK,
    MARK_TEXT,
    QUARANTINE,
    BucketFacts,
    BucketTerms,
    Unfit,
    Versioning,
    checked,
    codes_of,
    is_name,
    judge_bucket,
    quarantine_names,
)
from archive.blobs.store import EraseReport, Quarantined
from archive.errors import StoreDeniesAccess, StoreDoesNotErase, StoreIsUnfit, StoreUnavailable
from vms_privacy.errors import Refusal

_ASKING_AT_ONCE: Final = 8
_ERASING_AT_ONCE: Final = 2
_LISTING_AT_ONCE: Final = 4
_CLOSE: Final = 64
"""One answer about a thousand objects takes a store about as long as so many about one object each, at most."""
_QUARANTINE: Final = f"{QUARANTINE}/"
_Versions = list[str] | Refusal
_One = TypeVar("_One")


class S3Store:
    """Keeps sealed bytes in one bucket that holds nothing else. Thread-safe; one bucket, one installation.

    Nothing is asked of the network before the first call. The bucket is looked at once, before the first act: until it
    was reached and found fit, every method raises StoreUnavailable or StoreIsUnfit.
    """

    def __init__(self, bucket: S3Bucket, terms: BucketTerms) -> None:
        """Take a bucket that `create` has made a store. `refuse_if_unfit` is for those who want to know at once."""
        self._s3 = bucket
        self._terms = terms
        self._lock = threading.Lock()
        self._was_fit = False
        self._looks_first = True
        # As in FolderStore: an erasure takes the ticket of an upload under way, and the upload never becomes a blob.
        self._tickets: dict[str, object] = {}

    @classmethod
    def create(cls, bucket: S3Bucket, terms: BucketTerms) -> "S3Store":
        """Make an empty bucket that is there already into a store.

        Raises FileExistsError if anything is in it, StoreIsUnfit, StoreUnavailable; then it is left as it was.
        """
        store = cls(bucket, terms)
        store._refuse(bucket.facts())
        if next(bucket.names(), None) is not None:
            raise FileExistsError("there is already something where the store should be")
        bucket.put(MARK, BytesIO(MARK_TEXT), len(MARK_TEXT))
        try:
            store.refuse_if_unfit()
        except Refusal:
            bucket.erase_versions([(MARK, version) for version in bucket.versions(MARK)])
            raise
        return store

    def refuse_if_unfit(self) -> None:
        """Look at the bucket now. Raises StoreIsUnfit with the codes of all reasons, StoreUnavailable."""
        facts = self._s3.facts()
        self._refuse(facts)
        self._refuse_if_lost()
        if not self._s3.versions(MARK):
            # What such a list does not show is not gone: no erasure could ever be confirmed.
            raise StoreIsUnfit("the store does not list what it keeps", reasons=Unfit.HIDES_VERSIONS)
        # Ceph takes no notice of If-None-Match where versions are kept; nothing is lost there by overwriting.
        self._looks_first = facts.versioning is not Versioning.NEVER or not self._refuses_overwriting()
        self._was_fit = True

    def refuse_at_start(self) -> None:
        """Raise StoreIsUnfit or StoreDeniesAccess: what is set up wrong does not start.

        A store that cannot be reached now is looked at before the first act; recording goes to the spool meanwhile.
        """
        try:
            self.refuse_if_unfit()
        except (StoreIsUnfit, StoreDeniesAccess):
            raise
        except StoreUnavailable:
            return

    def put(self, name: str, source: BinaryIO, size: int) -> None:
        checked(name)
        self._refuse_until_fit()
        ticket = object()
        with self._lock:
            if name in self._tickets:
                raise FileExistsError("a blob's name is used once")
            self._tickets[name] = ticket
        try:
            if self._looks_first and self._s3.size(name) is not None:
                raise FileExistsError("a blob's name is used once")
            self._s3.put(name, source, size)
        finally:
            with self._lock:
                was_erased = self._tickets.get(name) is not ticket
                if not was_erased:
                    del self._tickets[name]
            if was_erased:
                # Whatever became of the upload: its answer may have been lost.
                self.erase(name)
        if was_erased:
            raise StoreUnavailable("the blob was erased while it was being stored")

    def read(self, name: str, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0:
            raise ValueError("a range begins at 0 or later and is not negative")
        checked(name)
        self._refuse_until_fit()
        data = self._s3.read(name, offset, length)
        if data is None:
            self._refuse_if_lost()
            raise FileNotFoundError("there is no such blob")
        return data

    def size(self, name: str) -> int | None:
        checked(name)
        self._refuse_until_fit()
        size = self._s3.size(name)
        if size is None:
            self._refuse_if_lost()
        return size

    def keeps(self, name: str) -> bool:
        checked(name)
        self._refuse_until_fit()
        is_kept = bool(self._s3.versions(name))
        if not is_kept:
            self._refuse_if_lost()
        return is_kept

    def erase(self, name: str) -> bool:
        self._refuse_until_fit()
        became = self._erase([checked(name)])[name]
        if isinstance(became, Refusal):
            raise became
        return became

    def erase_many(self, names: Sequence[str]) -> EraseReport:
        """Ask for versions, those of names that lie close together with one answer; erase a thousand at a time."""
        wanted = list(dict.fromkeys(checked(name) for name in names))
        report = EraseReport()
        try:
            self._refuse_until_fit()
        except Refusal as refusal:
            report.failed = dict.fromkeys(wanted, refusal.code)
            return report
        for name, became in self._erase(wanted).items():
            if isinstance(became, Refusal):
                report.failed[name] = became.code
            else:
                report.gone[name] = became
        return report

    def names(self) -> Iterator[str]:
        """Go through every name the bucket keeps a version of. An upload that did not end left nothing behind."""
        self._refuse_until_fit()
        self._refuse_if_lost()
        for name in self._s3.names():
            if name == MARK or name.startswith(_QUARANTINE):
                continue
            if not is_name(name):
                # Bytes that cannot be accounted for are not hidden.
                raise StoreUnavailable("something in the store is not a blob")
            yield name

    def quarantine(self, name: str) -> bool:
        """Copy each version to the prefix `quarantine/`, compare sizes, and only then erase it where it was."""
        checked(name)
        self._refuse_until_fit()
        self._refuse_if_lost()
        with self._lock:
            self._tickets.pop(name, None)
        copied = [self._copy_away(name, one) for one in reversed(self._s3.kept(name)) if not one.is_marker]
        became = self._erase([name])[name]
        if isinstance(became, Refusal):
            raise became
        return bool(copied)

    def quarantined(self) -> Iterator[Quarantined]:
        self._refuse_until_fit()
        self._refuse_if_lost()
        for name, size in self._s3.under(_QUARANTINE):
            yield Quarantined(name.removeprefix(_QUARANTINE), size)

    def capacity(self, ours: int) -> int | None:
        return self._terms.capacity_bytes

    def _copy_away(self, name: str, one: KeptVersion) -> str:
        free = next(
            place for other in quarantine_names(name) if self._s3.size(place := f"{_QUARANTINE}{other}") is None
        )
        self._s3.copy(name, one.version, free)
        if self._s3.size(free) != one.size:
            raise StoreUnavailable("the store does not confirm what it was told to copy")
        return free

    def _erase(self, names: Sequence[str]) -> dict[str, bool | Refusal]:
        """Say of each name whether it was there and is gone now, or why that is not certain."""
        with self._lock:
            for name in names:
                self._tickets.pop(name, None)
        before, listed = self._versions_of(names)
        doomed = [(name, version) for name, kept in before.items() if isinstance(kept, list) for version in kept]
        doubts = self._remove(doomed)
        # What the store said is no proof, and a silence is no failure: it is asked what it still keeps.
        after = self._still_kept({name for name, _ in doomed}, listed)
        absent: bool | Refusal = False
        if any(kept == [] for kept in before.values()):
            absent = self._said(self._refuse_if_lost) or False
        became: dict[str, bool | Refusal] = {}
        for name, kept in before.items():
            if isinstance(kept, Refusal):
                became[name] = kept
            elif not kept:
                became[name] = absent
            else:
                left = after[name]
                unsure = left if isinstance(left, Refusal) else _kept(doubts.get(name)) if left else None
                became[name] = unsure or True
        return became

    def _remove(self, doomed: Sequence[tuple[str, str]]) -> Mapping[str, Refusal | str]:
        """Have versions removed; return what spoke against it, by name: a code of the store, or a refusal."""

        def erase(some: Sequence[tuple[str, str]]) -> Mapping[str, Refusal | str]:
            try:
                return self._s3.erase_versions(some)
            except Refusal as refusal:
                return dict.fromkeys((name for name, _ in some), refusal)

        doubts: dict[str, Refusal | str] = {}
        with ThreadPoolExecutor(_ERASING_AT_ONCE) as pool:
            for told in pool.map(erase, _shares(doomed, _ERASING_AT_ONCE, MOST_ERASED_AT_ONCE)):
                doubts |= told
        return doubts

    def _versions_of(self, names: Sequence[str]) -> tuple[dict[str, _Versions], Set[str]]:
        """Ask for the versions of names; return them, and the names that lists have shown.

        Of each that a list does not show it is asked by itself; where that finds one, no list is believed.
        """
        listed = self._listed(names)
        shown = {name: kept for name, kept in listed.items() if kept}
        alone = self._versions_one_by_one([name for name in names if name not in shown])
        left_out = any(name in listed and isinstance(kept, list) and kept for name, kept in alone.items())
        return shown | alone, frozenset() if left_out else shown.keys()

    def _still_kept(self, names: Set[str], shown: Set[str]) -> dict[str, _Versions]:
        """Ask what is left of names that were all there before; of those alone that lists have shown, lists again."""
        found = self._listed(names & shown)
        return found | self._versions_one_by_one(sorted(names - found.keys()))

    def _listed(self, names: Collection[str]) -> dict[str, _Versions]:
        """Look for names in lists, where they lie close together in the bucket; those not looked for are left out."""
        if len(names) < _CLOSE:
            return {}
        shares = _shares(sorted(names), _LISTING_AT_ONCE, len(names))
        found: dict[str, _Versions] = {}
        with ThreadPoolExecutor(_LISTING_AT_ONCE) as pool:
            for told in pool.map(self._listed_in_turn, shares):
                found |= told
        return found

    def _listed_in_turn(self, names: Sequence[str]) -> dict[str, _Versions]:
        found: dict[str, _Versions] = {}
        rest = names
        while len(rest) >= _CLOSE:
            told = self._told_from(rest)
            if len(told) < _CLOSE:
                break
            found |= told
            rest = rest[len(told) :]
        return found

    def _told_from(self, names: Sequence[str]) -> dict[str, _Versions]:
        """Ask once for all that lies between the first of these names and the last; return those it tells all of."""
        try:
            # Shorter than the name and so before it; what lies in between is in the answer and does no harm.
            listed = self._s3.versions_between(names[0][:-1], names[-1])
        except Refusal:
            return {}
        if any(one[0] > after[0] for one, after in itertools.pairwise(listed)):
            return {}  # A store that lists in no order may have left out anything.
        is_all = len(listed) < MOST_LISTED_AT_ONCE
        # The last name may have more versions than were listed.
        told = list(names) if is_all else list(itertools.takewhile(lambda one: one < listed[-1][0], names))
        kept: dict[str, _Versions] = {one: [] for one in told}
        for name, version in listed:
            versions = kept.get(name)
            if isinstance(versions, list):
                versions.append(version)
        return kept

    def _versions_one_by_one(self, names: Sequence[str]) -> dict[str, _Versions]:
        """Ask for the versions of each name. Once the store does not answer, the rest is not asked."""
        silence: list[Refusal] = []

        def ask(name: str) -> _Versions:
            if silence:
                return silence[0]
            try:
                return self._s3.versions(name)
            except Refusal as refusal:
                silence.append(refusal)
                return refusal

        if len(names) < 2:
            return {name: ask(name) for name in names}
        with ThreadPoolExecutor(_ASKING_AT_ONCE) as pool:
            return dict(zip(names, pool.map(ask, names), strict=True))

    def _refuse(self, facts: BucketFacts) -> None:
        objections = judge_bucket(facts, self._terms)
        if objections:
            raise StoreIsUnfit("; ".join(f"{one.code}: {one.why}" for one in objections), reasons=codes_of(objections))

    def _refuse_until_fit(self) -> None:
        if not self._was_fit:
            self.refuse_if_unfit()

    def _refuse_if_lost(self) -> None:
        if self._s3.size(MARK) is None:
            raise StoreIsUnfit("the bucket is no store, or not there", reasons=Unfit.NOT_A_STORE)

    def _refuses_overwriting(self) -> bool:
        """Try to store the mark once more; should that work, the same bytes are there."""
        try:
            self._s3.put(MARK, BytesIO(MARK_TEXT), len(MARK_TEXT))
        except FileExistsError:
            return True
        return False

    def _said(self, look: Callable[[], None]) -> Refusal | None:
        try:
            look()
        except Refusal as refusal:
            return refusal
        return None


def _shares(of: Sequence[_One], count: int, most: int) -> list[Sequence[_One]]:
    """Cut something into so many even shares, fewer where they would be small, and more where one holds `most`."""
    shares = max(1, min(count, len(of) // _CLOSE))
    length = max(1, min(-(-len(of) // shares), most))
    return [of[at : at + length] for at in range(0, len(of), length)]


def _kept(doubt: Refusal | str | None) -> Refusal:
    """Say why something is there still: the store did not answer, would not, or said that it did and did not."""
    if isinstance(doubt, Refusal):
        return doubt
    return StoreDoesNotErase(f"the store keeps a blob that was to be erased: {doubt or 'it does not say why'}")
