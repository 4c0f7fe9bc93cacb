"""The bytes of what is destroyed: nothing is said of them before it is certain, and then what is true."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from archive.blobs.folder_store import FolderStore
from archive.blobs.memory_store import MemoryStore
from archive.blobs.store import EraseReport
from archive.erasure.removal import ERASED, WAS_NOT_THERE, remove
from archive.erasure.store import Remains
from archive.receipts import store as receipts
from archive.recorder.delivery import Delivery
from tests.given.footage import House
from tests.given.open_files import no_file_to_open
from vms_privacy.ids import SegmentId

_ONE = Remains(SegmentId(UUID(int=1)), "A" * 22, was_found=False)


def _forget(_: SegmentId) -> None:
    """There are no copies."""


def test_nothing_is_said_of_bytes_while_the_spool_cannot_be_synced_however_often_it_is_tried(tmp_path: Path) -> None:
    """A power cut would bring the file back, whoever removed it and when."""
    (tmp_path / _ONE.blob_name).touch()
    blobs = MemoryStore()
    with no_file_to_open():
        attempts = [remove([_ONE], _forget, blobs, tmp_path) for _ in range(2)]
    assert list(tmp_path.iterdir()) == []
    assert [one.answers for one in attempts] == [{}, {}]
    assert [one.failed for one in attempts] == [{_ONE.segment_id: "OSError"}] * 2
    assert remove([_ONE], _forget, blobs, tmp_path).answers == {_ONE.segment_id: WAS_NOT_THERE}


def test_one_file_that_cannot_be_removed_keeps_no_other_from_it(tmp_path: Path) -> None:
    other = Remains(SegmentId(UUID(int=2)), "B" * 21 + "A", was_found=False)
    (tmp_path / _ONE.blob_name).mkdir()
    (tmp_path / other.blob_name).touch()
    removal = remove([_ONE, other], _forget, MemoryStore(), tmp_path)
    assert removal.failed == {_ONE.segment_id: "IsADirectoryError"}
    assert removal.answers == {other.segment_id: ERASED}


def test_a_receipt_says_erased_of_what_an_attempt_removed_that_could_not_be_sure_of_it(house: House) -> None:
    moment = ExitStack()

    class LastFile(Delivery):
        """Nothing more can be opened once it has let go of a segment."""

        def forget(self, segment_id: SegmentId) -> None:
            super().forget(segment_id)
            moment.enter_context(no_file_to_open())

    class OpenAgain(FolderStore):
        """It can again once the spool is done with."""

        def erase_many(self, names: Sequence[str]) -> EraseReport:
            moment.close()
            return super().erase_many(names)

    house.store = OpenAgain(house.folder / "archive")
    delivery, house.delivery = house.delivery, LastFile(house.db, house.spool, house.store)
    house.opt_in()
    house.keep_for(timedelta(seconds=10))
    house.record(2)
    house.clock.forward(timedelta(seconds=20))
    assert list(house.new_eraser().sweep().failed.values()) == ["OSError"]
    assert list(house.spool.iterdir()) == []
    house.delivery = delivery
    house.clock.forward(timedelta(seconds=6))
    assert house.new_eraser().sweep().is_clean
    with house.db.writing() as session:
        (made,) = house.receipts.sign_now(session, house.operator_id, house.owner.label)
    with house.db.reading() as session:
        row = receipts.by_id(session, house.operator_id, made)
    assert row is not None
    [leaf] = [json.loads(line) for line in row.document.split(b"\n")[3:-1]]
    assert leaf["store_answer"] == ERASED
