"""Fragments of real streams, and what Debian's ffprobe and ffmpeg make of a file."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from streams.media.fmp4 import Fragmenter
from streams.media.packets import Epoch, Fragment, Packet, Track


def fragments_of(epoch: Epoch, packets: Iterable[Packet], fragmenter: Fragmenter | None = None) -> list[Fragment]:
    """Everything one epoch becomes."""
    maker = fragmenter or Fragmenter()
    maker.begin(epoch)
    made = [fragment for packet in packets for fragment in maker.add(packet)]
    return made + maker.flush()


def stamps(packets: Iterable[Packet], track: Track = Track.VIDEO) -> list[tuple[int, int]]:
    return [(packet.dts, packet.pts) for packet in packets if packet.track is track]


def probed(file: Path) -> dict[str, list[tuple[int, int]]]:
    """(dts, pts) of every packet by kind of track, as ffprobe reads them; a warning is a failure."""
    command = ["ffprobe", "-v", "warning", "-show_entries", "packet=codec_type,pts,dts", "-of", "json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == "", done.stderr
    found: dict[str, list[tuple[int, int]]] = {"video": [], "audio": []}
    for packet in json.loads(done.stdout)["packets"]:
        found[packet["codec_type"]].append((packet["dts"], packet["pts"]))
    return found


def decoded(file: Path) -> list[tuple[int, int]]:
    """(width, height) of every picture that ffmpeg decodes; a warning is a failure."""
    command = ["ffprobe", "-v", "warning", "-show_entries", "frame=width,height", "-select_streams", "v"]
    done = subprocess.run([*command, "-of", "json", str(file)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "", done.stderr
    whole = subprocess.run(
        ["ffmpeg", "-v", "warning", "-i", str(file), "-f", "null", "-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert whole.stderr == "", whole.stderr
    return [(frame["width"], frame["height"]) for frame in json.loads(done.stdout)["frames"]]
