"""Nothing in `streams/` opens a file (P2: live is memory only).

A relay that "just for debugging" dumps what it gets writes footage in clear beside the archive, and every other
promise is void. What is measured from outside by the story is held here line by line.
"""

import ast
from typing import Final

from tests.guards.lints.parsing import nodes

_METHODS: Final = frozenset({"write_bytes", "write_text", "open_binary", "touch", "NamedTemporaryFile", "mkstemp"})
_CALLS: Final = frozenset({"open", "fdopen", "memmap"})
_MODULES: Final = frozenset({"tempfile", "shutil", "mmap", "sqlite3", "shelve", "dbm", "pickle"})
_FILES: Final = frozenset({"os", "io", "Path", "pathlib", "codecs", "gzip", "lzma", "bz2"})


def opened_files(source: str, path: str) -> list[str]:
    """List calls that open or write a file, and imports of modules whose business that is."""
    found = []
    for node in nodes(source):
        what = _opens(node)
        if what and isinstance(node, ast.stmt | ast.expr):
            found.append(f"{path}:{node.lineno} {what}")
    return found


def _opens(node: ast.AST) -> str:
    match node:
        case ast.Import(names=names):
            return ", ".join(f"imports {one.name}" for one in names if one.name.split(".")[0] in _MODULES)
        case ast.ImportFrom(module=module) if (module or "").split(".")[0] in _MODULES:
            return f"imports {module}"
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            return f"calls {name}"
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _METHODS:
            return f"calls {attr}"
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _CALLS and _is_file(owner):
            return f"calls {attr}"
    return ""


def _is_file(owner: ast.expr) -> bool:
    if isinstance(owner, ast.Call):
        return _is_file(owner.func)
    return isinstance(owner, ast.Name) and owner.id in _FILES
