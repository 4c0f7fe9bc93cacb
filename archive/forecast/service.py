"""What all footage will come to, and the refusal to allow more than the store can hold."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from archive.errors import StoreUnavailable
from archive.forecast import store
from archive.forecast.rules import (
    Basis,
    Camera,
    Room,
    judge,
    most_recorded_us,
    needs_bytes,
    promised_bytes,
    rate_of,
)
from auth.resources.store import ResourceStore
from auth.tokens.rules import microseconds
from vms_privacy.clock import Clock
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.recording_times.room import Change, Outlook

_GIB: Final = 1 << 30


class StoreOverCommitted(Refusal):
    """The store has no room for the footage that this would come to.

    The facts: `adds_bytes`, where it is known what is sent, and `left_bytes` of the store, in whole GiB.
    """

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "store-over-committed"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Every camera there is or was, and the room in the store that was asked about, or in all of them."""

    cameras: Mapping[CameraId, Camera]
    room: Room


class Forecaster:
    """Knows what is allowed and what there is room for. Asks the stores every time: others may write on their disks.

    `capacity` is told a store and how much of ours is there, and returns what it holds of ours in all, None where it
    cannot tell; `seen` returns how many bytes a second come from a camera; `store_for` names the store that an
    operator's footage goes to now. What still lies where it went before is counted there as well.
    """

    def __init__(
        self,
        clock: Clock,
        capacity: Callable[[str, int], int | None],
        seen: Callable[[CameraId], int | None],
        stores: Sequence[str],
        store_for: Callable[[Session, OperatorId], str | None],
    ) -> None:
        self._clock = clock
        self._capacity = capacity
        self._seen = seen
        self._stores = stores
        self._store_for = store_for

    def forecast(self, session: Session, operator_id: OperatorId | None = None) -> Forecast:
        """Return what all footage will come to, and the room in this operator's store, or in all stores together.

        A store that is away does not tell how much it holds.
        """
        cameras = self._cameras(session)
        wanted = self._stores if operator_id is None else [self._store_for(session, operator_id)]
        of_owner = self._stores_of(session, cameras)
        sharing = {store: _sharing(cameras, of_owner, store) for store in wanted}
        promised = promised_bytes(cameras.values() if operator_id is None else chain(*sharing.values()))
        try:
            held = [self._held(store, some) for store, some in sharing.items()]
        except StoreUnavailable:
            return Forecast(cameras, Room(None, promised))
        known = [one for one in held if one is not None]
        return Forecast(cameras, Room(sum(known) if len(known) == len(held) else None, promised))

    def refuse_if_full(self, session: Session, changes: Mapping[CameraId, Change]) -> None:
        """Raise StoreOverCommitted where the changes add more than is left, and StoreUnavailable where it is away.

        What adds nothing asks no store and is never refused. Each store has room for its own.
        """
        cameras = self._cameras(session)
        of_owner = self._stores_of(session, cameras)
        of_store: dict[str | None, dict[CameraId, Change]] = {}
        for camera_id in changes.keys() & cameras.keys():
            of_store.setdefault(of_owner[cameras[camera_id].operator_id], {})[camera_id] = changes[camera_id]
        for name, some in of_store.items():
            self._refuse_if_store_is_full(name, _sharing(cameras, of_owner, name), _adds(_pairs(cameras, some)))

    def _refuse_if_store_is_full(self, store: str | None, sharing: Collection[Camera], adds: int | None) -> None:
        if adds is not None and adds <= 0:
            return
        too_much = judge(Room(self._held(store, sharing), promised_bytes(sharing)), adds)
        if too_much is None:
            return
        left = told_to_operators(too_much.left_bytes)
        if too_much.adds_bytes is None:
            raise StoreOverCommitted("the store has no room left for another camera's footage", left_bytes=left)
        raise StoreOverCommitted(
            f"this adds {too_much.adds_bytes} bytes of footage, and the store has room for {left} more",
            adds_bytes=too_much.adds_bytes,
            left_bytes=left,
        )

    def outlook(self, session: Session, camera_id: CameraId, change: Change) -> Outlook:
        """Return what a camera's footage will come to after a change, and whether there is room for that."""
        owner = ResourceStore().by_id(session, camera_id)
        found = self.forecast(session, None if owner is None else owner.operator_id)
        [(_, after)] = pairs = _pairs(found.cameras, {camera_id: change})
        is_known = rate_of(after).basis is not Basis.UNKNOWN
        fits = None if found.room.left_bytes is None else judge(found.room, _adds(pairs)) is None
        return Outlook(needs_bytes(after) if is_known else None, fits)

    def _cameras(self, session: Session) -> dict[CameraId, Camera]:
        return store.cameras(session, microseconds(self._clock.now()), self._seen)

    def _stores_of(self, session: Session, cameras: Mapping[CameraId, Camera]) -> dict[OperatorId, str | None]:
        """Return the store that each operator's footage goes to."""
        owners = {one.operator_id for one in cameras.values()}
        return {owner: self._store_for(session, owner) for owner in owners}

    def _held(self, store: str | None, sharing: Collection[Camera]) -> int | None:
        """Return what a store holds of ours. Without a store nothing is recorded, and there is nothing to refuse."""
        return None if store is None else self._capacity(store, sum(one.stored.size_bytes for one in sharing))


def told_to_operators(left_bytes: int) -> int:
    """Return what is left as it is told to operators: in whole GiB, so that it does not tell what the others do."""
    return max(left_bytes, 0) // _GIB * _GIB


def _sharing(
    cameras: Mapping[CameraId, Camera], of_owner: Mapping[OperatorId, str | None], store: str | None
) -> list[Camera]:
    """Return the cameras whose footage goes to a store."""
    return [one for one in cameras.values() if of_owner[one.operator_id] == store]


def _pairs(cameras: Mapping[CameraId, Camera], changes: Mapping[CameraId, Change]) -> list[tuple[Camera, Camera]]:
    """Return each camera as it is and as it would be; one that there is not is for somebody else to refuse."""
    return [(cameras[one], _changed(cameras[one], change)) for one, change in changes.items() if one in cameras]


def _changed(camera: Camera, change: Change) -> Camera:
    return replace(
        camera,
        is_recorded=camera.is_recorded or change.opts_in,
        plan=camera.plan if change.plan is None else change.plan,
        keep_us=camera.keep_us if change.keep_for is None else int(change.keep_for.total_seconds()) * 1_000_000,
    )


def _adds(pairs: list[tuple[Camera, Camera]]) -> int | None:
    """Return what changes add together; None where a camera is recorded for longer whose rate nobody knows."""
    for before, after in pairs:
        if rate_of(after).basis is Basis.UNKNOWN and _recorded_us(after) > _recorded_us(before):
            return None
    return sum(needs_bytes(after) - needs_bytes(before) for before, after in pairs)


def _recorded_us(camera: Camera) -> int:
    return most_recorded_us(camera.plan, camera.keep_us) if camera.is_recorded else 0
