"""What an installation's environment says of a real PostgreSQL, a real bucket and a real token, all three at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from tests.given.postgres import SERVICE, Postgres
from tests.given.rgw import REGION, Rgw
from tests.given.softhsm import SoftHsm
from vms_privacy.keyring.pkcs11_token import TokenPlace


@dataclass(frozen=True)
class RealParts:
    """An empty database, an empty bucket that keeps versions, and an empty token, each for one installation."""

    server: Postgres
    database: str
    rgw: Rgw
    bucket: str
    softhsm: SoftHsm
    token: TokenPlace
    environment: Mapping[str, str]


def real_parts(server: Postgres, rgw: Rgw, softhsm: SoftHsm, folder: Path) -> RealParts:
    """Make them; the two files with the bucket's secrets lie in the folder."""
    for name, secret in (("access", rgw.account.access_key), ("secret", rgw.account.secret_key)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(f"{secret}\n")
    database, token, bucket = server.create(), softhsm.new_token(), rgw.new_bucket()
    rgw.raw().set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    environment = {
        "VMS_DATABASE_URL": server.url(database, SERVICE),
        "VMS_DATABASE_OWNER_URL": server.url(database),
        "VMS_STORE": "s3",
        "VMS_S3_ENDPOINT": rgw.tls_endpoint,
        "VMS_S3_BUCKET": bucket,
        "VMS_S3_REGION": REGION,
        "VMS_S3_ACCESS_KEY_FILE": str(folder / "access"),
        "VMS_S3_SECRET_KEY_FILE": str(folder / "secret"),
        "VMS_S3_CA_FILE": str(rgw.certificate),
        "VMS_S3_ERASES_VERSIONS": "true",
        "VMS_KEYRING_KIND": "pkcs11",
        "VMS_PKCS11_LIBRARY": str(token.library),
        "VMS_PKCS11_TOKEN": token.label,
        "VMS_PKCS11_PIN_FILE": str(token.pin_file),
        # Which the library itself reads, in whatever process it is loaded.
        "SOFTHSM2_CONF": os.fspath(softhsm.folder / "softhsm2.conf"),
    }
    return RealParts(server, database, rgw, bucket, softhsm, token, environment)
