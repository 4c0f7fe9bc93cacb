"""Looking for footage in clear where none may be: by the canary, and by what stands in every MP4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.media import nal

# Eight bytes or more: ciphertext of the sizes looked at here holds them by chance less than once in 2^30 searches.
_SIGNS: Final = (b"ftypiso6", b"avc1\x00\x00\x00\x00\x00\x00\x00\x01", b"\x00\x00\x00\x10mfhd")


@dataclass(frozen=True, slots=True)
class Found:
    """Something in clear: the file, below the folder that was searched, and what it was."""

    file: str
    sign: str


def search(folder: Path, canaries: Sequence[bytes]) -> tuple[int, list[Found]]:
    """Return how many bytes were looked at, and everything in clear that was found."""
    size, found = 0, []
    for path in _files(folder):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            # It was moved or destroyed since the folder was listed.
            size += 0
            continue
        size += len(data)
        found += [Found(path.relative_to(folder).as_posix(), sign) for sign in signs_in(data, canaries)]
    return size, found


def signs_in(data: bytes, canaries: Sequence[bytes]) -> list[str]:
    """Return what in these bytes is footage in clear."""
    hits = [f"canary {number}" for number, canary in enumerate(canaries) if _holds(data, canary)]
    return hits + [repr(sign) for sign in _SIGNS if sign in data]


def _holds(data: bytes, canary: bytes) -> bool:
    return canary in data or nal.escape(canary) in data


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())
