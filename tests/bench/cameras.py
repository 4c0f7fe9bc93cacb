"""The cameras of a bench, in a process of their own: one film of 720p25 at 2 Mbit/s under many paths.

`python -m tests.bench.cameras COUNT AUDIO`, AUDIO being `aac` or `none`. They are not in step: each group of four
paths plays a little later than the one before.
"""

import logging
import sys
import time
from typing import Final

from streams.simulator.reel import CameraOptions
from streams.simulator.replay import Film, Replay, make_film
from streams.simulator.service import SimulatorThread
from tests.bench.children import ready, wait_for_the_end
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

FILM_S: Final = 10
KBIT_S: Final = 2000
_IN_STEP: Final = 4
_APART_S: Final = 0.137


class _Late(Replay):
    """A replay that begins a little after the one started before it."""

    def start(self) -> None:
        time.sleep(_APART_S)
        super().start()


def main() -> None:
    """Film, serve, and say where."""
    count, audio = int(sys.argv[1]), sys.argv[2]
    # A peer that is killed leaves without a word; asyncio would tell of each packet that it no longer takes.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    clock, randomness = SystemClock(), SystemRandomness()
    film: Film = make_film(
        1,
        bytes(range(1, 33)),
        CameraOptions(gop=50, kbit_s=KBIT_S, audio=None if audio == "none" else audio),
        FILM_S,
        randomness,
    )
    replays = [_Late(film, clock) for _ in range(-(-count // _IN_STEP))]
    paths = {f"cam-{number}": replays[number // _IN_STEP] for number in range(count)}
    with SimulatorThread(paths, randomness) as simulators:
        bits = sum(len(picture.data) for picture in film.pictures) * 8 / FILM_S
        ready(urls=[simulators.url(path) for path in paths], video_bit_s=bits)
        wait_for_the_end()


if __name__ == "__main__":
    main()
