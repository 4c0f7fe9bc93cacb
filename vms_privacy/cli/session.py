"""Who is logged in at this machine: one log-in session per service, kept as a refresh token and nothing else.

Promise: no password is ever kept, and what is kept can be read by its owner alone. Two commands at once do not end each
other's session: a refresh token is used by one of them at a time, and its successor is on the disk before the next.
"""

import fcntl
import json
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from pydantic_settings import BaseSettings, SettingsConfigDict

from vms_privacy.cli.output import note
from vms_privacy.cli.refusals import (
    BadServiceAddress,
    CertificateNotTrusted,
    NoSuchCamera,
    NotLoggedIn,
    NotOfAnOperator,
    ServiceUnreachable,
)
from vms_privacy.client import Answer, ApiClient, ApiRefused
from vms_privacy.clock import SystemClock
from vms_privacy.durable_files import PRIVATE_FILE, PRIVATE_FOLDER, read_private, write_durably

_MOST_KEPT: Final = 1024 * 1024
_FORBIDDEN: Final = 403
_PATIENCE_S: Final = 15.0
_PAUSE_S: Final = 0.2


class _Environment(BaseSettings):
    """What this person's environment says about where programs keep things (XDG Base Directory)."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    xdg_config_home: Path | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one log-in session. A platform admin belongs to no operator."""

    refresh_token: str = field(repr=False)
    login: str
    operator_id: str = ""
    operator: str = ""


class KeptSessions:
    """The file of kept log-in sessions, by the service's address. Raises NotLoggedIn, OSError."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _config_folder()
        self._file = self._folder / "session.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off every other command that would use what is kept."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        lock = os.open(
            self._folder / "session.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def of(self, url: str) -> Kept:
        """Return what is kept for a service. Raises NotLoggedIn."""
        found = self._all().get(url)
        if found is None:
            raise NotLoggedIn(f"nobody is logged in at {url} on this machine")
        return found

    def keep(self, url: str, kept: Kept) -> None:
        """Keep a session in place of any other of this service. The caller is `alone`."""
        self._write({**self._all(), url: kept})

    def forget(self, url: str) -> None:
        """Keep nothing of a service. The caller is `alone`."""
        self._write({at: kept for at, kept in self._all().items() if at != url})

    def _all(self) -> dict[str, Kept]:
        try:
            told = json.loads(read_private(self._file, _MOST_KEPT))
            return {url: Kept(**kept) for url, kept in told["sessions"].items()}
        except FileNotFoundError:
            return {}
        except PermissionError:
            raise NotLoggedIn(f"others than you may read {self._file}, so it is not used: remove it") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise NotLoggedIn(f"what is kept in {self._file} cannot be read: remove it") from None

    def _write(self, sessions: Mapping[str, Kept]) -> None:
        told = {"sessions": {url: asdict(kept) for url, kept in sessions.items()}}
        write_durably(self._file, json.dumps(told, indent=1).encode())


class Service(ApiClient):
    """One service, asked by the command line. Raises ApiRefused, BadServiceAddress, ServiceUnreachable."""

    def __init__(self, url: str) -> None:
        try:
            super().__init__(url)
        except ValueError as error:
            raise BadServiceAddress(str(error)) from None

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int) -> Answer:
        """Return whatever the service answers."""
        try:
            return super().ask(method, path, body, **query)
        except ssl.SSLCertVerificationError as error:
            raise CertificateNotTrusted(
                f"the certificate of {self.url} is not trusted: {error.verify_message}"
            ) from None
        except OSError as error:
            raise ServiceUnreachable(f"nothing answers at {self.url} ({type(error).__name__})") from None

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int) -> Any:
        """Return the JSON answer of a successful call, None where there is no body."""
        try:
            return super().call(method, path, body, **query)
        except ValueError:
            raise self._is_another() from None

    def download(self, path: str, **query: str | int) -> Iterator[bytes]:
        """Go through the bytes of a successful answer as they come."""
        try:
            yield from super().download(path, **query)
        except OSError as error:
            raise ServiceUnreachable(f"{self.url} broke off its answer ({type(error).__name__})") from None

    def readiness(self) -> Any:
        """Return whether each part is ready. That one is not is an answer too, and no refusal."""
        try:
            told = self.ask("GET", "/readyz").json()
        except ValueError:
            raise self._is_another() from None
        if not isinstance(told, dict) or "parts" not in told:
            raise self._is_another()
        return told

    def wait(self) -> None:
        """Wait until the service answers, for as long as one takes to start. Raises ServiceUnreachable."""
        clock = SystemClock()
        until = clock.monotonic() + _PATIENCE_S
        said = False
        while True:
            try:
                self.readiness()
            except ServiceUnreachable:
                if clock.monotonic() >= until:
                    raise
                if not said:
                    note(f"waiting for the service at {self.url} …")
                    said = True
                time.sleep(_PAUSE_S)
            else:
                return

    def every(self, path: str) -> list[Any]:
        """Return all items of a list that comes in pages."""
        found: list[Any] = []
        page = self.call("GET", path)
        found += page["items"]
        while page.get("next"):
            page = self.call("GET", path, None, after=page["next"])
            found += page["items"]
        return found

    def log_in(self, login: str, password: str) -> str:
        """Log in, so that further calls are this person's; return the refresh token."""
        return self._tokens({"grant_type": "password", "username": login, "password": password})

    def renew(self, refresh_token: str) -> str:
        """Go on with a log-in session; return the next refresh token."""
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def _is_another(self) -> ServiceUnreachable:
        return ServiceUnreachable(f"what answers at {self.url} is no vms-privacy")

    def _tokens(self, body: Mapping[str, str]) -> str:
        tokens = self.call("POST", "/api/v1/auth/token", body)
        self.access_token = tokens["access_token"]
        return str(tokens["refresh_token"])


