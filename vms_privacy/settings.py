"""Every setting, its default and its limits: one frozen object, read from the environment by the assembly alone.

Secrets have no settings: they live in the keyring. Durations are timedeltas, sizes are bytes. A value that is out of
its limits stops the start with its name.
"""

import os
import re
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from archive.blobs.rules import DEFAULT_STORE
from archive.blobs.s3_place import BucketPlace
from archive.blobs.store_places import InBucket, InFolder, StorePlace, each_of_its_own, read_stores
from vms_privacy.keyring.pkcs11_token import TokenPlace
from vms_privacy.keyring.rules import ROOT_LIFE
from vms_privacy.web import Duration, format_duration, is_loopback

_PREFIX: Final = "VMS_"
_URL: Final = "VMS_URL"
"""No setting of the service: the command line goes by it."""
Network = IPv4Network | IPv6Network


def _commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_DATABASE: Final = re.compile(r"sqlite:///|postgresql(\+psycopg)?://[^/@]+@")


class Settings(BaseSettings):
    """How this installation runs. Each field is one line of the operator's manual."""

    model_config = SettingsConfigDict(
        env_prefix="VMS_", frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    data_dir: Path = Path("/var/lib/vms-privacy")
    """Where everything this installation keeps lies: database, archive, spool, keyring, journal, anchor."""

    database_url: str | None = None
    """SQLAlchemy address of the database; by default SQLite in the data folder. See docs/operate/postgresql.md."""

    database_owner_url: str | None = None
    """The same database as PostgreSQL's owner of the tables, for `init` and `migrate` alone. The service has a role of
    its own, which cannot change what is only ever added."""

    keyring_dir: Path | None = None
    """Where the keyring lies. Put it on another disk than the archive; by default `keyring` in the data folder."""

    keyring_kind: Literal["file", "pkcs11"] = "file"
    """Where the keyring's roots are: in files of its folder, or in a token behind PKCS#11. See docs/operate/keys.md."""

    pkcs11_library: Path | None = None
    """The library that speaks to the token, such as `/usr/lib/softhsm/libsofthsm2.so`."""

    pkcs11_token: str | None = None
    """The label of the token that holds the roots."""

    pkcs11_pin_file: Path | None = None
    """File with the token's PIN, readable by the service's user alone."""

    archive_dir: Path | None = None
    """Where sealed footage lies; by default `archive` in the data folder."""

    store: Literal["folder", "s3"] = "folder"
    """Where sealed footage lies: in `archive_dir`, or in the bucket of an S3 store. See docs/operate/stores.md."""

    store_capacity_bytes: Annotated[int, Field(gt=0)] | None = None
    """How many bytes of footage the store may hold. By default a folder holds what its file system has room for; of a
    bucket nobody can tell, and nothing is refused for want of room."""

    s3_endpoint: Annotated[str, Field(pattern=r"^[^/\s]+$")] | None = None
    """Host, and port where it is not 443, of the S3 store. It is reached by TLS alone."""

    s3_bucket: str | None = None
    """An empty bucket that is there already and that nothing else uses; `init` makes it the store."""

    s3_region: str | None = None
    """Region that footage must stay in. A bucket that lies elsewhere stops the start."""

    s3_access_key_file: Path | None = None
    """File with the access key, readable by the service's user alone."""

    s3_secret_key_file: Path | None = None
    """File with the secret key, readable by the service's user alone."""

    s3_ca_file: Path | None = None
    """PEM file of the certificates the S3 store is trusted by; by default those of the system."""

    s3_erases_versions: bool = False
    """A bucket that keeps versions, or has object lock without a default retention, is wanted: all are erased."""

    archive_region: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")] = "here"
    """What the region of `archive_dir` is called; a bucket's is `s3_region`. Footage that is still growing, or waits
    for its store, lies in the data folder: in the service's own region."""

    stores_file: Path | None = None
    """TOML file of further stores, each in a region of its own, for operators whose footage was promised to stay
    elsewhere than in the store of these settings. See docs/operate/stores.md."""

    host: str = "127.0.0.1"
    """Address the HTTP port listens on. A public one needs TLS or `behind_proxy`."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """HTTP port; 0 takes a free one."""

    tls_certificate: Path | None = None
    """PEM file of the server certificate chain. TLS 1.2 and 1.3 only."""

    tls_key: Path | None = None
    """PEM file of the server's private key."""

    behind_proxy: bool = False
    """A reverse proxy in front ends TLS and is the only one that can reach the port."""

    camera_networks: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_commas)] = (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv4Network("127.0.0.0/8"),
        IPv6Network("fc00::/7"),
        IPv6Network("::1/128"),
    )
    """Networks in which cameras may be, separated by commas; the service connects to no other address."""

    ring: Annotated[Duration, Field(ge=timedelta(seconds=5), le=timedelta(seconds=120))] = timedelta(seconds=30)
    """How much live video is held in memory per camera."""

    sweep_every: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(seconds=60)
    """How often expired footage is destroyed; it is unreadable from its very second in any case."""

    root_life: Annotated[Duration, Field(ge=timedelta(days=1), le=timedelta(days=90))] = ROOT_LIFE
    """How long a root of the keyring may be in use; it is rotated and destroyed before. Receipts promise that so long
    after a destruction no older copy of the key files opens anything. A shorter one applies at the next start, a
    longer one to the next root."""

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _is_a_database_of_ours(cls, value: str | None) -> str | None:
        if value is not None and not _DATABASE.match(value):
            raise ValueError(
                "rows are in SQLite or PostgreSQL: sqlite:///FILE or postgresql+psycopg://ROLE@HOST/DATABASE"
            )
        return value

    @model_validator(mode="after")
    def _the_bucket_is_told_whole(self) -> Self:
        needed = ("s3_endpoint", "s3_bucket", "s3_region", "s3_access_key_file", "s3_secret_key_file")
        missing = [f"VMS_{name.upper()}" for name in needed if not getattr(self, name)]
        if self.store == "s3" and missing:
            raise ValueError(f"VMS_STORE=s3 needs {', '.join(missing)} too")
        return self

    @model_validator(mode="after")
    def _the_token_is_told_whole(self) -> Self:
        needed = ("pkcs11_library", "pkcs11_token", "pkcs11_pin_file")
        missing = [f"VMS_{name.upper()}" for name in needed if getattr(self, name) is None]
        if self.keyring_kind == "pkcs11" and missing:
            raise ValueError(f"a keyring with its roots in a token needs {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _reachable_only_in_safety(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key come together")
        if not is_loopback(self.host) and self.tls_certificate is None and not self.behind_proxy:
            raise ValueError(
                f"host {self.host} can be reached from outside: set VMS_TLS_CERTIFICATE and VMS_TLS_KEY, or "
                "VMS_BEHIND_PROXY=true where a proxy ends TLS"
            )
        return self

    @property
    def url(self) -> str:
        """Return the database address."""
        return self.database_url or f"sqlite:///{self.data_dir / 'vms-privacy.db'}"

    @property
    def owner_url(self) -> str:
        """Return the database address of whoever makes and changes tables."""
        return self.database_owner_url or self.url

    @property
    def keyring(self) -> Path:
        """Return the keyring's folder."""
        return self.keyring_dir or self.data_dir / "keyring"

    @property
    def token_place(self) -> TokenPlace | None:
        """Return where the token with the keyring's roots is; None where they are in files."""
        if self.keyring_kind == "file" or self.pkcs11_library is None or self.pkcs11_pin_file is None:
            return None
        return TokenPlace(self.pkcs11_library, self.pkcs11_token or "", self.pkcs11_pin_file)

    @property
    def archive(self) -> Path:
        """Return the archive's folder."""
        return self.archive_dir or self.data_dir / "archive"

    @property
    def default_store(self) -> StorePlace:
        """Return the store that every installation has."""
        if self.store == "folder":
            return StorePlace(DEFAULT_STORE, self.archive_region, InFolder(self.archive), self.store_capacity_bytes)
        region = self.s3_region or ""
        bucket = BucketPlace(self.s3_endpoint or "", self.s3_bucket or "", region, ca_file=self.s3_ca_file)
        lies_in = InBucket(bucket, self.s3_access_key_file, self.s3_secret_key_file, self.s3_erases_versions)
        return StorePlace(DEFAULT_STORE, region, lies_in, self.store_capacity_bytes)

    @property
    def stores(self) -> tuple[StorePlace, ...]:
        """Return every store, that of these settings first; reads the file of stores. Raises StoresFileUnusable."""
        others = () if self.stores_file is None else read_stores(self.stores_file)
        return each_of_its_own((self.default_store, *others))

    @property
    def spool(self) -> Path:
        """Return where growing and undelivered sealed files lie."""
        return self.data_dir / "spool"

    @property
    def journal(self) -> Path:
        """Return the custody journal: beside the keyring, outside the database."""
        return self.keyring.parent / "journal"

    @property
    def anchor(self) -> Path:
        """Return where signed audit checkpoints are anchored."""
        return self.keyring.parent / "anchor"


def unknown_variables() -> dict[str, str]:
    """Return the variables of the environment that look like settings and are none, each with the nearest setting."""
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    strangers = sorted(name for name in os.environ if name.startswith(_PREFIX) and name.upper() not in {*known, _URL})
    return {name: next(iter(get_close_matches(name.upper(), known, 1)), "") for name in strangers}


def manual() -> str:
    """Return the operator's page about settings, one line each, as it is checked in."""
    rows = [
        f"| `VMS_{name.upper()}` | {_default(field.default)} | {' '.join((field.description or '').split())} |"
        for name, field in Settings.model_fields.items()
    ]
    says = (
        "Read from the environment. A value out of its limits stops the start; a variable `VMS_…` that is no setting "
        "is told of on standard error."
    )
    head = ["# Settings", "", says, ""]
    return "\n".join([*head, "| variable | default | meaning |", "|---|---|---|", *rows, ""])


def _default(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, timedelta):
        return f"`{format_duration(value)}`"
    if isinstance(value, tuple):
        return "`" + ",".join(str(one) for one in value) + "`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
