"""A proof is built where the question it answers is decided, and nowhere else.

A recorder that makes its own permit records without an opt-in; a reader that makes its own opens footage nobody
allowed; a route that makes its own yes needs no gate. No type error shows any of it.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.guards.lints.parsing import nodes

_HARMLESS: Final = frozenset({"isinstance", "issubclass"})


@dataclass(frozen=True, slots=True)
class Proof:
    """A class that proves something. `excepted` names files that may forge one, with the reason."""

    name: str
    home: str
    excepted: Mapping[str, str] = field(default_factory=dict)

    @property
    def _word(self) -> str:
        return "permit" if self.name.endswith("Permit") else self.name.lower()

    def forgeries(self, source: str, path: str) -> list[str]:
        """Name each place that builds, copies, subclasses or renames the class."""
        if path == self.home or path in self.excepted:
            return []
        return [f"{path}:{line} {what}" for line, what in sorted(self._findings(source))]

    def _findings(self, source: str) -> set[tuple[int, str]]:
        return {
            (node.lineno, what)
            for node in nodes(source)
            if isinstance(node, ast.stmt | ast.expr) and (what := self._forgery(node)) is not None
        }

    def _forgery(self, node: ast.stmt | ast.expr) -> str | None:
        match node:
            case ast.Call(func=func) if self._is_it(func):
                return f"builds a {self.name}"
            case ast.Call(func=func) if _name(func) == "replace" and self._speaks_of_it(node):
                return f"copies a {self.name}"
            case ast.Call(func=func, args=args) if any(map(self._is_it, args)) and _name(func) not in _HARMLESS:
                return f"hands the class {self.name} on"
            case ast.ClassDef(bases=bases) if any(map(self._is_it, bases)):
                return f"subclasses {self.name}"
            case ast.ImportFrom(names=names) if any(map(self._is_renamed, names)):
                return f"renames {self.name}"
            case ast.Assign(value=value) if self._is_it(value):
                return f"renames {self.name}"
        return None

    def _is_it(self, node: ast.expr) -> bool:
        return _name(node) == self.name

    def _is_renamed(self, alias: ast.alias) -> bool:
        return alias.name == self.name and alias.asname not in {None, self.name}

    def _speaks_of_it(self, call: ast.Call) -> bool:
        return any(self._word in _name(argument).lower() for argument in call.args)


PROOFS: Final = (
    Proof("RecordingPermit", "vms_privacy/consent/rules.py"),
    Proof(
        "DecryptPermit",
        "archive/keys/rules.py",
        {"vms_privacy/demo/theft.py": "plays the thief, who has our code and asks nobody"},
    ),
    Proof("CheckPermit", "archive/keys/rules.py"),
    Proof("EdgePermit", "archive/keys/rules.py"),
    Proof("Granted", "auth/grants/rules.py"),
)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
