"""`make bench`: everything, or the benches that are named; `--json` for programs.

Ends with 1 if a limit is missed, so that nobody has to read the table to know.
"""

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from tests.bench.buckets import measure as measure_buckets
from tests.bench.check import measure as measure_check
from tests.bench.dry_run import measure as measure_dry_run
from tests.bench.erase import measure as measure_erase
from tests.bench.keys import measure as measure_keys
from tests.bench.memory import measure as measure_memory
from tests.bench.outcome import Bench, Effort, Line, document, table
from tests.bench.record import measure as measure_record
from tests.bench.sealing import measure as measure_sealing
from tests.bench.seek import measure as measure_seek
from tests.bench.tokens import measure as measure_tokens

BENCHES: Final[Mapping[str, Bench]] = {
    "record": measure_record,
    "memory": measure_memory,
    "sealing": measure_sealing,
    "tokens": measure_tokens,
    "seek": measure_seek,
    "buckets": measure_buckets,
    "keys": measure_keys,
    "erase": measure_erase,
    "check": measure_check,
    "dry-run": measure_dry_run,
}
LONG_S: Final = 600.0


def main() -> int:
    """Measure and tell; return the exit code."""
    wanted = _arguments()
    effort = Effort(wanted.seconds, wanted.rounds, LONG_S if wanted.long else wanted.flat_seconds, wanted.cameras)
    found: dict[str, Sequence[Line]] = {}
    for name in wanted.names or BENCHES:
        lines = found[name] = list(BENCHES[name](effort))
        if not wanted.json:
            sys.stdout.write(f"\n{name}\n{table(lines)}\n")
            sys.stdout.flush()
    if wanted.json:
        sys.stdout.write(f"{document(found, _machine())}\n")
    else:
        sys.stdout.write(f"\n{_machine()}\n")
    return int(any(line.holds is False for lines in found.values() for line in lines))


def _arguments() -> argparse.Namespace:
    defaults = Effort()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure against named peers.")
    parser.add_argument("names", nargs="*", help=", ".join(BENCHES))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--seconds", type=float, default=defaults.seconds, help="one measured stretch")
    parser.add_argument("--rounds", type=int, default=defaults.rounds, help="how often; medians are told")
    parser.add_argument("--cameras", type=int, default=defaults.cameras)
    parser.add_argument("--flat-seconds", type=float, default=defaults.long_s, help="how long memory must stay flat")
    parser.add_argument("--long", action="store_true", help=f"the same over {LONG_S:g} seconds")
    wanted = parser.parse_args()
    unknown = [name for name in wanted.names if name not in BENCHES]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}")
    return wanted


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, load {load:.1f} at the end"


if __name__ == "__main__":
    sys.exit(main())
