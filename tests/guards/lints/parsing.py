"""Each file is parsed once, however many rules look at it. Nobody changes a tree."""

import ast
from functools import lru_cache


@lru_cache(maxsize=4096)
def parsed(source: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(source)


@lru_cache(maxsize=4096)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """Return every node of a module, outermost first."""
    return tuple(ast.walk(parsed(source)))
