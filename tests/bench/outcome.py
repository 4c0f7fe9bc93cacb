"""What a bench says: lines of ours against a named peer, each with its limit, and whether it holds."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a bench may spend. `seconds` is one measured stretch; `long_s` is for what must stay flat."""

    seconds: float = 8.0
    rounds: int = 3
    long_s: float = 40.0
    cameras: int = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement. Without a limit it is told and not judged: `holds` is None."""

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    limit: str = ""
    holds: bool | None = None


Bench = Callable[[Effort], Iterable[Line]]
_HEADS: Final = ("what", "ours", "peer", "ratio", "limit", "holds")


def told(what: str, ours: str, peer: str = "", ratio: float | None = None) -> Line:
    """Return a line without a limit."""
    return Line(what, ours, peer, ratio)


def at_most(what: str, ours: str, peer: str, ratio: float, limit: float) -> Line:
    """Return a line whose ratio must not be over the limit."""
    return Line(what, ours, peer, ratio, f"≤ {limit:g} ×", ratio <= limit)


def at_least(what: str, ours: str, peer: str, ratio: float, limit: float) -> Line:
    """Return a line whose ratio must not be under the limit."""
    return Line(what, ours, peer, ratio, f"≥ {limit:g} ×", ratio >= limit)


def within(what: str, value: float, limit: float, unit: str, peer: str = "") -> Line:
    """Return a line whose value must not be over a limit of its own unit."""
    return Line(what, f"{value:.1f} {unit}", peer, None, f"≤ {limit:g} {unit}", value <= limit)


def table(lines: Sequence[Line]) -> str:
    """Return the lines for people, columns under each other."""
    rows = [_HEADS, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def document(by_bench: dict[str, Sequence[Line]], machine: str) -> str:
    """Return everything for programs, as JSON."""
    benches = {name: [asdict(line) for line in lines] for name, lines in by_bench.items()}
    return json.dumps({"machine": machine, "benches": benches}, indent=1, ensure_ascii=False)


def _row(line: Line) -> tuple[str, ...]:
    ratio = "" if line.ratio is None else f"{line.ratio:.3f}"
    holds = {None: "", True: "yes", False: "NO"}[line.holds]
    return line.what, line.ours, line.peer, ratio, line.limit, holds
