"""What a keyring can tell about its keys without opening one: states, dates, uses, and how many there are.

States are those of NIST SP 800-57 part 1, section 7. `compromised` is not among them: nobody can declare a key so
here; whoever thinks that one is rotates it, and then it is destroyed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique

from vms_privacy.keyring.bucket_pages import BucketPages
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.key_folder import KeyFolder, head_of
from vms_privacy.keyring.port import Purpose
from vms_privacy.keyring.rules import Manifest, version_of


@unique
class KeyState(StrEnum):
    """Where a key is in its life. Only an active one protects anything new."""

    PRE_ACTIVATION = "pre-activation"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key that is there, or is being destroyed. `made_at` is when it came into use; None if nobody kept it.

    `uses` is how often it may have wrapped at most, and None where no count matters: every wrap has a key of its own.
    """

    version: int
    state: KeyState
    made_at: datetime | None
    uses: int | None = None


@dataclass(frozen=True, slots=True)
class KeyringStatus:
    """A keyring at a moment. Times are aware; the root in use must be gone at `root_until`."""

    root_version: int
    root_age: timedelta
    root_until: datetime
    roots: tuple[KeyStatus, ...]
    purposes: dict[Purpose, tuple[KeyStatus, ...]]
    bucket_keys: int


def root_states(manifest: Manifest) -> dict[int, KeyState]:
    """Return the state of every root that the manifest names, oldest first."""
    states = dict.fromkeys(manifest.condemned, KeyState.DESTROYED)
    states |= dict.fromkeys(manifest.retiring, KeyState.DEACTIVATED)
    states[manifest.current] = KeyState.ACTIVE
    if manifest.making is not None:
        states[manifest.making] = KeyState.PRE_ACTIVATION
    return dict(sorted(states.items()))


def version_state(version: int, current: int) -> KeyState:
    """Return the state of a purpose's key that is there: one not named yet, the current one, or one that only opens."""
    if version == current:
        return KeyState.ACTIVE
    return KeyState.DEACTIVATED if version < current else KeyState.PRE_ACTIVATION


def status_of(files: KeyFolder, pages: BucketPages, now: datetime) -> KeyringStatus:
    """Look through a keyring's folder. Raises KeyringUnavailable. Reads beside everything that goes on."""
    manifest = files.manifest()
    since = datetime.fromtimestamp(manifest.since, UTC)
    return KeyringStatus(
        root_version=manifest.current,
        root_age=now - since,
        root_until=datetime.fromtimestamp(manifest.until, UTC),
        roots=tuple(
            KeyStatus(version, state, since if version == manifest.current else None, files.roots.uses(version))
            for version, state in root_states(manifest).items()
        ),
        purposes={
            purpose: tuple(_versions(files, purpose, current)) for purpose, current in sorted(manifest.versions.items())
        },
        bucket_keys=len(pages.keys()),
    )


def _versions(files: KeyFolder, purpose: Purpose, current: int) -> Iterator[KeyStatus]:
    folder = files.purpose_folder(purpose)
    with told(f"folder of {purpose}"):
        found = sorted(filter(None, (version_of(path.name, "key") for path in folder.iterdir())))
    for version in found:
        head = head_of(folder / f"{version:06d}.key", f"key of {purpose}, version {version}")
        if head is not None:
            yield KeyStatus(version, version_state(version, current), datetime.fromtimestamp(head.made_at, UTC))
