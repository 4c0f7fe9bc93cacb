"""Servers of tests, as children that outlive nobody and have no rights of root."""

import os
import pwd
from pathlib import Path


def as_nobody(*words: str, ends_by: str = "KILL") -> list[str]:
    """The system ends the child when the thread that made it ends; as root it becomes `nobody` first."""
    drop = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", "--pdeathsig", ends_by, *drop, "--", *words]


def give_to_nobody(*paths: Path) -> None:
    """Let a child that became `nobody` have these."""
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        for path in paths:
            os.chown(path, account.pw_uid, account.pw_gid)
