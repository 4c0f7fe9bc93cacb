"""What a log line may hold: a fixed event name, and ids, counts, codes and types beside it.

The text of a foreign error holds what it was about: PyAV spells out a camera's address with its password, SQLAlchemy
the values of a row. So no text is put together for a log, and no error is handed to it.
"""

import ast
import re
from typing import Final

from tests.guards.lints.parsing import nodes

_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical", "exception", "log", "msg"})
_LOGGERS: Final = re.compile(r"_?(log|logger)\Z")
_EVENT: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
_SECRETS: Final = re.compile(r"(password|passwd|secret|token|credential|cookie|authorization|url|address|key|handle)\Z")


def careless_logs(source: str, path: str) -> list[str]:
    """List log calls whose event is put together, that name a secret, or that hand on an error or its text."""
    found = []
    for node in nodes(source):
        if isinstance(node, ast.Call) and _is_log(node.func):
            found += [f"{path}:{node.lineno} {fault}" for fault in _faults(node)]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"print", "pprint"}:
            found.append(f"{path}:{node.lineno} prints; commands use cli/output.py, everything else the log")
    return found


def _is_log(func: ast.expr) -> bool:
    if not isinstance(func, ast.Attribute) or func.attr not in _LEVELS:
        return False
    owner = func.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return _LOGGERS.match(name) is not None


def _faults(call: ast.Call) -> list[str]:
    event = call.args[0] if call.args else None
    faults = []
    if not (isinstance(event, ast.Constant) and isinstance(event.value, str) and _EVENT.match(event.value)):
        faults.append("logs an event that is no fixed name")
    for keyword in call.keywords:
        if keyword.arg is None or _SECRETS.search(keyword.arg):
            faults.append(f"logs what may be a secret: {keyword.arg or '**'}")
        if _is_text_of_error(keyword.value):
            faults.append(f"logs the text of an error: {keyword.arg}")
    return faults


def _is_text_of_error(value: ast.expr) -> bool:
    if isinstance(value, ast.JoinedStr):
        return True
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"str", "repr"}:
        return any(_is_error(argument) for argument in value.args)
    return _is_error(value)


def _is_error(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"error", "exc", "exception", "failure_error", "e"}
