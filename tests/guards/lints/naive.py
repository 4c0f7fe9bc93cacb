"""A moment that loses its zone is a moment nobody can place: retention is a promise to the second.

Ruff's DTZ rules find most of it; this finds a zone that is taken away, and a column that would keep none.
"""

import ast

from tests.guards.lints.parsing import nodes


def naive_moments(source: str, path: str) -> list[str]:
    """List `replace(tzinfo=None)` and plain `DateTime` columns outside of `vms_privacy/db.py`."""
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Call) and any(_takes_zone_away(keyword) for keyword in node.keywords):
            found.append(f"{path}:{node.lineno} takes the zone away from a moment")
        if isinstance(node, ast.Call) and _is_plain_column(node) and path != "vms_privacy/db.py":
            found.append(f"{path}:{node.lineno} makes a column that keeps no zone; use UTCDateTime")
    return found


def _takes_zone_away(keyword: ast.keyword) -> bool:
    return keyword.arg == "tzinfo" and isinstance(keyword.value, ast.Constant) and keyword.value.value is None


def _is_plain_column(call: ast.Call) -> bool:
    if not (isinstance(call.func, ast.Name) and call.func.id in {"mapped_column", "Column"}):
        return False
    names = [node.id for argument in call.args for node in ast.walk(argument) if isinstance(node, ast.Name)]
    return "DateTime" in names
