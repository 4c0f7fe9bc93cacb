"""The broken part that shows where footage is destroyed before its time."""

from functools import cached_property

from archive.mandates.edges import Edge, Edges
from archive.mandates.rules import Cut
from archive.segments.rules import Span
from archive.segments.store import Sealed
from vms_privacy.app import Assembly


class RimsAreLeft(Assembly):
    """Files that a mandate covers in part are taken for files of which nothing lies in it."""

    @cached_property
    def edges(self) -> Edges:
        return _CarelessEdges(self.keys, self.settings.spool, self.store, self.randomness, self.name_blob)


class _CarelessEdges(Edges):
    def open(self, sealed: Sealed) -> Edge:
        real = super().open(sealed)
        return _Untouched(real._sealed, real._reader, real._permit, real._index)


class _Untouched(Edge):
    def cut(self, asked: Span) -> Cut | None:
        return None
