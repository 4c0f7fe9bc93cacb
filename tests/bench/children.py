"""Processes of a bench: each says in one line of JSON that it is ready, and ends with its standard input."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_ENDS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Child:
    """A process that is ready, and what it said."""

    pid: int
    said: Mapping[str, Any]
    _process: "subprocess.Popen[bytes]" = field(repr=False)

    def order(self, **what: Any) -> Any:
        """Have it do something, and return what it says of that."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(what)}\n".encode())
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    """Run a module of ours until the block ends. Raises RuntimeError if it ends before it is ready."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            if not first:
                raise RuntimeError(f"{module} ended before it was ready")
            yield Child(process.pid, json.loads(first), process)
        finally:
            process.stdin.close()
            _wait(process)


def ready(**said: Any) -> None:
    """Say, inside a child, that it is ready."""
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


def orders() -> Iterator[Any]:
    """Yield, inside a child, what the parent orders, until the parent has enough; `ready` answers each."""
    for line in sys.stdin:
        yield json.loads(line)


def wait_for_the_end() -> None:
    """Block, inside a child, until the parent closes standard input or is gone."""
    sys.stdin.read()


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
