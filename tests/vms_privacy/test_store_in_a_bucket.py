"""An installation whose store is a bucket: made once, over TLS, in the promised region, or it does not start."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from archive.blobs.rules import MARK, name_of
from archive.blobs.s3_store import S3Store
from archive.blobs.store_places import InBucket
from archive.errors import StoreDeniesAccess, StoreIsUnfit, StoreUnavailable
from tests.given.rgw import REGION, Rgw
from tests.given.s3 import everything_in
from vms_privacy.app import Assembly
from vms_privacy.install import initialise
from vms_privacy.settings import Settings

NAME = name_of(bytes(range(16)))


@pytest.fixture
def told(rgw: Rgw, tmp_path: Path) -> dict[str, Any]:
    """Settings of an installation in a bucket of its own."""
    for name, secret in (("access", rgw.account.access_key), ("secret", rgw.account.secret_key)):
        (tmp_path / name).write_text(secret + "\n")
        (tmp_path / name).chmod(0o600)
    return {
        "data_dir": tmp_path / "data",
        "store": "s3",
        "s3_endpoint": rgw.tls_endpoint,
        "s3_bucket": rgw.new_bucket(),
        "s3_region": REGION,
        "s3_access_key_file": tmp_path / "access",
        "s3_secret_key_file": tmp_path / "secret",
        "s3_ca_file": rgw.certificate,
    }


def test_init_makes_the_bucket_a_store_and_the_service_uses_it(rgw: Rgw, told: dict[str, Any]) -> None:
    settings = Settings(**told)
    initialise(settings)
    assert not settings.archive.exists()
    [store] = Assembly(settings).stores.values()
    assert isinstance(store, S3Store)
    store.put(NAME, io.BytesIO(b"sealed"), 6)
    assert everything_in(rgw, told["s3_bucket"]) == [(NAME, False)]
    assert rgw.raw().stat_object(told["s3_bucket"], MARK).size


def test_a_bucket_outside_the_promised_region_stops_init_and_start(told: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(StoreIsUnfit) as refused:
        initialise(Settings(**told | {"s3_region": "eu-west-3"}))
    assert refused.value.facts == {"reasons": "wrong-region"}
    told["data_dir"] = tmp_path / "again"
    initialise(Settings(**told))
    with pytest.raises(StoreIsUnfit):
        _ = Assembly(Settings(**told | {"s3_region": "eu-west-3"})).stores


def test_a_bucket_that_was_never_made_a_store_or_is_missing_stops_the_start(rgw: Rgw, told: dict[str, Any]) -> None:
    with pytest.raises(StoreIsUnfit) as refused:
        _ = Assembly(Settings(**told)).stores
    assert refused.value.facts == {"reasons": "not-a-store"}
    rgw.raw().remove_bucket(told["s3_bucket"])
    with pytest.raises(StoreIsUnfit) as refused:
        _ = Assembly(Settings(**told)).stores
    assert refused.value.facts == {"reasons": "no-bucket"}


def test_wrong_keys_and_shared_key_files_stop_the_start(told: dict[str, Any], tmp_path: Path) -> None:
    initialise(Settings(**told))
    (tmp_path / "secret").write_text("something else")
    with pytest.raises(StoreDeniesAccess):
        _ = Assembly(Settings(**told)).store
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(StoreDeniesAccess, match="unusable"):
        _ = Assembly(Settings(**told)).store


def test_a_store_that_cannot_be_reached_does_not_keep_the_service_from_starting(told: dict[str, Any]) -> None:
    initialise(Settings(**told))
    store = Assembly(Settings(**told | {"s3_endpoint": "127.0.0.1:9"})).store
    with pytest.raises(StoreUnavailable):
        store.size(NAME)


def test_a_bucket_that_is_told_in_parts_does_not_start_and_plain_http_cannot_be_said(told: dict[str, Any]) -> None:
    for name in ("s3_endpoint", "s3_bucket", "s3_region", "s3_access_key_file", "s3_secret_key_file"):
        with pytest.raises(ValidationError, match=f"VMS_{name.upper()}"):
            Settings(**{key: value for key, value in told.items() if key != name})
    with pytest.raises(ValidationError, match="s3_endpoint"):
        Settings(**told | {"s3_endpoint": "http://s3.example.org"})
    [place] = Settings(**told).stores
    assert isinstance(place.lies_in, InBucket)
    assert place.lies_in.bucket.uses_tls
    assert json.dumps(str(Settings(**told))).find("secret0") == -1
