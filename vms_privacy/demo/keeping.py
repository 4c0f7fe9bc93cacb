"""Steps about keeping: opt-in, ciphertext, withdrawal, expiry to the second, destruction and its proof."""

import base64
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from archive.blobs.folder_store import FolderStore
from archive.check.service import CheckReport
from archive.keys.rules import DecryptPermit, Reason
from archive.keys.wrap import SegmentKeys
from archive.playback.service import Footage, Look
from archive.receipts.rules import Valid
from archive.receipts.service import verify
from archive.segments import store as segments
from archive.segments.rules import Span, State
from archive.segments.tables import SegmentRow
from streams.simulator.reading import read_bar_codes
from vms_privacy.client import ApiClient
from vms_privacy.db import Database
from vms_privacy.demo.search import search
from vms_privacy.demo.story import Detail, hold
from vms_privacy.demo.viewer import ask, fetch, follow, pieces_of
from vms_privacy.demo.world import World, iso
from vms_privacy.errors import Refusal
from vms_privacy.ids import SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed, PublicKey

KEEP_S = 10
RECORD_S = 4.0
LATE_PACKETS_S = 2.0
SWEPT_WITHIN_S = 4.0
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
    with world.parts.db.reading() as session:
        rows = list(segments.every(session))
    cameras = {str(row.camera_id) for row in rows}
    hold(world.south.cameras["dock"] not in cameras, "the camera without an opt-in has no segment")
    return {"segments": len(rows), "playable after s": round(waited, 1), "without opt-in": 0}


def disk_is_ciphertext(world: World) -> Detail:
    """Search every file for the canaries and for what stands in every MP4; show that the search finds what is clear."""
    size, found = search(world.data_dir, world.canaries)
    hold(not found, f"nothing in clear is on the disk, but: {found[:3]}")
    sealed = [
        path for folder in ("spool", "archive") for path in (world.data_dir / folder).rglob("*") if path.is_file()
    ]
    hold(sum(path.stat().st_size for path in sealed) > 100_000, "there is footage on the disk")
    control = world.folder / "control"
    control.mkdir(exist_ok=True)
    (control / "clear.mp4").write_bytes(_clear(world, "gate"))
    _, in_control = search(control, world.canaries)
    shutil.rmtree(control)
    hold(len(in_control) > 1, "the search finds a clear copy of the same pictures")
    return {"files": len(sealed), "bytes searched": size, "found": 0, "found in the clear control": len(in_control)}


def withdrawal_stops_recording(world: World) -> Detail:
    """Withdraw both opt-ins; no picture that was filmed after that moment is in the archive."""
    moments = {}
    for camera in ("gate", "yard"):
        path = f"/api/v1/cameras/{world.north.cameras[camera]}/opt-ins/video-recording"
        moments[camera] = datetime.fromisoformat(world.north.owner.call("DELETE", path)["withdrawn_at"])
    time.sleep(LATE_PACKETS_S)
    before = {}
    for camera, withdrawn_at in moments.items():
        last_ms = read_bar_codes(_clear(world, camera))[-1].utc_ms
        before[camera] = round(withdrawn_at.timestamp() * 1000 - last_ms)
    for camera, margin_ms in before.items():
        hold(
            margin_ms >= 0, f"the last picture of {camera} was filmed before the withdrawal, not {-margin_ms} ms later"
        )
        hold(margin_ms < 3000, f"recording of {camera} went on until the withdrawal")
    return {
        "withdrawn at": [iso(moment) for moment in moments.values()],
        "last pictures before it by ms": list(before.values()),
    }


