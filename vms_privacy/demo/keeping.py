"""Steps about keeping: opt-in, ciphertext, withdrawal, expiry to the second, destruction and its proof."""

import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO

from sqlalchemy import select

from archive.blobs.rules import DEFAULT_STORE, NAME_OCTETS, name_of
from archive.check.service import CheckReport
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from streams.simulator.reading import read_bar_codes
from vms_privacy.client import ApiClient
from vms_privacy.demo.ordering import place_hold
from vms_privacy.demo.rows import every_segment
from vms_privacy.demo.search import search, search_world
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.theft import Copy, open_all, take_copy
from vms_privacy.demo.viewer import ListedPiece, ask, fetch, follow, pieces_of
from vms_privacy.demo.world import World, iso
from vms_privacy.ids import SegmentId

KEEP_S = 10
RECORD_S = 4.0
LATE_PACKETS_S = 2.0
LONGER_H, SHORTER_H = 120, 48
SWEPT_WITHIN_S = 6.0
"""How long after its time the last key of a segment may go: one sweep, and what a busy machine needs for it."""


def opt_in_records(world: World) -> Detail:
    """Opt two cameras in, and see segments being written; the third, which is not, has none."""
    for camera in ("gate", "yard"):
        world.opt_in(world.north, camera)
    world.north.owner.call(
        "PUT", f"/api/v1/cameras/{world.north.cameras['yard']}/retention", {"keep_for": f"PT{KEEP_S}S"}
    )
    waited = world.until(
        lambda: _recorded_s(world, "gate") >= RECORD_S and _recorded_s(world, "yard") > 0,
        30,
        "segments are written after the opt-in",
    )
    rows = every_segment(world.parts.db)
    cameras = {str(row.camera_id) for row in rows}
    hold(world.south.cameras["dock"] not in cameras, "the camera without an opt-in has no segment")
    return {"segments": len(rows), "playable after s": round(waited, 1), "without opt-in": 0}


def disk_is_ciphertext(world: World) -> Detail:
    """Search every file, blob and row for what is in clear; show that the search finds a clear copy."""
    size, found = search_world(world)
    hold(not found, f"nothing in clear is on the disk, but: {found[:3]}")
    sealed = _sealed_sizes(world)
    hold(sum(sealed) > 100_000, "there is footage on the disk")
    control = world.folder / "control"
    control.mkdir(exist_ok=True)
    (control / "clear.mp4").write_bytes(_clear(world, "gate"))
    _, in_control = search(control, world.canaries)
    shutil.rmtree(control)
    hold(len(in_control) > 1, "the search finds a clear copy of the same pictures")
    return {"files": len(sealed), "bytes searched": size, "found": 0, "found in the clear control": len(in_control)}


def withdrawal_stops_recording(world: World) -> Detail:
    """Withdraw the opt-in; no picture that was filmed after that moment is in the archive."""
    withdrawn_at = _withdraw(world, "gate")
    time.sleep(LATE_PACKETS_S)
    last_ms = read_bar_codes(_newest_piece(world, "gate"))[-1].utc_ms
    before_ms = round(withdrawn_at.timestamp() * 1000 - last_ms)
    hold(before_ms >= 0, f"the last picture was filmed before the withdrawal, not {-before_ms} ms later")
    hold(before_ms < 3000, f"recording went on until the withdrawal, not until {before_ms} ms before it")
    return {"withdrawn at": iso(withdrawn_at), "last picture before it by ms": before_ms}


def rules_work_forward(world: World) -> Detail:
    """Lengthen, shorten and lengthen the retention of a camera with footage: only shorter reaches what is there."""
    path = f"/api/v1/cameras/{world.north.cameras['gate']}/retention"
    taken = _kept_hours(world, "gate")
    kept = []
    for hours in LONGER_H, SHORTER_H, LONGER_H:
        body = {"keep_for": f"PT{hours}H", "justification": "an inspection of the gate is announced"}
        world.north.owner.call("PUT", path, body)
        now = _kept_hours(world, "gate")
        kept.append({now[segment_id] for segment_id in taken})
    was = set(taken.values())
    hold(was and max(was) < LONGER_H, f"there is footage, kept for less: {was}")
    hold(kept[0] == was, f"longer retention leaves what was taken before as it was promised: {was}, now {kept[0]}")
    hold(kept[1] == {SHORTER_H}, f"shorter retention applies at once, to all of it: {kept[1]}")
    hold(kept[2] == {SHORTER_H}, f"what was shortened is not lengthened again: {kept[2]}")
    return {
        "segments": len(taken),
        "kept for h": sorted(was),
        "after longer, shorter, longer": [max(one) for one in kept],
    }


