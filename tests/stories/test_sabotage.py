"""One real but broken part makes exactly its step fail, and the command exits with 1 (the promises' sabotage tests).

Each story is a process of its own, told as JSON, so that its standard output is looked at as a program would.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards.sources import ROOT
from tests.stories.broken.parts import BROKEN

DEADLINE_S = 200

pytestmark = [pytest.mark.story, pytest.mark.timeout(DEADLINE_S + 20)]


def told(command: list[str]) -> tuple[int, list[str]]:
    """Run a story; return its exit code and the names of the steps that did not hold."""
    ran = subprocess.run(
        [sys.executable, *command], capture_output=True, cwd=ROOT, timeout=DEADLINE_S, check=False, text=True
    )
    try:
        # Nothing but the one document: anything else on standard output would not parse.
        story = json.loads(ran.stdout)
    except ValueError:
        pytest.fail(f"no JSON document, but {ran.stdout[:500]!r}; {ran.stderr[-2000:]}")
    failed = [step["name"] for step in story["steps"] if not step["ok"]]
    assert story["ok"] is (not failed), story
    for step in story["steps"]:
        sys.stdout.write(f"{step['name']}: {step['seconds']} s {json.dumps(step['detail'])}\n")
    return ran.returncode, failed


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_part_fails_exactly_its_step(name: str, tmp_path: Path) -> None:
    step, _ = BROKEN[name]
    assert told(["-m", "tests.stories.broken", name, str(tmp_path / "story")]) == (1, [step])


def test_the_whole_story_holds(tmp_path: Path) -> None:
    command = ["-c", "from vms_privacy.cli import main; main()", "demo", "--exit", "--json"]
    assert told([*command, "--folder", str(tmp_path / "story")]) == (0, [])
