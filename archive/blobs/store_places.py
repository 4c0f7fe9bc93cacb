"""Where each store of this installation is, and the file that names those beside the first.

One store is told of by settings (`default`); `VMS_STORES_FILE` names others, each in a region of its own. See
docs/operate/stores.md, "Several regions".
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from archive.blobs.rules import DEFAULT_STORE, BucketTerms
from archive.blobs.s3_place import BucketPlace
from archive.errors import StoresFileUnusable

_LONGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class InFolder:
    """A store in a folder of this machine."""

    folder: Path


@dataclass(frozen=True, slots=True)
class InBucket:
    """A store in a bucket, and the files with the secrets that it knows us by."""

    bucket: BucketPlace
    access_key_file: Path | None
    secret_key_file: Path | None
    erases_versions: bool = False


@dataclass(frozen=True, slots=True)
class StorePlace:
    """One store: its name in the rows, the region that footage is promised to stay in, and where it is."""

    name: str
    region: str
    lies_in: InFolder | InBucket
    capacity_bytes: int | None = None

    @property
    def bucket_terms(self) -> BucketTerms:
        """Return what is wanted of the bucket; of a folder nothing is asked."""
        erases_versions = isinstance(self.lies_in, InBucket) and self.lies_in.erases_versions
        return BucketTerms(self.region, erases_versions, capacity_bytes=self.capacity_bytes)


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("a path begins at the root")
    return path


_File = Annotated[Path, AfterValidator(_absolute)]
_Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    name: _Word
    region: _Word
    capacity_bytes: Annotated[int, Field(gt=0)] | None = None


class _ToldFolder(_Told):
    kind: Literal["folder"]
    folder: _File


class _ToldBucket(_Told):
    kind: Literal["s3"]
    endpoint: Annotated[str, Field(pattern=r"^[^/\s]+$")]
    bucket: Annotated[str, Field(min_length=3, max_length=63)]
    access_key_file: _File
    secret_key_file: _File
    ca_file: _File | None = None
    erases_versions: bool = False


class _ToldStores(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    store: list[Annotated[_ToldFolder | _ToldBucket, Field(discriminator="kind")]] = []


def read_stores(file: Path) -> tuple[StorePlace, ...]:
    """Return the stores that a file names, in its order. Raises StoresFileUnusable, which says what is wrong with it.

    No secret is in the file: it names the files in which they are.
    """
    try:
        with file.open("rb") as opened:
            told = _ToldStores.model_validate(tomllib.loads(opened.read(_LONGEST).decode()))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(one) for one in first["loc"])
        raise StoresFileUnusable(f"the file of stores: {where}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise StoresFileUnusable(f"the file of stores cannot be read: {type(error).__name__}") from None
    return tuple(_place(one) for one in told.store)


def each_of_its_own(places: Sequence[StorePlace]) -> tuple[StorePlace, ...]:
    """Return the stores; no two have one name, one region, or one place. Raises StoresFileUnusable."""
    for what, of_each in (
        ("name", [one.name for one in places]),
        ("region", [one.region for one in places]),
        ("place", [_where(one) for one in places]),
    ):
        if len(set(of_each)) < len(of_each):
            hint = f": {DEFAULT_STORE} is the one of the settings" if what == "name" else ""
            raise StoresFileUnusable(f"two stores have the same {what}{hint}")
    return tuple(places)


def _where(place: StorePlace) -> tuple[str, str]:
    if isinstance(place.lies_in, InFolder):
        return "", str(place.lies_in.folder.resolve())
    return place.lies_in.bucket.endpoint.lower(), place.lies_in.bucket.bucket


def _place(told: _ToldFolder | _ToldBucket) -> StorePlace:
    lies_in: InFolder | InBucket
    if isinstance(told, _ToldFolder):
        lies_in = InFolder(told.folder)
    else:
        bucket = BucketPlace(told.endpoint, told.bucket, told.region, uses_tls=True, ca_file=told.ca_file)
        lies_in = InBucket(bucket, told.access_key_file, told.secret_key_file, told.erases_versions)
    return StorePlace(told.name, told.region, lies_in, told.capacity_bytes)
