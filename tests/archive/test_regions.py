"""An operator's footage stays in the region that was promised, or it is not recorded at all (LT-1)."""

import io
from uuid import UUID

import pytest

from archive.blobs.memory_store import MemoryStore
from archive.blobs.regions import StoreRouter
from archive.blobs.rules import name_of
from archive.errors import NoStoreForRegion
from vms_privacy.ids import OperatorId

PARIS, ALMATY, NOBODY = (OperatorId(UUID(int=number)) for number in range(1, 4))
NAME = name_of(bytes(range(16)))


def test_footage_goes_to_the_store_of_its_operators_region_and_to_no_other() -> None:
    here, there = MemoryStore(), MemoryStore()
    regions = {PARIS: "eu-west-3", ALMATY: "kz-ala-1"}
    router = StoreRouter({"eu-west-3": here, "kz-ala-1": there}, regions.get)
    router.store_of(ALMATY).put(NAME, io.BytesIO(b"sealed"), 6)
    assert list(there.names()) == [NAME]
    assert list(here.names()) == []
    assert router.store_of(PARIS) is here
    assert router.stores() == {"eu-west-3": here, "kz-ala-1": there}


def test_without_a_known_region_there_is_no_store_and_so_no_recording() -> None:
    regions: dict[OperatorId, str | None] = {PARIS: "eu-west-3", ALMATY: "kz-ala-1", NOBODY: ""}
    router = StoreRouter({"eu-west-3": MemoryStore()}, regions.get)
    for operator_id in (ALMATY, NOBODY, OperatorId(UUID(int=99))):
        with pytest.raises(NoStoreForRegion) as refused:
            router.store_of(operator_id)
        assert refused.value.code == "no-store-for-region"


def test_a_region_that_changes_is_heard_of_at_once() -> None:
    regions: dict[OperatorId, str | None] = {PARIS: "eu-west-3"}
    router = StoreRouter({"eu-west-3": MemoryStore()}, regions.get)
    router.store_of(PARIS)
    regions[PARIS] = None
    with pytest.raises(NoStoreForRegion):
        router.store_of(PARIS)


def test_a_region_without_a_name_and_a_store_of_two_regions_are_refused() -> None:
    store = MemoryStore()
    for stores in ({"": store}, {"eu-west-3": store, "kz-ala-1": store}):
        with pytest.raises(ValueError, match="store of its own"):
            StoreRouter(stores, lambda _: "eu-west-3")
