"""A story that is stopped leaves nothing behind: its folder has keys and footage in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]
DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_story_that_is_stopped_takes_its_folder_with_it(tmp_path: Path, sign: signal.Signals) -> None:
    # Whoever started the tests may have had them ignore an interruption, and children inherit that.
    begin = f"import signal, sys; signal.signal({sign.value}, signal.default_int_handler)"
    script = f"{begin}; from vms_privacy.cli import main; sys.argv = ['vms-privacy', 'demo']; main()"
    environment = {"PATH": os.defpath, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as story:
        assert story.stdout is not None
        told = [story.stdout.readline() for _ in range(3)]
        assert any("Live without an opt-in" in line for line in told)
        assert list(tmp_path.iterdir()) != []
        story.send_signal(sign)
        assert story.wait(DEADLINE_S) != 0
    assert list(tmp_path.iterdir()) == []
