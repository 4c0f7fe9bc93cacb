"""How the keyring says what is wrong with one of its files: by its role, never by its path or content."""

from collections.abc import Iterator
from contextlib import contextmanager

from vms_privacy import durable_files
from vms_privacy.keyring.port import KeyringUnavailable


@contextmanager
def told(role: str) -> Iterator[None]:
    """Turn what the file system or a reader says about a file into KeyringUnavailable, which names its role only."""
    try:
        yield
    except OSError as error:
        raise KeyringUnavailable(f"the keyring's {role}: {durable_files.fault_of(error)}", role=role) from error
    except ValueError as error:
        raise KeyringUnavailable(f"the keyring's {role} is damaged: {error}", role=role) from error