@dataclass(frozen=True, slots=True)
class Session:
    """A service that knows who asks, and that person's operator."""

    service: Service
    login: str
    operator_id: str
    operator: str

    @property
    def path(self) -> str:
        """Return where the operator is in the API. Raises NotOfAnOperator."""
        if not self.operator_id:
            raise NotOfAnOperator(f"{self.login} belongs to no operator")
        return f"/api/v1/operators/{self.operator_id}"

    def cameras(self) -> list[Any]:
        """Return the operator's cameras that this person may know of, by name."""
        return self.service.every(f"{self.path}/cameras")

    def logins(self) -> Mapping[str, str]:
        """Return log-ins by the label that stands for a person in audit and ledger; none where one may not know."""
        try:
            found = self.service.every(f"{self.path}/people") if self.operator_id else []
        except ApiRefused as refused:
            if refused.status != _FORBIDDEN:
                raise
            return {}
        return {f"person:{one['person_id']}": one["login"] for one in found}

    def camera(self, name: str) -> Any:
        """Return one camera by its name or id. Raises NoSuchCamera."""
        for one in self.cameras():
            if name in {one["name"], one["camera_id"]}:
                return one
        raise NoSuchCamera(f"there is no camera named {name}")

    def camera_path(self, name: str) -> str:
        """Return where a camera is in the API, by name, or by id also if it was removed. Raises NoSuchCamera."""
        try:
            return f"/api/v1/cameras/{UUID(name)}"
        except ValueError:
            return f"/api/v1/cameras/{self.camera(name)['camera_id']}"


def logged_in(url: str) -> Session:
    """Return the service with whoever is logged in there. Raises NotLoggedIn."""
    service, sessions = Service(url), KeptSessions()
    with sessions.alone():
        kept = sessions.of(service.url)
        try:
            token = service.renew(kept.refresh_token)
        except ApiRefused as refused:
            if refused.status != 401:
                raise
            raise NotLoggedIn(f"the log-in of {kept.login} at {service.url} is over") from None
        sessions.keep(service.url, Kept(token, kept.login, kept.operator_id, kept.operator))
    return Session(service, kept.login, kept.operator_id, kept.operator)


def begin(service: Service, login: str, password: str) -> Session:
    """Log in and keep the session."""
    token = service.log_in(login, password)
    me = service.call("GET", "/api/v1/auth/me")
    operator_id = str(me["operator_id"] or "")
    operator = service.call("GET", f"/api/v1/operators/{operator_id}")["name"] if operator_id else ""
    sessions = KeptSessions()
    with sessions.alone():
        sessions.keep(service.url, Kept(token, login, operator_id, operator))
    return Session(service, login, operator_id, operator)


def _config_folder() -> Path:
    told = _Environment().xdg_config_home
    # A relative one is to be left out of account (XDG Base Directory, 2).
    return (told if told is not None and told.is_absolute() else Path.home() / ".config") / "vms-privacy"
