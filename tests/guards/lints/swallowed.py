"""No failure is swallowed (P12).

A handler either raises, returns (a typed refusal or verdict), counts what it caught, or keeps it for somebody who
does. The peers of this field drop the result of a failed unlink and report success; this rule is why we cannot.
"""

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.guards.lints.parsing import nodes

_COUNTING: Final = frozenset(
    {"inc", "count", "failed", "note_failure", "record_failure", "note_refusal", "append", "add", "exit"}
)
_TELLS_NOBODY: Final = frozenset({"print", "str", "repr", "debug", "info", "warning", "error", "exception"})

CALM: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("streams/media/camera_link.py", "SourceFailed"): "saying goodbye to a camera that is gone already",
        (
            "streams/media/demux.py",
            "BlockingIOError",
        ): "the pipe is full: nothing was sent, and a child that hangs is ended",
        ("streams/media/demux.py", "ChildSpeaksNonsense"): "ends the child, which is counted and told to each camera",
        ("streams/media/pictures.py", "DamagedPacket"): "marks the picture as damaged, which is counted when it ends",
        ("streams/rtsp/connection.py", "(ConnectionError, TimeoutError)"): "the other side left; it is cut",
        ("streams/rtsp/connection.py", "TimeoutError"): "a look whether something was heard meanwhile decides",
        ("vms_privacy/demo/theft.py", "Refusal"): "raises by `hold`",
        ("vms_privacy/keyring/purpose_keys.py", "KeyringUnavailable"): "a second look decides, and raises by itself",
    }
)
"""Handlers that neither raise, return, count nor keep, by file and what they catch, with what they do instead."""


def swallowed_failures(source: str, path: str, calm: Mapping[tuple[str, str], str] = MappingProxyType({})) -> list[str]:
    """List the exception handlers that neither raise, return, count, nor keep what they caught."""
    return [
        f"{path}:{handler.lineno} swallows {caught(handler)}"
        for handler in nodes(source)
        if isinstance(handler, ast.ExceptHandler)
        and not _deals_with_it(handler)
        and (path, caught(handler)) not in calm
    ]


def caught(handler: ast.ExceptHandler) -> str:
    """Return what a handler catches, as it is written."""
    return ast.unparse(handler.type) if handler.type else "everything"


def _deals_with_it(handler: ast.ExceptHandler) -> bool:
    return any(_is_outcome(node, handler.name) for statement in handler.body for node in ast.walk(statement))


def _is_outcome(node: ast.AST, error: str | None) -> bool:
    match node:
        case ast.Raise() | ast.Return() | ast.Yield() | ast.AugAssign():
            return True
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return _speaks_of(value, error)
        case ast.Call(func=func, args=args):
            name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
            if name in _COUNTING or name.startswith(("fail", "refuse", "record", "note", "report")):
                return isinstance(func, ast.Attribute)
            return name not in _TELLS_NOBODY and any(isinstance(one, ast.Name) and one.id == error for one in args)
    return False


def _speaks_of(value: ast.expr, error: str | None) -> bool:
    return any(isinstance(node, ast.Name) and node.id == error for node in ast.walk(value))
