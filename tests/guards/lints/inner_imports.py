"""No import inside a function: it hides an arrow from the picture of who may import whom."""

import ast

from tests.guards.lints.parsing import nodes


def inner_imports(source: str, path: str) -> list[str]:
    """List imports that are not at the top of their module."""
    return [
        f"{path}:{node.lineno} imports inside {function.name}"
        for function in nodes(source)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
