"""Step 7 of an erasure: the bytes, wherever they lie, and whatever was made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archive.blobs.store import BlobStore
from archive.erasure.store import Remains
from vms_privacy.durable_files import sync_folder
from vms_privacy.errors import Refusal
from vms_privacy.ids import SegmentId

ERASED: Final = "erased"
WAS_NOT_THERE: Final = "was-not-there"


@dataclass(slots=True)
class Removal:
    """What became of the bytes of each segment: what was answered where they lay, or why that is not certain."""

    answers: dict[SegmentId, str] = field(default_factory=dict)
    failed: dict[SegmentId, str] = field(default_factory=dict)


def remove(left: Sequence[Remains], forget: Callable[[SegmentId], None], blobs: BlobStore, spool: Path) -> Removal:
    """Have every copy forgotten, then the blobs erased, all together, then the files of the spool removed.

    What fails is in the report and keeps nothing else from being removed (P12). May be repeated.
    """
    removal = Removal()
    ready = [one for one in left if _forgotten(one, forget, removal)]
    report = blobs.erase_many([one.blob_name for one in ready])
    for one in ready:
        if one.blob_name in report.failed:
            removal.failed[one.segment_id] = report.failed[one.blob_name]
            continue
        try:
            # Both places: delivery may have been moving it just then.
            was_spooled = _removed(spool / one.blob_name)
        except OSError as error:
            removal.failed[one.segment_id] = type(error).__name__
            continue
        was_there = report.gone[one.blob_name] or was_spooled
        removal.answers[one.segment_id] = ERASED if was_there else WAS_NOT_THERE
    return removal


def _forgotten(one: Remains, forget: Callable[[SegmentId], None], removal: Removal) -> bool:
    try:
        forget(one.segment_id)
    except (Refusal, OSError) as error:
        removal.failed[one.segment_id] = error.code if isinstance(error, Refusal) else type(error).__name__
        return False
    return True


def _removed(path: Path) -> bool:
    was_there = path.exists()
    path.unlink(missing_ok=True)
    if was_there:
        sync_folder(path.parent)
    return was_there
