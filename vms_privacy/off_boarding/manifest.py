"""What a manifest says, as exact bytes, and how a stranger checks it. Format: docs/formats/manifest-v1.md.

Plain Python: the signature itself is checked by a function that is handed in. Lines are read one at a time: a manifest
of a million segments takes no more memory than one of ten.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final
from uuid import UUID

from archive.receipts import lines
from archive.receipts.key_history import KeyHistory, KnownKey, trusted
from archive.receipts.lines import (
    Invalid,
    Label,
    Verify,
    an_object,
    b64,
    canonical,
    has_form,
    is_moment,
    is_root,
    is_text,
    is_whole,
    iso,
    not_canonical,
)
from vms_privacy.ids import CameraId, SegmentId

LONGEST_LINE: Final = 64 * 1024
LABEL: Final = Label(b"vms-privacy manifest v1\n", "a manifest", "not-a-manifest", "manifest", 3 * LONGEST_LINE)
"""Its largest size is that of the first three lines; how many follow is signed."""
DOES_NOT_SAY: Final = (
    "what expired since it was listed: that is destroyed as usual, and is in receipts",
    "that what is in a file can be decoded: the hash is of the sealed file, as it lies in the store",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One segment. `sha256`: of the sealed file, all of it; without one, `flaw` says why. `is_kept`: by an order."""

    camera_id: CameraId
    segment_id: SegmentId
    starts_us: int
    ends_us: int
    size_bytes: int
    sha256: bytes | None
    flaw: str
    is_kept: bool

    @property
    def place(self) -> tuple[CameraId, int, SegmentId]:
        """Where it stands in the manifest: by camera, time and id."""
        return self.camera_id, self.starts_us, self.segment_id

    def octets(self) -> bytes:
        """Return the one encoding of this line."""
        return canonical(
            {
                "camera_id": str(self.camera_id),
                "segment_id": str(self.segment_id),
                "captured_from": _iso_us(self.starts_us),
                "captured_until": _iso_us(self.ends_us),
                "size_bytes": self.size_bytes,
                "sha256": None if self.sha256 is None else b64(self.sha256),
                "flaw": self.flaw,
                "kept_by_order": self.is_kept,
            }
        )


@dataclass(frozen=True, slots=True)
class Head:
    """What is signed: everything but the lines, which `lines_sha256` binds."""

    manifest_id: str
    off_boarding_id: str
    installation_id: str
    operator_id: str
    asked_by: str
    begun_at: str
    listed_from: str
    signed_at: str
    segments: int
    size_bytes: int
    cameras: int
    unreadable: int
    kept_by_orders: int
    destroyed_since_begun: int
    lines_sha256: str

    def octets(self) -> bytes:
        """Return the one encoding of this head."""
        body: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return canonical(body | {"does_not_say": list(DOES_NOT_SAY)})


@dataclass(frozen=True, slots=True)
class ValidManifest:
    """The manifest holds, every byte of it. `digest`: what it is confirmed by."""

    body: Mapping[str, Any]
    digest: str
    key: KnownKey


def _is_hash_or_none(value: object) -> bool:
    return value is None or is_root(value)


def _is_sentences(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_COUNTS: Final = ("segments", "size_bytes", "cameras", "unreadable", "kept_by_orders")
_HEAD: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("manifest_id", "off_boarding_id", "installation_id", "operator_id", "asked_by"), is_text),
    **dict.fromkeys(("begun_at", "listed_from", "signed_at"), is_moment),
    **dict.fromkeys((*_COUNTS, "destroyed_since_begun"), is_whole),
    "lines_sha256": is_root,
    "does_not_say": _is_sentences,
}
_LINE: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("camera_id", "segment_id", "flaw"), is_text),
    **dict.fromkeys(("captured_from", "captured_until"), is_moment),
    "size_bytes": is_whole,
    "sha256": _is_hash_or_none,
    "kept_by_order": lambda value: isinstance(value, bool),
}


def signed_part(head: bytes) -> bytes:
    """Return exactly the bytes under the signature."""
    return lines.signed_part(LABEL, head)


def digest_of(head: bytes) -> str:
    """Return the SHA-256 of what is signed, in hexadecimal: `head -n 2 FILE | sha256sum` tells the same."""
    return hashlib.sha256(signed_part(head)).hexdigest()


def write_head(head: bytes, kid: str, signature: bytes) -> bytes:
    """Return the first three lines."""
    return lines.write(LABEL, head, kid, signature)


def lines_hash(entries: Iterable[Entry]) -> str:
    """Return the hash over all lines, each with its end, in base64."""
    summed = hashlib.sha256()
    for one in entries:
        summed.update(one.octets() + b"\n")
    return b64(summed.digest())


def check(file: BinaryIO, history: KeyHistory, verify: Verify) -> ValidManifest | Invalid:
    """Verify a manifest against an installation's key history: every byte of it counts."""
    first = [file.readline(LONGEST_LINE + 1) for _ in range(_HEAD_LINES)]
    read = lines.read(LABEL, b"".join(first))
    if isinstance(read, Invalid):
        return read
    if read.rest or not has_form(read.body, _HEAD):
        return not_canonical(LABEL, "the head has not exactly the fields of a manifest")
    key = trusted(LABEL, read, history, verify)
    if isinstance(key, Invalid):
        return key
    found = _added_up(file)
    if isinstance(found, Invalid):
        return found
    summed, counts = found
    if b64(summed) != read.body["lines_sha256"] or any(counts[name] != read.body[name] for name in _COUNTS):
        return Invalid("manifest-lines", "the lines are not those that were signed")
    return ValidManifest(read.body, hashlib.sha256(read.signed).hexdigest(), key)


def _added_up(file: BinaryIO) -> tuple[bytes, dict[str, int]] | Invalid:
    """Read all lines, one at a time; return their hash and what they come to."""
    summed, counts = hashlib.sha256(), dict.fromkeys(_COUNTS, 0)
    before: tuple[UUID, str, UUID] | None = None
    for line in _each(file):
        told = None if line is None else an_object(line)
        place = None if told is None or not has_form(told, _LINE) else _place(told)
        if line is None or told is None or place is None or (told["sha256"] is None) != bool(told["flaw"]):
            return not_canonical(LABEL, "a line is not in its one form")
        if before is not None and place <= before:
            return not_canonical(LABEL, "the lines are not in order, or one is there twice")
        summed.update(line + b"\n")
        counts["segments"] += 1
        counts["size_bytes"] += told["size_bytes"]
        counts["cameras"] += before is None or before[0] != place[0]
        counts["unreadable"] += bool(told["flaw"])
        counts["kept_by_orders"] += told["kept_by_order"]
        before = place
    return summed.digest(), counts


def _each(file: BinaryIO) -> Iterator[bytes | None]:
    """Go through the lines without their ends; None for one that has none, or is too long."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line[:-1] if line.endswith(b"\n") else None


def _place(told: Mapping[str, Any]) -> tuple[UUID, str, UUID] | None:
    """Return where a line stands. Moments of this form are in order as text is."""
    try:
        camera, segment = UUID(told["camera_id"]), UUID(told["segment_id"])
    except ValueError:
        return None
    is_plain = (str(camera), str(segment)) == (told["camera_id"], told["segment_id"])
    return (camera, told["captured_from"], segment) if is_plain else None


def _iso_us(us: int) -> str:
    return iso(_EPOCH + timedelta(microseconds=us))