def expiry_to_the_second(world: World) -> Detail:
    """Ask for one piece again and again while its second of expiry passes; then see key and bytes destroyed."""
    owner, yard = world.north.owner, world.north.cameras["yard"]
    world.until(lambda: _steal(world, yard), 20, "a copy opens what is not destroyed yet")
    # A later step looks at what is held; all else goes.
    place_hold(world)
    # What is recorded until here is the last to expire.
    _withdraw(world, "yard")
    world.until(lambda: not _growing(world, yard), 10, "the last segment is closed")
    piece = _pieces(world, "yard")[-1]
    expires_at = datetime.fromisoformat(piece.captured_at) + timedelta(seconds=KEEP_S)
    watched = _watch_it_go(world, owner, piece.url, expires_at)
    # All of it is brought about before anything is said of it: later steps look at the same footage.
    waited = world.until(lambda: _all_destroyed(world, yard), 40, "everything that expired is destroyed")
    names = {*world.parts.store.names(), *(path.name for path in world.parts.settings.spool.iterdir())}
    gone = [row for row in every_segment(world.parts.db) if row.state == State.ERASED]
    with world.parts.db.reading() as session:
        late_s = [_late_s(*row) for row in session.execute(_DESTROYED)]
    world.kept["erased"] = [row.id for row in gone]
    hold(watched.status == 410, f"what has expired is answered with 410, not {watched.status}")
    hold(watched.last_seen < expires_at, f"it is not given out {watched.last_seen - expires_at} after its expiry")
    hold(expires_at <= watched.first_gone, f"it is not gone {expires_at - watched.first_gone} before its expiry")
    hold(min(late_s) >= 0, "no key is destroyed before the last picture under it has expired")
    hold(max(late_s) < SWEPT_WITHIN_S, f"each key goes within a sweep, not {max(late_s):.1f} s after its time")
    hold(not names & {row.blob_name for row in gone}, "no byte of it is in store or spool")
    return {
        "expires at": iso(expires_at),
        "last 200": iso(watched.last_seen),
        "first 410": iso(watched.first_gone),
        "cut while it was sent": watched.cut,
        "segments destroyed": len(gone),
        "latest key destroyed after its time by s": round(max(late_s), 2),
        "waited for s": round(waited, 1),
    }


def older_copy_opens_nothing(world: World) -> Detail:
    """Take the copy of database and files from before the destruction, and today's keyring, past gate and state."""
    copy: Copy = world.kept["copy"]
    opened_before: set[SegmentId] = world.kept["opened-before"]
    erased = set(world.kept["erased"])
    hold(opened_before & erased, "the copy opened what was destroyed later, when it was made")
    opened, refused = open_all(world, copy)
    hold(not opened & erased, f"nothing destroyed opens: {len(opened & erased)} do")
    hold(erased & refused, "it is the key that is gone")
    return {
        "opened when copied": len(opened_before),
        "destroyed since": len(opened_before & erased),
        "of these open now": 0,
        "of the others open now": len(opened - erased),
    }


def everything_is_accounted_for(world: World) -> Detail:
    """Check every second, row, blob and key; then hide a stranger, and see it found."""
    report = _check(world)
    hold(report.is_clean, f"check finds nothing, but: {[str(one) for one in report.findings[:3]]}")
    stranger, store = name_of(world.randomness.octets(NAME_OCTETS)), world.parts.stores[DEFAULT_STORE]
    store.put(stranger, BytesIO(b"not ours"), 8)
    found = _check(world)
    store.erase(stranger)
    hold(not found.is_clean, "a file that nobody wrote down is found")
    return {"totals": report.totals, "findings": 0, "with a stranger": len(found.findings)}


