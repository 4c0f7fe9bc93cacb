"""Stores in buckets of the gateway, ready to use."""

from dataclasses import replace
from pathlib import Path

from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from archive.blobs.minio_store import READ_S, S3Bucket
from archive.blobs.rules import MARK, BucketTerms
from archive.blobs.s3_place import BucketPlace, S3Keys
from archive.blobs.s3_store import S3Store
from tests.given.rgw import REGION, Account, Rgw

TERMS = BucketTerms(REGION, is_production=False)
VERSIONS = replace(TERMS, erases_versions=True)


def bucket_of(
    rgw: Rgw,
    bucket: str,
    account: Account | None = None,
    *,
    region: str = REGION,
    endpoint: str | None = None,
    ca_file: Path | None = None,
    read_s: float = READ_S,
    kind: type[S3Bucket] = S3Bucket,
) -> S3Bucket:
    """Speak to a bucket: over TLS where a file with certificates is given, else in clear."""
    who = account or rgw.account
    uses_tls = ca_file is not None
    place = BucketPlace(
        endpoint or (rgw.tls_endpoint if uses_tls else rgw.endpoint), bucket, region, uses_tls=uses_tls, ca_file=ca_file
    )
    return kind(place, S3Keys(who.access_key, who.secret_key), read_s=read_s)


def s3_store(rgw: Rgw, account: Account | None = None, *, keeps_versions: bool = False) -> S3Store:
    """Make a store in a bucket of its own."""
    name = rgw.new_bucket(account)
    if keeps_versions:
        rgw.raw(account).set_bucket_versioning(name, VersioningConfig(ENABLED))
    return S3Store.create(bucket_of(rgw, name, account), VERSIONS if keeps_versions else TERMS)


def everything_in(rgw: Rgw, bucket: str, account: Account | None = None) -> list[tuple[str, bool]]:
    """List (name, is a delete marker) of everything a bucket keeps but the mark, as a plain client sees it."""
    found = rgw.raw(account).list_objects(bucket, recursive=True, include_version=True)
    return [(one.object_name or "", one.is_delete_marker) for one in found if one.object_name != MARK]