def expiry_to_the_second(world: World) -> Detail:
    """Ask for one piece again and again while its second of expiry passes; then see key and bytes destroyed."""
    owner, yard = world.north.owner, world.north.cameras["yard"]
    world.kept["copy"] = _copy(world)
    handle = world.token(owner, yard, "archive")
    span = world.ranges(world.north, "yard")[-1]
    start, end = span["opened_at"] // 1000, -(-span["closed_at"] // 1000)
    piece = pieces_of(*follow(owner, f"/north/yard/archive-{start}-{end - start}.m3u8?token={handle}"))[-1]
    expires_at = datetime.fromisoformat(piece.captured_at) + timedelta(seconds=KEEP_S)
    last_seen, first_gone, status = _watch_it_go(world, owner, piece.url, expires_at)
    # All of it is brought about before anything is said of it: later steps look at the same footage.
    waited = world.until(lambda: _all_destroyed(world, yard), 40, "everything that expired is destroyed")
    names = {*world.parts.store.names(), *(path.name for path in (world.data_dir / "spool").iterdir())}
    with world.parts.db.reading() as session:
        gone = [row for row in segments.every(session) if row.state is State.ERASED]
        late_s = [_late_s(*row) for row in session.execute(_DESTROYED)]
    world.kept["erased"] = [row.id for row in gone]
    hold(status == 410, f"what has expired is answered with 410, not {status}")
    hold(last_seen < expires_at <= first_gone, "it is readable before its second of expiry, and not in it")
    hold(min(late_s) >= 0, "no key is destroyed before the last picture under it has expired")
    hold(max(late_s) < SWEPT_WITHIN_S, f"each key goes within a sweep, not {max(late_s):.1f} s after its time")
    hold(not names & {row.blob_name for row in gone}, "no byte of it is in store or spool")
    return {
        "expires at": iso(expires_at),
        "last 200": iso(last_seen),
        "first 410": iso(first_gone),
        "segments destroyed": len(gone),
        "latest key destroyed after its time by s": round(max(late_s), 2),
        "waited for s": round(waited, 1),
    }


def receipt_verifies(world: World) -> Detail:
    """Have a receipt signed, verify it with nothing but the public keys, and change each of its bytes."""
    owner, operator = world.north.owner, world.north.operator_id
    made = owner.call("POST", f"/api/v1/operators/{operator}/receipts")
    document = ask(owner, f"{world.url}/api/v1/operators/{operator}/receipts/{made['id']}/document").body
    keys = [
        PublicKey(one["kid"], _unpadded(one["public_key"])) for one in owner.call("GET", "/api/v1/receipt-keys")["keys"]
    ]
    verdict = verify(document, keys)
    hold(isinstance(verdict, Valid), f"the receipt is valid: {verdict}")
    told = {leaf["segment_id"] for leaf in verdict.leaves} if isinstance(verdict, Valid) else set()
    hold({str(one) for one in world.kept["erased"]} <= told, "it tells of every destroyed segment")
    accepted = [at for at in range(len(document)) if isinstance(verify(_changed(document, at), keys), Valid)]
    hold(not accepted, f"no changed byte is accepted, but {accepted[:5]}")
    path = world.folder / "receipt.txt"
    path.write_bytes(document)
    return {"receipt": str(path), "leaves": len(told), "bytes changed one by one": len(document), "accepted": 0}


def older_copy_opens_nothing(world: World) -> Detail:
    """Take the copy of database and files from before the destruction, and today's keyring, past gate and state."""
    copy: Path = world.kept["copy"]
    opened_before: set[SegmentId] = world.kept["opened-before"]
    erased = set(world.kept["erased"])
    hold(opened_before & erased, "the copy opened what was destroyed later, when it was made")
    opened, refused = _open_all(world, copy)
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
    world.until(lambda: _check(world).is_clean, 10, "check is clean")
    report = _check(world)
    hold(report.is_clean, f"nothing is found: {report.findings[:3]}")
    stranger = world.data_dir / "archive" / "zz"
    stranger.mkdir(mode=0o700, exist_ok=True)
    (stranger / ("z" * 22)).write_bytes(b"not ours")
    found = _check(world)
    (stranger / ("z" * 22)).unlink()
    hold(not found.is_clean, "a file that nobody wrote down is found")
    return {"totals": report.totals, "findings": 0, "with a stranger": len(found.findings)}


def _check(world: World) -> CheckReport:
    return world.parts.checker(is_service=True).check()


def _recorded_s(world: World, camera: str) -> float:
    return sum(one["closed_at"] - one["opened_at"] for one in world.ranges(world.north, camera)) / 1000


