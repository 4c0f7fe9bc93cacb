"""What to do next, by the code of a refusal: one short sentence, a command wherever there is one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "already-initialised": "start it with `vms-privacy serve`, or name another folder with --data-dir",
        "already-opted-in": "it is recorded already; for other terms `vms-privacy camera withdraw` first",
        "answer-needed": "give the option that is named, or run it in a terminal",
        "bad-camera-address": "write it rtsps://host:port/path; with a user, its password is asked for",
        "bad-moment": "write a moment like 2026-01-31T08:00:00Z and a duration like PT5M",
        "bad-service-address": "write it http://127.0.0.1:8080, with --url or in VMS_URL",
        "camera-not-in-receipt": "name an id of the receipt; `vms-privacy camera list --json` has names and ids",
        "camera-not-live": "see what the camera does: `vms-privacy camera show`",
        "cannot-listen": "stop what listens there, or set another VMS_PORT or VMS_HOST",
        "clock-not-in-doubt": "nothing has to be done: `vms-privacy clock show`",
        "clocks-disagree": "set the machine's and the database's clock right first",
        "code-is-spent": "get another one: `vms-privacy bootstrap-code`, or from whoever invited you",
        "code-is-unknown": "look for a typing mistake, or get another code: `vms-privacy bootstrap-code`",
        "database-is-damaged": "stop the service, keep a copy, and go back to your last backup; the sealed footage is "
        "not in it",
        "database-unavailable": "look at VMS_DATABASE_URL, the disk and its free space, then try again",
        "data-folder-is-not-private": "look at what is in it, then: chmod 700 FOLDER",
        "file-unusable": "look at its name, its folder and whose it is",
        "footage-is-gone": "it cannot be brought back; `vms-privacy receipt list` has the proof",
        "has-a-platform-admin": "log in: `vms-privacy operator log-in`",
        "invalid-request": "`vms-privacy COMMAND --help` says what is wanted",
        "journal-is-damaged": "see where: `vms-privacy verify journal`",
        "journal-is-taken": "the service runs already on this data folder; stop it first",
        "keyring-unavailable": "mount its disk or put its token in, and look at VMS_KEYRING_DIR and whose folder it is",
        "log-in-refused": "look at log-in and password; for a lost one ask an owner: `vms-privacy operator invite`",
        "name-is-reserved": "take another name",
        "name-is-taken": "take another name, or a lost code: `vms-privacy operator invite LOGIN --again`",
        "no-footage": "see what there is: `vms-privacy camera ranges`",
        "no-such-camera": "see what there is: `vms-privacy camera list`",
        "no-such-person": "see who there is: `vms-privacy operator people`",
        "no-such-problem": "see all of them: `vms-privacy problems`",
        "not-allowed": "ask an owner for the right: `vms-privacy operator who` shows what you have",
        "not-a-whole-receipt": "fetch it: `vms-privacy receipt fetch ID --to FILE`; an extract comes of a whole one",
        "not-authenticated": "log in: `vms-privacy operator log-in`",
        "not-initialised": "make an installation with `vms-privacy init`, or name its folder with --data-dir",
        "not-logged-in": "log in: `vms-privacy operator log-in`",
        "not-of-an-operator": "log in as a person of an operator: `vms-privacy operator log-in`",
        "not-opted-in": "nothing is recorded; `vms-privacy camera opt-ins` has the history",
        "not-receipt-keys": "fetch them: `vms-privacy receipt keys --to KEYS`",
        "nothing-to-tell": "wait until something was destroyed; `vms-privacy receipt list` has what was told before",
        "page-is-old": "write it anew: `make openapi`",
        "plain-rtsp-needs-exception": 'use rtsps://, or say why not: --plain-exception "why"',
        "refused": "see the service's log for why",
        "retention-refused": 'beyond 72 hours say why with --justification "why"; the least is PT10S',
        "root-is-used-up": "put a new root to use: `vms-privacy keys rotate root`",
        "schema-is-old": "after a backup: `vms-privacy migrate`",
        "service-unreachable": "start it with `vms-privacy serve`, or name it with --url or VMS_URL",
        "settings-are-wrong": "see every setting: `vms-privacy settings-manual`",
        "stale-version": "look at it again, then repeat the command",
        "stopped": "type it again whenever you like: nothing was changed",
        "store-denies-access": "look at VMS_S3_ACCESS_KEY_FILE and VMS_S3_SECRET_KEY_FILE (mode 0600), and the clock",
        "store-is-unfit": "each reason has a line in docs/operate/stores.md",
        "store-unavailable": "mount the archive's disk and look at VMS_ARCHIVE_DIR, or at VMS_S3_ENDPOINT",
        "too-many-attempts": "wait a minute, then try again",
        "unforeseen-error": "try again; if it stays, tell whoever looks after the program, with this line",
        "weak-password": "take a longer one that nobody would guess",
        "wrong-usage": "`vms-privacy COMMAND --help` says how it is written",
    }
)


def advice_on(code: str) -> str:
    """Return what to do next; where there is nothing better, how to read up on the code."""
    return ADVICE.get(code, f"`vms-privacy problems {code}` explains it")
