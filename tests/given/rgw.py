"""A throw-away Ceph RADOS Gateway: a real S3 store on loopback, in memory, over HTTP and over TLS.

Its three daemons are children that run in the foreground; the system kills them when this process ends, however it
ends. As root they run as `nobody`. Debian has them in radosgw, ceph-mon, ceph-osd and ceph-common. One gateway serves a
whole test session: a test takes a bucket of its own, and an account of its own where it limits or withdraws something.
"""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

import urllib3
from minio import Minio

from tests.given.nobody import as_nobody, give_to_nobody
from tests.given.tls import make_certificate
from tests.given.tools import missing

PROGRAMS: Final = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool", "setpriv")
REGION: Final = "eu-test-1"
DEADLINE_S: Final = 60
_CLUSTER: Final = UUID(int=0x5EA1ED)
_OSD: Final = UUID(int=0x5EA1ED + 1)
_ATTEMPTS: Final = 3
_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Account:
    """An account of the gateway with its two secrets."""

    access_key: str
    secret_key: str


class Rgw:
    """One monitor, one memory store, one gateway. Starts in about a second; `stop` kills it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rgw-"))
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = count(1)
        self._monitor_v2, self._monitor_v1, self.port, self.tls_port = _free_ports(4)
        self.certificate, key = make_certificate(self.folder)
        (self.folder / "both.pem").write_bytes(key.read_bytes() + self.certificate.read_bytes())
        (self.folder / "keyring").touch()
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        self._conf.write_text(self._configuration())
        give_to_nobody(self.folder, *self.folder.iterdir())
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self) -> str:
        return f"127.0.0.1:{self.tls_port}"

    @cached_property
    def account(self) -> Account:
        """The account that most tests share."""
        return self.new_account()

    def new_account(self, quota_bytes: int = 0) -> Account:
        """Make an account; with a quota each of its buckets takes so many bytes."""
        number = next(self._numbers)
        name, made = f"tester-{number}", Account(f"access{number:014d}", f"secret{number:034d}")
        self.admin(
            "user", "create", "--uid", name, "--display-name", name,
            "--access-key", made.access_key, "--secret-key", made.secret_key,
        )  # fmt: skip
        if quota_bytes:
            limited = ("--quota-scope=bucket", "--uid", name)
            self.admin("quota", "set", *limited, f"--max-size={quota_bytes}B")
            self.admin("quota", "enable", *limited)
        return made

    def raw(self, account: Account | None = None) -> Minio:
        """Return a plain client that asserts nothing and hides nothing."""
        who = account or self.account
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=DEADLINE_S), retries=False, maxsize=10)
        return Minio(self.endpoint, who.access_key, who.secret_key, secure=False, region=REGION, http_client=pool)

    def new_bucket(self, account: Account | None = None, *, object_lock: bool = False) -> str:
        """Make an empty bucket; return its name."""
        name = f"footage-{next(self._numbers)}"
        self.raw(account).make_bucket(name, object_lock=object_lock)
        return name

    def admin(self, *words: str) -> str:
        """Run radosgw-admin; return what it said."""
        return self._run("radosgw-admin", "-c", str(self._conf), "-n", "client.rgw", *words)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the gateway in its tracks: connections stay open, nothing is answered."""
        gateway = self._children["rgw"]
        gateway.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            gateway.send_signal(signal.SIGCONT)

    def lay_down(self) -> None:
        """End the store in order: what it kept in memory is in its files from then on, and it serves no more."""
        keeper = self._children["osd"]
        keeper.terminate()
        keeper.wait(DEADLINE_S)

    def stop(self) -> None:
        """Kill everything and remove what it had."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait(DEADLINE_S)
        shutil.rmtree(self.folder)

    @property
    def _conf(self) -> Path:
        return self.folder / "ceph.conf"

    def _start(self) -> None:
        conf, keyring, monmap = str(self._conf), str(self.folder / "keyring"), str(self.folder / "monmap")
        addresses = f"[v2:127.0.0.1:{self._monitor_v2},v1:127.0.0.1:{self._monitor_v1}]"
        self._run("monmaptool", "--create", "--fsid", str(_CLUSTER), "--addv", "a", addresses, monmap)
        self._run("ceph-mon", "-c", conf, "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)
        self._spawn("mon", "ceph-mon", "-c", conf, "-f", "-i", "a")
        self._run("ceph", "-c", conf, "--connect-timeout", "20", "osd", "new", str(_OSD))
        self._run("ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", str(_OSD))
        self._spawn("osd", "ceph-osd", "-c", conf, "-f", "-i", "0")
        self._name_the_region()
        self._spawn("rgw", "radosgw", "-c", conf, "-f", "-n", "client.rgw")
        self._wait_for_an_answer()

    def _name_the_region(self) -> None:
        assert self.account, "the first account makes the zone group that there is without our asking"
        group = json.loads(self.admin("zonegroup", "get"))
        group["api_name"] = REGION
        path = self.folder / "zonegroup.json"
        path.write_text(json.dumps(group))
        self.admin("zonegroup", "set", "--infile", str(path))

    def _wait_for_an_answer(self) -> None:
        pause = threading.Event()
        for _ in range(DEADLINE_S * 50):
            ended = [name for name, child in self._children.items() if child.poll() is not None]
            if ended:
                said = "".join((self.folder / f"{name}.said").read_text(errors="replace")[-500:] for name in ended)
                raise ChildProcessError(f"{ended} ended: {said}")
            try:
                with urllib.request.urlopen(f"http://{self.endpoint}/", timeout=5):
                    return
            except OSError:
                pause.wait(0.02)
        raise TimeoutError("the gateway does not answer")

    def _run(self, *words: str) -> str:
        ran = subprocess.run(
            as_nobody(*words), env=self._environment, cwd=self.folder, capture_output=True, text=True,
            timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        if ran.returncode:
            raise ChildProcessError(f"{words[0]} ended with {ran.returncode}: {ran.stderr[-500:]}")
        return ran.stdout

    def _spawn(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.said").open("wb") as said:
            self._children[name] = subprocess.Popen(
                as_nobody(*words), env=self._environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, start_new_session=True,
            )  # fmt: skip

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": _PATH,
            "HOME": str(self.folder),
            "CEPH_ARGS": "--no-mon-config",
            "CEPH_CONF": str(self._conf),
        }

    def _configuration(self) -> str:
        """Without logins inside the cluster, and with a monitor that proposes at once: it starts in a second."""
        here = self.folder
        ports = f"endpoint={self.endpoint} ssl_endpoint={self.tls_endpoint}"
        # Without tcp_nodelay each answer of two packets waits 40 ms for the first one's receipt.
        front = f"beast {ports} ssl_certificate={here}/both.pem tcp_nodelay=1"
        return f"""
