"""How commands speak: one table from kinds of refusals to exit codes, one way to print for people or programs."""

import json
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from vms_privacy.errors import Kind

EXIT_OF: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.INVALID: 2,
        Kind.UNAUTHENTICATED: 3,
        Kind.FORBIDDEN: 3,
        Kind.NOT_FOUND: 4,
        Kind.GONE: 4,
        Kind.CONFLICT: 5,
        Kind.LOCKED: 5,
        Kind.DAMAGED: 6,
        Kind.UNAVAILABLE: 7,
        Kind.TOO_LARGE: 2,
        Kind.TOO_MANY: 7,
    }
)


def tell(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one result: a JSON document, or one line per member."""
    if as_json:
        text = json.dumps(found, indent=2, default=str)
    else:
        width = max((len(name) for name in found), default=0)
        text = "\n".join(f"{name.replace('_', ' '):{width}}  {_plain(value)}" for name, value in found.items())
    sys.stdout.write(f"{text}\n")


def tell_error(code: str, sentence: str) -> None:
    """Print one refusal for people, its code in front for programs."""
    sys.stderr.write(f"{code}: {sentence}\n")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return "".join(f"\n  {_plain(one)}" for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    return str(value)
