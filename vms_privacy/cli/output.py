"""How commands speak: one document or lines for people on standard output; refusals with a code and what to do next.

Promise: with `--json` standard output holds exactly one JSON document, whether the command succeeds or is refused; a
refusal is a problem document (RFC 9457). Without it, a refusal stands on standard error and standard output is empty.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from vms_privacy.cli.advice import advice_on
from vms_privacy.errors import Kind

UNFORESEEN: Final = 1
FOUND_WRONG: Final = 6
NOT_READY: Final = 7
STOPPED: Final = 130
EXIT_OF: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.INVALID: 2,
        Kind.UNAUTHENTICATED: 3,
        Kind.FORBIDDEN: 3,
        Kind.NOT_FOUND: 4,
        Kind.GONE: 4,
        Kind.CONFLICT: 5,
        Kind.LOCKED: 5,
        Kind.DAMAGED: FOUND_WRONG,
        Kind.UNAVAILABLE: NOT_READY,
        Kind.TOO_LARGE: 2,
        Kind.TOO_MANY: NOT_READY,
    }
)
MEANINGS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "Done; where something was checked, it is well.",
        UNFORESEEN: "Something failed that nobody foresaw.",
        2: "The command, a setting or a value is not as it must be.",
        3: "Nobody is logged in, or who is may not do this.",
        4: "It is not there, or not any more.",
        5: "What is there stands against it.",
        FOUND_WRONG: "Something is damaged, does not verify, or is not accounted for.",
        NOT_READY: "Something that is needed does not answer or is not ready; trying again may help.",
        STOPPED: "Stopped by whoever sat at it, before it was done.",
    }
)
"""What each exit code says. docs/operate/command-line.md has the same table."""


def exit_of_status(status: int) -> int:
    """Return the exit code for an HTTP answer that is no refusal of ours."""
    return UNFORESEEN if status >= 500 else 2


def tell(document: object, lines: Sequence[str], *, as_json: bool) -> None:
    """Print one result: its document, or its lines for people."""
    text = json.dumps(document, indent=2, default=str, ensure_ascii=False) if as_json else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell_problem(problem: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one refusal: a problem document on standard output, or its code, sentence and advice on standard error."""
    code = str(problem["code"])
    advice = problem.get("next") or advice_on(code)
    if as_json:
        tell({"type": f"/problems/{code}", **problem, "next": advice}, (), as_json=True)
    else:
        sys.stderr.write(f"{code}: {problem['detail']}\n  next: {advice}\n")


def note(text: str) -> None:
    """Say something beside the result: progress, a hint; always on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
