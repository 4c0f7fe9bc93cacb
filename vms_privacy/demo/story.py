"""Steps in order, each timed, each with evidence that another program can check again."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vms_privacy.clock import Clock


class DoesNotHold(Exception):
    """A step's promise does not hold. The text says what was expected and what was found."""


Detail = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One promise shown: a stable name, a sentence, and what shows it."""

    name: str
    says: str
    show: Callable[[], Detail]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one step."""

    name: str
    ok: bool
    seconds: float
    detail: Detail


def tell(steps: Sequence[Step], clock: Clock, say: Callable[[str], None]) -> list[Told]:
    """Go through the steps; one that fails does not keep the others from being shown.

    A failure of any kind is the step's: a story with a broken part names the step in which it shows.
    """
    told = []
    for number, step in enumerate(steps, 1):
        began = clock.monotonic()
        try:
            detail, ok = dict(step.show()), True
        except DoesNotHold as failure:
            detail, ok = {"failure": str(failure)}, False
        except Exception as error:  # noqa: BLE001 - whatever broke, it broke in this step
            detail, ok = {"failure": f"{type(error).__name__}: {error}"}, False
        seconds = round(clock.monotonic() - began, 3)
        told.append(Told(step.name, ok, seconds, detail))
        say(line(number, len(steps), step, told[-1]))
    return told


def line(number: int, count: int, step: Step, told: Told) -> str:
    """Return the one line that tells a step."""
    measured = " · ".join(f"{key} {_short(value)}" for key, value in told.detail.items())
    return f"{'✓' if told.ok else '✗'} {number:2}/{count}  {step.says}  [{told.seconds:.1f} s]\n          {measured}"


def document(told: Sequence[Told]) -> str:
    """Return the one JSON document of a story."""
    steps = [{"name": one.name, "ok": one.ok, "seconds": one.seconds, "detail": dict(one.detail)} for one in told]
    return json.dumps({"steps": steps, "ok": all(one.ok for one in told)}, indent=2, default=str)


def hold(condition: object, what: str) -> None:
    """Go on if the condition is true. Raises DoesNotHold."""
    if not condition:
        raise DoesNotHold(what)


def _short(value: object) -> str:
    text = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= 70 else text[:67] + "…"
