"""Further stores are named in a file; `init` and `make-store` mark them, and the start goes by them."""

from pathlib import Path

import pytest

from archive.blobs.folder_store import FolderStore
from archive.blobs.rules import DEFAULT_STORE, MARK
from archive.blobs.store_places import InBucket, InFolder, each_of_its_own, read_stores
from archive.errors import NoStoreForRegion, StoresFileUnusable, StoreUnavailable
from tests.given.access import Access
from tests.vms_privacy.cli.typed import say
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.install import initialise
from vms_privacy.serve import Running
from vms_privacy.settings import Settings

FOLDER = '[[store]]\nname = "almaty"\nregion = "kz-ala-1"\nkind = "folder"\nfolder = "{folder}"\n'
BUCKET = """[[store]]
name = "paris"
region = "eu-west-3"
kind = "s3"
endpoint = "s3.example.org"
bucket = "footage"
access_key_file = "/keys/access"
secret_key_file = "/keys/secret"
erases_versions = true
capacity_bytes = 1000
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "stores.toml"
    file.write_text(FOLDER.format(folder=tmp_path / "almaty"))
    return file


@pytest.fixture
def settings(tmp_path: Path, file: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", port=0, stores_file=file)


def test_the_store_of_the_settings_comes_first_and_those_of_the_file_in_its_order(file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text() + BUCKET)
    first, almaty, paris = Settings(data_dir=tmp_path / "data", stores_file=file).stores
    assert (first.name, first.region, first.lies_in) == (DEFAULT_STORE, "here", InFolder(tmp_path / "data/archive"))
    assert (almaty.name, almaty.region, almaty.lies_in) == ("almaty", "kz-ala-1", InFolder(tmp_path / "almaty"))
    assert isinstance(paris.lies_in, InBucket)
    assert (paris.lies_in.bucket.region, paris.lies_in.bucket.uses_tls) == ("eu-west-3", True)
    terms = paris.bucket_terms
    assert (terms.region, terms.erases_versions, terms.capacity_bytes) == ("eu-west-3", True, 1000)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("store = ", "TOMLDecodeError"),
        (BUCKET.replace('region = "eu-west-3"\n', ""), "region"),
        (BUCKET.replace('kind = "s3"', 'kind = "tape"'), "kind"),
        (BUCKET.replace("/keys/access", "keys/access"), "access_key_file"),
        (BUCKET.replace("s3.example.org", "http://s3.example.org"), "endpoint"),
        (BUCKET.replace("1000", "0"), "capacity_bytes"),
        (BUCKET + 'secret_key = "s"\n', "secret_key"),
        (BUCKET.replace("paris", "Paris Nord"), "name"),
        (BUCKET + BUCKET, "same name"),
        (BUCKET.replace("paris", DEFAULT_STORE), "same name"),
        (BUCKET + BUCKET.replace("paris", "lyon"), "same region"),
        (BUCKET.replace("eu-west-3", "here"), "same region"),
        (BUCKET + BUCKET.replace("paris", "lyon").replace("eu-west-3", "eu-west-4"), "same place"),
    ],
)
def test_a_file_that_is_wrong_or_contradicts_itself_is_refused_with_what_is_wrong(
    file: Path, tmp_path: Path, text: str, says: str
) -> None:
    file.write_text(text)
    with pytest.raises(StoresFileUnusable, match=says) as refused:
        _ = Settings(data_dir=tmp_path / "data", stores_file=file).stores
    assert refused.value.code == "stores-file-unusable"
    assert "footage" not in str(refused.value)


def test_a_file_that_is_not_there_stops_init_before_anything_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", stores_file=tmp_path / "nowhere")
    with pytest.raises(StoresFileUnusable, match="FileNotFoundError"):
        initialise(settings)
    assert not settings.data_dir.exists()
    with pytest.raises(StoresFileUnusable):
        read_stores(tmp_path)
    assert each_of_its_own([settings.default_store]) == (settings.default_store,)


def test_init_makes_each_a_store(settings: Settings, tmp_path: Path) -> None:
    initialise(settings)
    assert (settings.archive / MARK).exists()
    assert (tmp_path / "almaty" / MARK).exists()
    stores = Assembly(settings).stores
    assert list(stores) == [DEFAULT_STORE, "almaty"]
    assert all(isinstance(store, FolderStore) for store in stores.values())


def test_a_store_is_added_to_an_installation_that_is_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    initialise(settings.model_copy(update={"stores_file": None}))
    with pytest.raises(StoreUnavailable):
        _ = Assembly(settings).stores
    monkeypatch.setenv("VMS_STORES_FILE", str(settings.stores_file))
    monkeypatch.setenv("VMS_DATA_DIR", str(settings.data_dir))
    said = say(capsys, "make-store", "berlin", "--json")
    assert (said.code, said.document["code"]) == (4, "no-such-store")
    assert say(capsys, "make-store", "almaty").code == 0
    assert list(Assembly(settings).stores) == [DEFAULT_STORE, "almaty"]
    said = say(capsys, "make-store", "almaty", "--json")
    assert (said.code, said.document["code"]) == (5, "store-is-there")


def test_the_service_does_not_start_while_an_operators_region_has_no_store(settings: Settings) -> None:
    settings = settings.model_copy(update={"stores_file": None})
    initialise(settings)
    parts = Assembly(settings)
    Access(parts.db, parts.randomness).operator("almaty", region="kz-ala-1")
    with pytest.raises(NoStoreForRegion, match="kz-ala-1"):
        Running(parts).serve()
    parts.db.close()


def test_operators_of_before_there_were_regions_keep_the_store_they_had(settings: Settings) -> None:
    initialise(settings)
    parts = Assembly(settings)
    old = Access(parts.db, parts.randomness).operator("old", region=None)
    new = Access(parts.db, parts.randomness).operator("new", region="kz-ala-1")
    for settled in (1, 0):
        with parts.db.writing() as session:
            assert parts.operators.settle_regions(session, "worker:service") == settled
    with parts.db.reading() as session:
        assert parts.operators.regions_of(session, [old, new]) == {old: "here", new: "kz-ala-1"}
        assert parts.region_stores.store_for(session, old) == DEFAULT_STORE
        noted = session.query(EventRow).filter_by(tag=Tag.OPERATOR_REGION_SET).all()
        assert [(one.operator_id, one.actor) for one in noted] == [(old, "worker:service")]
    parts.db.close()
