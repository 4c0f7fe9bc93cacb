"""Running one command: whatever stops it becomes one problem and one exit code."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

import typer

from vms_privacy.cli.commands import commands_for
from vms_privacy.cli.output import EXIT_OF, STOPPED, UNFORESEEN, exit_of_status, tell_problem
from vms_privacy.cli.refusals import FileUnusable, NoSuchFile
from vms_privacy.client import ApiRefused
from vms_privacy.durable_files import fault_of
from vms_privacy.errors import Kind, Refusal

_USAGE: Final = 2


def run(arguments: Sequence[str]) -> int:
    """Run a command as it was typed; return its exit code."""
    as_json = "--json" in arguments
    try:
        app = commands_for(arguments[0] if arguments else "")
        code = app(list(arguments), prog_name="vms-privacy", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it has had enough; nothing more can be said to them, not even by the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNFORESEEN
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told as one problem
        if isinstance(error, typer.TyperException) and not error.format_message():
            # A group without a command: its help stands there already.
            return _USAGE
        problem, code = _problem_of(error)
        tell_problem(problem, as_json=as_json)
    return code if isinstance(code, int) else 0


def _problem_of(error: Exception) -> tuple[dict[str, Any], int]:
    match error:
        case Refusal():
            return _of_refusal(error)
        case ApiRefused():
            return _of_answer(error)
        case typer.TyperException():
            return _of_usage(error), _USAGE
        case typer.Abort():
            return _problem("stopped", "stopped", "nothing was done: it was not agreed to, or stopped"), STOPPED
        case FileNotFoundError() if error.filename is not None:
            return _of_refusal(NoSuchFile(f"{error.filename}: {fault_of(error)}"))
        case OSError() if error.filename is not None:
            return _of_refusal(FileUnusable(f"{error.filename}: {fault_of(error)}"))
    # The text of a foreign error may hold an address or a secret: its type and place are told.
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return _problem("unforeseen-error", "internal error", f"{type(error).__name__}{place}"), UNFORESEEN


def _of_usage(error: typer.TyperException) -> dict[str, Any]:
    typed = getattr(getattr(error, "ctx", None), "command_path", "vms-privacy")
    problem = _problem("wrong-usage", "wrong usage", " ".join(error.format_message().split()))
    return {**problem, "next": f"`{typed} --help` says how it is written"}


def _of_refusal(refusal: Refusal) -> tuple[dict[str, Any], int]:
    told = _problem(refusal.code, refusal.kind, refusal.detail)
    # No `status`: it is the one of an HTTP answer (RFC 9457, 3.1.2), and there was none.
    return {**told, **refusal.facts}, EXIT_OF[refusal.kind]


def _of_answer(refused: ApiRefused) -> tuple[dict[str, Any], int]:
    kind = str(refused.problem.get("title", ""))
    code = EXIT_OF[Kind(kind)] if kind in set(Kind) else exit_of_status(refused.status)
    told = _problem(refused.code or "refused", kind or "refused", str(refused))
    return {**refused.problem, **told, "status": refused.status}, code


def _problem(code: str, title: str, detail: str) -> dict[str, Any]:
    return {"title": str(title), "code": code, "detail": detail}
