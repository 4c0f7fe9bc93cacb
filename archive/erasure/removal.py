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
    """What became of the bytes of each segment: what was answered where they lay, or why that is not certain.

    `found`: those of which there was something to remove, certain or not. A later attempt finds nothing of it.
    """

    answers: dict[SegmentId, str] = field(default_factory=dict)
    failed: dict[SegmentId, str] = field(default_factory=dict)
    found: set[SegmentId] = field(default_factory=set)


def remove(left: Sequence[Remains], forget: Callable[[SegmentId], None], blobs: BlobStore, spool: Path) -> Removal:
    """Have every copy forgotten, then the files of the spool removed, then the blobs erased, all together.

    What fails is in the report and keeps nothing else from being removed (P12). May be repeated.
    """
    removal = Removal()
    ready = [one for one in left if _forgotten(one, forget, removal)]
    # Both places: delivery may have been moving it just then.
    _clear_spool(ready, spool, removal)
    report = blobs.erase_many([one.blob_name for one in ready])
    removal.found.update(one.segment_id for one in ready if report.gone.get(one.blob_name))
    for one in ready:
        if one.blob_name in report.failed:
            removal.failed.setdefault(one.segment_id, report.failed[one.blob_name])
        if one.segment_id not in removal.failed:
            was_there = one.was_found or one.segment_id in removal.found
            removal.answers[one.segment_id] = ERASED if was_there else WAS_NOT_THERE
    return removal


def _forgotten(one: Remains, forget: Callable[[SegmentId], None], removal: Removal) -> bool:
    try:
        forget(one.segment_id)
    except (Refusal, OSError) as error:
        removal.failed[one.segment_id] = error.code if isinstance(error, Refusal) else type(error).__name__
        return False
    return True


def _was_there(path: Path) -> bool:
    """Remove a file; say whether there was one. Most are in the store by now."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _clear_spool(ready: Sequence[Remains], spool: Path, removal: Removal) -> None:
    """Remove the files of segments from the spool, and make durable that they are gone, once for all of them."""
    for one in ready:
        try:
            if _was_there(spool / one.blob_name):
                removal.found.add(one.segment_id)
        except OSError as error:
            removal.found.add(one.segment_id)
            removal.failed[one.segment_id] = type(error).__name__
    if not ready:
        return
    try:
        # Also where nothing was there: an attempt before this, or delivery, may have removed it and not been sure.
        sync_folder(spool)
    except OSError as error:
        for one in ready:
            removal.failed.setdefault(one.segment_id, type(error).__name__)
