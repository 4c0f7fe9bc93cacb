"""No failure is swallowed (P12).

A handler either raises, returns (a typed refusal or verdict), or counts what it caught. The peers of this field drop
the result of a failed unlink and report success; this rule is why we cannot.
"""

import ast

_COUNTING = frozenset({"inc", "count", "failed", "note_failure", "record_failure", "note_refusal", "append", "add"})


def swallowed_failures(source: str, path: str) -> list[str]:
    """List the exception handlers that neither raise, return, nor count."""
    return [
        f"{path}:{handler.lineno} swallows {ast.unparse(handler.type) if handler.type else 'everything'}"
        for handler in ast.walk(ast.parse(source))
        if isinstance(handler, ast.ExceptHandler) and not _deals_with_it(handler)
    ]


def _deals_with_it(handler: ast.ExceptHandler) -> bool:
    return any(_is_outcome(node) for statement in handler.body for node in ast.walk(statement))


def _is_outcome(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise | ast.Return | ast.Yield):
        return True
    if isinstance(node, ast.AugAssign):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _COUNTING or node.func.attr.startswith(("fail", "refuse", "record", "note", "report"))
    return False
