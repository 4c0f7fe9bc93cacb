"""Where a room needs what another knows, it declares a Protocol; each is listed here with who keeps it."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from tests.guards.lints.parsing import parsed
from tests.guards.sources import python_files

KEPT_BY: Final[Mapping[str, tuple[str, ...]]] = {
    # Ports: shapes of the outside world. What stands behind one is chosen where the service is put together.
    "vms_privacy.clock.Clock": (
        "vms_privacy.clock.SystemClock",
        "vms_privacy.guarded_clock.GuardedClock",
        "tests.given.clock.HandClock",
    ),
    "vms_privacy.ids.Randomness": ("vms_privacy.ids.SystemRandomness", "tests.given.randomness.CountedRandomness"),
    "vms_privacy.keyring.port.Keyring": (
        "vms_privacy.keyring.file_keyring.FileKeyring",
        "vms_privacy.keyring.pkcs11_keyring.Pkcs11Keyring",
    ),
    "vms_privacy.keyring.roots.Roots": (
        "vms_privacy.keyring.roots.FileRoots",
        "vms_privacy.keyring.pkcs11_roots.Pkcs11Roots",
    ),
    "archive.blobs.store.BlobStore": (
        "archive.blobs.folder_store.FolderStore",
        "archive.blobs.memory_store.MemoryStore",
        "archive.blobs.router.StoreRouter",
        "archive.blobs.s3_store.S3Store",
    ),
    # Joints: a lower room, or a lower concept, asks for what an upper one knows; `vms_privacy/app` joins them.
    "vms_privacy.consent.ledger.CameraOwners": ("auth.resources.store.ResourceStore",),
    "vms_privacy.consent.ledger.OwnedCamera": ("auth.resources.rules.Resource",),
    "streams.cameras.http.CameraStatuses": ("streams.ingest.service.IngestService",),
    "streams.ingest.tap.FragmentMaker": ("streams.media.fmp4.Fragmenter",),
    "streams.rtsp.sources.RtspSources": ("streams.simulator.service.SimulatedSources",),
    "streams.rtsp.sources.RtspFeed": ("streams.simulator.broadcast.SimulatedFeed",),
    "vms_privacy.recording_times.room.Room": (
        "archive.forecast.service.Forecaster",
        "vms_privacy.recording_times.room.Boundless",
    ),
    "archive.blobs.router.StoreNames": ("archive.segments.store_names.RowStores",),
    "archive.recorder.standing.Policies": ("archive.retention.service.RetentionService",),
    "archive.erasure.tools.DerivedCopies": ("archive.playback.service.Footage", "archive.recorder.delivery.Delivery"),
    "archive.explain.service.OpenRequests": ("vms_privacy.subject_requests.service.RequestService",),
    "archive.mandates.service.Minimums": ("archive.retention.terms.OperatorTerms",),
    # Inner shapes: who keeps them is known from the start.
    "streams.simulator.service.SimulatedCamera": (
        "streams.simulator.camera.CameraSimulator",
        "streams.simulator.replay.Replay",
    ),
    "vms_privacy.group_commit.GatheredInsert": ("vms_privacy.audit.inserting.PlainInsert",),
    "streams.media.demux.Hearer": ("streams.ingest.connection.Connection",),
    "streams.rtsp.outlets.Outlet": ("streams.rtsp.outlets.ControlOutlet", "streams.rtsp.outlets.UdpOutlet"),
    "streams.rtsp.conversation.Wire": ("streams.rtsp.connection.Connection",),
    "streams.ingest.connection.Receiver": ("streams.ingest.camera.KeptCamera",),
    "archive.check.joined.CheckedParts": ("vms_privacy.app.Assembly",),
    "archive.check.joined.CheckedSettings": ("vms_privacy.settings.Settings",),
    "archive.check.service.Progress": ("vms_privacy.cli.checking.Told",),
    "archive.check.opening.Decoding": ("streams.media.trial.DecodeTrial",),
    "archive.format.rebuild.Plaintext": ("archive.format.sealed_file.SealedReader",),
}


def protocols(source: str, path: str) -> Iterator[str]:
    """Go through the public Protocols of a module."""
    module = path.removesuffix(".py").replace("/", ".")
    for node in parsed(source).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
            if "Protocol" in bases:
                yield f"{module}.{node.name}"


def members(cls: Any) -> set[str]:
    """Return what a Protocol asks for."""
    return {name for name in vars(cls) if not name.startswith("_")} | set(getattr(cls, "__annotations__", ()))


def lacking(protocol: Any, keeper: Any) -> list[str]:
    """Return what a class lacks to keep a Protocol."""
    has = set(dir(keeper)) | {name for one in keeper.__mro__ for name in getattr(one, "__annotations__", ())}
    sources = "".join(inspect.getsource(one) for one in keeper.__mro__ if one.__module__ != "builtins")
    made = re.findall(r"self\.(\w+)\b[^=\n]*=", sources)
    return sorted(members(protocol) - has - set(made))


def named(name: str) -> Any:
    module, _, cls = name.rpartition(".")
    return getattr(importlib.import_module(module), cls)


def test_every_protocol_is_listed_with_who_keeps_it() -> None:
    found = {name for path, text in python_files() for name in protocols(text, path)}
    assert found == set(KEPT_BY)


@pytest.mark.parametrize(("protocol", "keeper"), [(name, one) for name, all_ in KEPT_BY.items() for one in all_])
def test_whoever_is_said_to_keep_a_protocol_has_what_it_asks_for(protocol: str, keeper: str) -> None:
    assert lacking(named(protocol), named(keeper)) == []


def test_a_new_protocol_and_a_broken_promise_are_found() -> None:
    source = "class Loud(Protocol): ...\nclass Quiet(typing.Protocol[T]): ...\nclass _Inner(Protocol): ...\n"
    assert list(protocols(source, "a/b.py")) == ["a.b.Loud", "a.b.Quiet"]
    assert lacking(named("archive.blobs.store.BlobStore"), named("vms_privacy.clock.SystemClock")) != []
