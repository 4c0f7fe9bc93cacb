"""Steps about keeping: opt-in, ciphertext, withdrawal, expiry to the second, destruction and its proof."""

import base64
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from archive.blobs.folder_store import FolderStore
from archive.check import check
from archive.keys.rules import DecryptPermit, Reason
from archive.keys.wrap import SegmentKeys
from archive.playback.service import Footage, Look
from archive.receipts.rules import Valid
from archive.receipts.service import verify
from archive.segments import store as segments
from archive.segments.rules import Span, State
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
RECORD_S = 6.0


def opt_in_records(world: World) -> Detail:
    """Opt two cameras in, and see segments being written; the third, which is not, has none."""
    for camera in ("gate", "yard"):
        world.opt_in(world.north, camera)
    world.north.owner.call(
        "PUT", f"/api/v1/cameras/{world.north.cameras['yard']}/retention", {"keep_for": f"PT{KEEP_S}S"}
    )
    waited = world.until(
        lambda: _recorded_s(world, "gate") >= RECORD_S and _recorded_s(world, "yard") >= RECORD_S / 2,
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
    """Withdraw the opt-in; no picture that was filmed after that moment is in the archive."""
    path = f"/api/v1/cameras/{world.north.cameras['gate']}/opt-ins/video-recording"
    withdrawn_at = datetime.fromisoformat(world.north.owner.call("DELETE", path)["withdrawn_at"])
    time.sleep(3)
    codes = read_bar_codes(_clear(world, "gate"))
    last_ms, withdrawn_ms = codes[-1].utc_ms, withdrawn_at.timestamp() * 1000
    hold(
        last_ms <= withdrawn_ms, f"the last picture was filmed before the withdrawal ({last_ms - withdrawn_ms:.0f} ms)"
    )
    hold(withdrawn_ms - last_ms < 3000, "recording went on until the withdrawal")
    return {"withdrawn at": iso(withdrawn_at), "last picture before it by ms": round(withdrawn_ms - last_ms)}


def expiry_to_the_second(world: World) -> Detail:
    """Ask for one piece again and again while its second of expiry passes; then see key and bytes destroyed."""
    owner, yard = world.north.owner, world.north.cameras["yard"]
    world.kept["copy"] = _copy(world)
    handle = world.token(owner, yard, "archive")
    span = world.ranges(world.north, "yard")[-1]
    start, end = span["opened_at"] // 1000, span["closed_at"] // 1000
    pieces = pieces_of(*follow(owner, f"/north/yard/archive-{start}-{max(1, end - start)}.m3u8?token={handle}"))
    piece = pieces[-1]
    expires_at = datetime.fromisoformat(piece.captured_at) + timedelta(seconds=KEEP_S)
    fetch(owner, piece.url)
    last_seen, first_gone = _watch_it_go(world, owner, piece.url, expires_at)
    hold(last_seen < expires_at <= first_gone, "readable before its second of expiry, and not in it")
    with world.parts.db.reading() as session:
        doomed = {row.id for row in segments.every(session) if str(row.camera_id) == yard}
    world.until(lambda: _destroyed(world, doomed) > 0, 20, "the sweep destroys what has expired")
    world.north.owner.call("DELETE", f"/api/v1/cameras/{yard}/opt-ins/video-recording")
    destroyed_after = world.until(lambda: _all_destroyed(world, yard), 40, "everything that expired is destroyed")
    names = set(world.parts.store.names())
    with world.parts.db.reading() as session:
        gone = [row for row in segments.every(session) if row.state is State.ERASED]
    hold(not names & {row.blob_name for row in gone}, "no byte of it is in the store")
    world.kept["erased"] = [row.id for row in gone]
    return {
        "expires at": iso(expires_at),
        "last 200": iso(last_seen),
        "first 410": iso(first_gone),
        "segments destroyed": len(gone),
        "last destroyed after s": round(destroyed_after, 1),
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
    parts = world.parts
    world.until(lambda: _check(world).is_clean, 10, "check is clean")
    report = _check(world)
    stranger = world.data_dir / "archive" / "zz"
    stranger.mkdir(mode=0o700, exist_ok=True)
    (stranger / ("z" * 22)).write_bytes(b"not ours")
    found = _check(world)
    (stranger / ("z" * 22)).unlink()
    hold(not found.is_clean, "a file that nobody wrote down is found")
    del parts
    return {"totals": report.totals, "findings": 0, "with a stranger": len(found.findings)}


def _check(world: World) -> object:
    return check(world.parts)


def _recorded_s(world: World, camera: str) -> float:
    return sum(one["closed_at"] - one["opened_at"] for one in world.ranges(world.north, camera)) / 1000


def _clear(world: World, camera: str) -> bytes:
    owner = world.north.owner
    span = world.ranges(world.north, camera)[-1]
    start, end = span["opened_at"] // 1000, -(-span["closed_at"] // 1000)
    handle = world.token(owner, world.north.cameras[camera], "archive")
    pieces = pieces_of(*follow(owner, f"/north/{camera}/archive-{start}-{end - start}.m3u8?token={handle}"))
    return fetch(owner, pieces[0].init_url) + b"".join(fetch(owner, one.url) for one in pieces)


def _watch_it_go(world: World, owner: ApiClient, url: str, expires_at: datetime) -> tuple[datetime, datetime]:
    """Return the last moment before which the piece was given out, and the first at which it was refused."""
    last_seen = world.clock.now()
    while True:
        before = world.clock.now()
        answer = ask(owner, url)
        if answer.status == 410:
            return last_seen, world.clock.now()
        hold(answer.status == 200, f"until it is gone it is there, but: {answer.status}")
        last_seen = before
        hold(before < expires_at + timedelta(seconds=1), "it is gone a second after its expiry")
        time.sleep(0.02)


def _destroyed(world: World, among: set[SegmentId]) -> int:
    with world.parts.db.reading() as session:
        return sum(row.state is State.ERASED for row in segments.every(session) if row.id in among)


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