[global]
fsid = {_CLUSTER}
mon_host = [v2:127.0.0.1:{self._monitor_v2},v1:127.0.0.1:{self._monitor_v1}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
admin_socket =
pid_file =
run_dir = {here}
crash_dir = {here}
log_file = {here}/$name.log
keyring = {here}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
[mon.a]
mon_data = {here}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
[osd.0]
osd_data = {here}/osd
osd_objectstore = memstore
memstore_device_bytes = {1 << 30}
osd_fast_shutdown = false
[client.rgw]
rgw_data = {here}/rgw
rgw_frontends = {front}
rgw_thread_pool_size = 32
rgw_max_listing_results = 20
rgw_bucket_quota_ttl = 0
"""


def started() -> Iterator[Rgw]:
    """Start a gateway for a session fixture; skip, or fail in CI, where Ceph is missing."""
    if lacking := lacks():
        missing(f"{lacking} (Debian: radosgw ceph-mon ceph-osd ceph-common)")
    gateway = _start_somewhere()
    try:
        yield gateway
    finally:
        gateway.stop()


def lacks() -> str:
    """Name a program that the gateway needs and that is not installed; nothing if all are."""
    return next((one for one in PROGRAMS if shutil.which(one, path=_PATH) is None), "")


def _start_somewhere() -> Rgw:
    """A port that was free may be taken a moment later by somebody else: then elsewhere."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return Rgw()
        except ChildProcessError:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _free_ports(wanted: int) -> list[int]:
    links = [socket.create_server(("127.0.0.1", 0)) for _ in range(wanted)]
    ports: list[int] = [link.getsockname()[1] for link in links]
    for link in links:
        link.close()
    return ports
