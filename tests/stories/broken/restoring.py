"""Broken parts that show where an older database is told what has happened since."""

from collections.abc import Iterable
from functools import cached_property

from archive.erasure.replay import Marked
from archive.erasure.service import Eraser
from vms_privacy.app import Assembly
from vms_privacy.custody.service import Custody
from vms_privacy.custody.store import Restore
from vms_privacy.journal.rules import JournalEntry, JournalKind


class ReplayLeavesOutErasures(Assembly):
    """What the journal names as destroyed is marked nowhere."""

    @cached_property
    def eraser(self) -> Eraser:
        return _Unmarking(super().eraser)


class _Unmarking(Eraser):
    def __init__(self, real: Eraser) -> None:
        self.__dict__.update(real.__dict__)

    def mark_again(self, entries: Iterable[JournalEntry]) -> Marked:
        return Marked()


class ReplayLeavesOutMandates(Assembly):
    """What two people have had destroyed stands again nowhere."""

    @cached_property
    def custody(self) -> Custody:
        return _Unmandating(super().custody)


class _Unmandating(Custody):
    def __init__(self, real: Custody) -> None:
        self.__dict__.update(real.__dict__)

    def _replay_rules(self, restore: Restore, entries: list[JournalEntry]) -> None:
        super()._replay_rules(restore, [one for one in entries if one.kind is not JournalKind.MANDATE])