def _sealed_sizes(world: World) -> list[int]:
    """Return the size of each sealed file in spool and stores."""
    spooled = [path.stat().st_size for path in world.parts.settings.spool.iterdir()]
    return spooled + [store.size(blob) or 0 for store in world.parts.stores.values() for blob in store.names()]


def _check(world: World) -> CheckReport:
    return world.parts.checker().check()


def _recorded_s(world: World, camera: str) -> float:
    return sum(one["closed_at"] - one["opened_at"] for one in world.ranges(world.north, camera)) / 1000


def _kept_hours(world: World, camera: str) -> dict[SegmentId, float]:
    """For how long each segment of a camera is kept, as its row says."""
    rows = [row for row in every_segment(world.parts.db) if str(row.camera_id) == world.north.cameras[camera]]
    return {SegmentId(row.id): row.keep_us / 3_600_000_000 for row in rows}


def _withdraw(world: World, camera: str) -> datetime:
    path = f"/api/v1/cameras/{world.north.cameras[camera]}/opt-ins/video-recording"
    return datetime.fromisoformat(world.north.owner.call("DELETE", path)["withdrawn_at"])


def _steal(world: World, camera_id: str) -> bool:
    """Take a copy; say whether it opens something of the camera. A bucket may be re-keyed just then: take another."""
    copy = take_copy(world)
    opened, _ = open_all(world, copy)
    world.kept |= {"copy": copy, "opened-before": opened}
    return any(row.id in opened for row in every_segment(world.parts.db) if str(row.camera_id) == camera_id)


def _growing(world: World, camera_id: str) -> bool:
    rows = every_segment(world.parts.db)
    return any(row.state == State.WRITING for row in rows if str(row.camera_id) == camera_id)


def _pieces(world: World, camera: str) -> list[ListedPiece]:
    """Return what a playlist names of a camera's newest stretch."""
    owner = world.north.owner
    span = world.ranges(world.north, camera)[-1]
    start, end = span["opened_at"] // 1000, -(-span["closed_at"] // 1000)
    handle = world.token(owner, world.north.cameras[camera], "archive")
    return pieces_of(*follow(owner, f"/north/{camera}/archive-{start}-{end - start}.m3u8?token={handle}"))


def _clear(world: World, camera: str) -> bytes:
    owner, pieces = world.north.owner, _pieces(world, camera)
    return fetch(owner, pieces[0].init_url) + b"".join(fetch(owner, one.url) for one in pieces)


def _newest_piece(world: World, camera: str) -> bytes:
    owner, piece = world.north.owner, _pieces(world, camera)[-1]
    return fetch(owner, piece.init_url) + fetch(owner, piece.url)


@dataclass(frozen=True, slots=True)
class _Watched:
    """The last moment before which a piece was given out, the first at which it was not, and with what answer.

    `cut` counts answers that were broken off, because it expired while it was being sent.
    """

    last_seen: datetime
    first_gone: datetime
    status: int
    cut: int


def _watch_it_go(world: World, owner: ApiClient, url: str, expires_at: datetime) -> _Watched:
    """Ask until the answer is another than 200, or two seconds after the expiry."""
    last_seen = world.clock.now()
    cut = 0
    while True:
        before = world.clock.now()
        try:
            status = ask(owner, url).status
        except ConnectionError:
            cut += 1
            continue
        if status != 200 or before > expires_at + timedelta(seconds=2):
            return _Watched(last_seen, world.clock.now(), status, cut)
        last_seen = before
        time.sleep(0.02)


_DESTROYED = select(SegmentRow.destroy_from_us, SegmentRow.key_destroyed_at).where(SegmentRow.state == State.ERASED)


def _late_s(destroy_from_us: int | None, key_destroyed_at: datetime | None) -> float:
    assert destroy_from_us is not None
    assert key_destroyed_at is not None
    return key_destroyed_at.timestamp() - destroy_from_us / 1_000_000


def _all_destroyed(world: World, camera_id: str) -> bool:
    rows = [row for row in every_segment(world.parts.db) if str(row.camera_id) == camera_id]
    return bool(rows) and all(row.state == State.ERASED for row in rows if row.id != world.kept["held"])