def _clear(world: World, camera: str) -> bytes:
    owner = world.north.owner
    span = world.ranges(world.north, camera)[-1]
    start, end = span["opened_at"] // 1000, -(-span["closed_at"] // 1000)
    handle = world.token(owner, world.north.cameras[camera], "archive")
    pieces = pieces_of(*follow(owner, f"/north/{camera}/archive-{start}-{end - start}.m3u8?token={handle}"))
    return fetch(owner, pieces[0].init_url) + b"".join(fetch(owner, one.url) for one in pieces)


def _watch_it_go(world: World, owner: ApiClient, url: str, expires_at: datetime) -> tuple[datetime, datetime, int]:
    """Return the last moment before which the piece was given out, the first at which it was not, and that answer.

    Gives up two seconds after the expiry.
    """
    last_seen = world.clock.now()
    while True:
        before = world.clock.now()
        status = _status_of(world, owner, url, expires_at)
        if status != 200 or before > expires_at + timedelta(seconds=2):
            return last_seen, world.clock.now(), status
        last_seen = before
        time.sleep(0.02)


def _status_of(world: World, owner: ApiClient, url: str, expires_at: datetime) -> int:
    """Return the answer's status; a piece whose expiry came while it was being sent is cut, and asked for again."""
    try:
        return ask(owner, url).status
    except ConnectionError as error:
        hold(world.clock.now() >= expires_at, f"nothing is cut before its expiry ({type(error).__name__})")
        return ask(owner, url).status


_DESTROYED = select(SegmentRow.destroy_from_us, SegmentRow.key_destroyed_at).where(SegmentRow.state == State.ERASED)


def _late_s(destroy_from_us: int | None, key_destroyed_at: datetime | None) -> float:
    assert destroy_from_us is not None
    assert key_destroyed_at is not None
    return key_destroyed_at.timestamp() - destroy_from_us / 1_000_000


def _all_destroyed(world: World, camera_id: str) -> bool:
    with world.parts.db.reading() as session:
        rows = [row for row in segments.every(session) if str(row.camera_id) == camera_id]
    return bool(rows) and all(row.state is State.ERASED for row in rows)


def _copy(world: World) -> Path:
    """Copy database, store and spool as a thief does, and see which segments the copy opens with today's keyring."""
    to = world.folder / "older-copy"
    to.mkdir()
    source = sqlite3.connect(world.data_dir / "vms-privacy.db")
    with closing(source), closing(sqlite3.connect(to / "old.db")) as target:
        source.backup(target)
    for folder in ("archive", "spool"):
        shutil.copytree(world.data_dir / folder, to / folder)
    world.kept["opened-before"], _ = _open_all(world, to)
    return to


def _open_all(world: World, copy: Path) -> tuple[set[SegmentId], set[SegmentId]]:
    """Return what of a copy opens with today's keyring, and what does not because its key is destroyed."""
    old = Database(f"sqlite:///{copy / 'old.db'}")
    keys = SegmentKeys(world.parts.keyring, world.randomness, world.clock)
    opened, refused = set(), set()
    try:
        with old.reading() as session:
            rows = [row for row in segments.every(session) if row.state is State.STORED]
        stolen = Footage(old, _Early(), keys, copy / "spool", FolderStore(copy / "archive"), lambda _: None)
        for row in rows:
            permit = DecryptPermit(Reason.LOOK, "thief", "theft", row.operator_id, row.camera_id)
            look = Look(row.camera_id, Span(0, 2**60), None, permit)
            try:
                sealed, index = stolen.segment(look, row.id)
                stolen.read(look, sealed, index, range(len(index.entries)))
                opened.add(row.id)
            except KeyIsDestroyed:
                refused.add(row.id)
            except Refusal as refusal:
                hold(condition=False, what=f"a copied segment opens or its key is destroyed, but: {refusal.code}")
    finally:
        old.close()
    return opened, refused


class _Early:
    """A thief's clock: it stands so early that nothing has expired."""

    def now(self) -> datetime:
        return datetime(1971, 1, 1, tzinfo=UTC)

    def for_reading(self) -> datetime:
        return self.now()

    def for_destroying(self) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return 0.0


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _changed(document: bytes, at: int) -> bytes:
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
