"""The command that runs the service, and says what it serves and what to do next."""

import errno
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from sqlalchemy import select

from streams.cameras.tables import CameraRow
from vms_privacy.app import Assembly
from vms_privacy.cli.forms import facts
from vms_privacy.cli.options import DEFAULT_URL, AsJson, DataDir, command_group
from vms_privacy.cli.output import note, tell
from vms_privacy.cli.parts import assembly_of, settings_of, told_of_the_database, warn_of_unknown_variables
from vms_privacy.cli.refusals import CannotListen, SettingsAreWrong
from vms_privacy.durable_files import fault_of
from vms_privacy.serve import Running, leave_no_core, tls_context
from vms_privacy.settings import Settings

app = command_group("Run the service.")

_EVERY_ADDRESS: Final = (str(IPv4Address(0)), str(IPv6Address(0)))
_LOWEST_FREE_PORT: Final = 1024


@app.command("serve")
def serve(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Run the service until a signal ends it; say where it is, once it answers, and what to do next."""
    leave_no_core()
    warn_of_unknown_variables()
    refuse_unless_tls_loads(settings_of(data_dir))
    parts = assembly_of(data_dir)
    running = Running(parts)
    threading.Thread(target=_announce, args=(running, as_json), name="announce", daemon=True).start()
    with told_of_the_database(), _told_of_the_port(parts.settings):
        running.serve()


def refuse_unless_tls_loads(settings: Settings) -> None:
    """Raise SettingsAreWrong, which names variable and file, where the files for TLS cannot be used."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    files = {"VMS_TLS_CERTIFICATE": settings.tls_certificate, "VMS_TLS_KEY": settings.tls_key}
    for name, file in files.items():
        try:
            file.read_bytes()
        except OSError as error:
            raise SettingsAreWrong(f"{name}: {file} cannot be read: {fault_of(error)}") from None
    try:
        tls_context(str(settings.tls_certificate), str(settings.tls_key))
    except ssl.SSLError as error:
        raise SettingsAreWrong(_wrong_with_tls(files, error)) from None


def _wrong_with_tls(files: Mapping[str, Path], error: ssl.SSLError) -> str:
    certificate, key = files["VMS_TLS_CERTIFICATE"], files["VMS_TLS_KEY"]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=certificate)
    except ssl.SSLError:
        return f"VMS_TLS_CERTIFICATE: {certificate} holds no certificate in PEM"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"VMS_TLS_KEY: {key} is not the key of the certificate in {certificate}"
    return f"VMS_TLS_KEY: {key} holds no private key in PEM that opens without a password"


def _announce(running: Running, as_json: bool) -> None:
    """Wait until the service answers, and say so."""
    running.is_up.wait()
    parts, settings = running.parts, running.parts.settings
    scheme = "https" if settings.tls_key is not None else "http"
    url = f"{scheme}://{_name_of(settings.host)}:{running.port}"
    steps = _next_steps(parts, "" if url == DEFAULT_URL else f" --url {url}")
    document = {"url": url, "api": f"{url}/docs", "data_dir": settings.data_dir, "next": steps}
    if as_json:
        tell(document, (), as_json=True)
        return
    told = {"serving": url, "API": document["api"], "ready": f"{url}/readyz", "data folder": settings.data_dir}
    note("\n".join([*facts(told), *(f"next: {one}" for one in steps), "Ctrl-C stops it."]))


def _name_of(host: str) -> str:
    """Return what stands for an address in a URL; for all addresses of the machine, its name, which can be opened."""
    if host in _EVERY_ADDRESS:
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _next_steps(parts: Assembly, where: str) -> list[str]:
    with parts.db.reading() as session:
        if not parts.operators.listing(session, "", 1):
            return [f"vms-privacy operator setup{where}"]
        if session.execute(select(CameraRow.id).limit(1)).first() is None:
            return [f"vms-privacy camera add NAME rtsps://user@host/path{where}"]
    return []


@contextmanager
def _told_of_the_port(settings: Settings) -> Iterator[None]:
    """Turn what the system says about address and port into CannotListen."""
    where = f"{settings.host}:{settings.port}"
    try:
        yield
    except PermissionError as error:
        if not 0 < settings.port < _LOWEST_FREE_PORT or error.filename is not None:
            raise
        raise CannotListen(f"only an administrator may listen on {where}: ports below 1024 are kept") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(f"something else listens on {where} already") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise CannotListen(f"this machine has no address {settings.host}") from None
        raise
