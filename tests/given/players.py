"""Debian's ffprobe and ffmpeg as players: what they make of our output, and every complaint they have about it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.given.tools import missing

DEADLINE_S = 60


@dataclass(frozen=True)
class Shown:
    """What a player showed: the moment of each picture in seconds, each picture's size, and frames of sound."""

    times: tuple[float, ...]
    sizes: tuple[tuple[int, int], ...]
    sounds: int
    complaints: str

    @property
    def steps(self) -> set[float]:
        """The distances between pictures, in milliseconds."""
        return {round((after - before) * 1000) for before, after in zip(self.times, self.times[1:], strict=False)}


def shown(place: Path | str) -> Shown:
    """Decode every picture and every sound of a file or URL with ffprobe."""
    entries = "frame=media_type,pts_time,width,height"
    command = [_program("ffprobe"), "-v", "warning", "-show_entries", entries, "-of", "json", str(place)]
    ran = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False, text=True)
    assert ran.returncode == 0, ran.stderr
    frames: list[dict[str, Any]] = json.loads(ran.stdout).get("frames", [])
    pictures = [one for one in frames if one["media_type"] == "video"]
    return Shown(
        tuple(float(one["pts_time"]) for one in pictures),
        tuple((one["width"], one["height"]) for one in pictures),
        len(frames) - len(pictures),
        ran.stderr.strip(),
    )


def errors(url: str, seconds: float | None = None, *, uneven: bool = False) -> str:
    """Play a playlist with ffmpeg and stop at the first error; return what it says of it.

    Its warnings are left out: it has one for each change of init segment.
    """
    limit = [] if seconds is None else ["-t", f"{seconds:g}"]
    # Uneven stamps as they are: rounded to the 25 pictures a second that it guesses, two may get the same one.
    stamps = ["-fps_mode", "passthrough", "-enc_time_base", "-1"] if uneven else []
    command = [_program("ffmpeg"), "-nostdin", "-v", "error", "-xerror", "-i", url, *limit, *stamps, "-f", "null", "-"]
    ran = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False, text=True)
    return ran.stderr.strip() if ran.returncode == 0 else f"exit {ran.returncode}: {ran.stderr.strip()}"


def without_open_groups(said: str) -> str:
    """Leave out what ffmpeg mentions of an open group of pictures: its first ones refer to what was before it."""
    return "\n".join(line for line in said.splitlines() if not line.endswith("mmco: unref short failure"))


def whole_fragments(media: bytes) -> bytes:
    """Leave out what is cut off at the end of a stream that a viewer left."""
    at = end = 0
    while at + 8 <= len(media):
        size, kind = int.from_bytes(media[at : at + 4], "big"), media[at + 4 : at + 8]
        at += size
        if at > len(media):
            break
        if kind in {b"moov", b"mdat"}:
            end = at
    return media[:end]


def _program(name: str) -> str:
    return shutil.which(name) or missing(name)
