"""Who may import whom: the contracts hold, cover every module, and break where an arrow goes up."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

from tests.guards.sources import PACKAGES, ROOT

_KINDS: Final[Mapping[str, type[Contract]]] = {
    "layers": LayersContract,
    "forbidden": ForbiddenContract,
    "protected": ProtectedContract,
}
# An arrow that nobody may draw, and the contract that says so.
FORBIDDEN_ARROWS: Final = (
    ("Imports point down the page", "auth.gate", "archive.segments.store"),
    ("Imports point down the page", "vms_privacy.audit.log", "auth.principal"),
    ("Every module of vms_privacy has a floor", "vms_privacy.db", "vms_privacy.app"),
    ("Inside the archive", "archive.segments.store", "archive.erasure.service"),
    ("Inside the archive", "archive.recorder.camera", "archive.playback.service"),
    ("Inside streams", "streams.media.relay", "streams.live.service"),
    ("Inside streams", "streams.live.service", "streams.simulator.camera"),
    ("Inside auth", "auth.gate", "auth.tokens.service"),
    ("Behind the gate, services know no gate and no face", "auth.grants.service", "auth.gate"),
    ("Behind the gate, services know no gate and no face", "auth.grants.service", "auth.identities.service"),
    ("Inside one concept", "archive.segments.rules", "archive.segments.store"),
    ("Inside one concept", "vms_privacy.consent.store", "vms_privacy.consent.ledger"),
    ("Rules are plain Python", "archive.retention.rules", "sqlalchemy"),
    ("Services and stores know no web", "archive.retention.service", "fastapi"),
    ("Only faces and the assembly ask the gate", "archive.erasure.service", "auth.gate"),
    ("Verdicts on grants are given in auth alone", "archive.playback.service", "auth.grants.rules"),
    ("Only the assembly reads settings", "vms_privacy.http.health", "vms_privacy.settings"),
    ("Keys in the clear have few readers", "archive.segments.store", "vms_privacy.keyring.plaintext"),
    ("Segment keys are opened by few", "archive.erasure.service", "archive.keys.wrap"),
    ("One door to cryptography", "auth.tokens.handles", "cryptography"),
    ("One door to av", "archive.playback.movie", "av"),
    ("A camera's bytes meet libav in the child alone", "streams.ingest.service", "streams.media.init_making"),
    ("Nobody imports the child", "streams.media.demux", "streams.media.demux_child"),
    ("Pictures are decoded and encoded for simulated cameras alone", "streams.live.http", "streams.media.decoder"),
    ("One door to jwt", "auth.gate", "jwt"),
    ("One door to pkcs11", "vms_privacy.keyring.pkcs11_roots", "pkcs11"),
    ("One door to minio", "archive.blobs.s3_store", "minio"),
    ("One door to argon2", "auth.sessions.service", "argon2"),
    ("One door to other processes", "archive.erasure.service", "subprocess"),
    ("One door to the web server", "vms_privacy.faces", "uvicorn"),
    ("One door to migrations", "vms_privacy.db", "alembic"),
    ("One door to the command line and to the environment", "vms_privacy.app", "typer"),
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    told = read_configuration(str(ROOT / "pyproject.toml"))
    return {
        one["name"]: _KINDS[one["type"]](one["name"], told["session_options"], one) for one in told["contracts_options"]
    }


def holds(contract: Contract, graph: grimp.ImportGraph) -> bool:
    return bool(contract.check(deepcopy(graph), verbose=False).kept)


def test_every_contract_holds(contracts: dict[str, Contract], graph: grimp.ImportGraph) -> None:
    assert [name for name, contract in contracts.items() if not holds(contract, graph)] == []


@pytest.mark.parametrize(("name", "importer", "imported"), FORBIDDEN_ARROWS)
def test_a_forbidden_arrow_breaks_its_contract(
    contracts: dict[str, Contract], graph: grimp.ImportGraph, name: str, importer: str, imported: str
) -> None:
    drawn: Any = deepcopy(graph)
    assert {importer, imported} <= drawn.modules
    drawn.add_import(importer=importer, imported=imported)
    assert not holds(contracts[name], drawn)


def test_every_contract_is_shown_to_break(contracts: dict[str, Contract]) -> None:
    assert set(contracts) == {name for name, _, _ in FORBIDDEN_ARROWS}


@pytest.mark.parametrize("room", PACKAGES)
def test_a_new_module_without_a_floor_is_found(
    contracts: dict[str, Contract], graph: grimp.ImportGraph, room: str
) -> None:
    grown: Any = deepcopy(graph)
    grown.add_module(f"{room}.newcomer")
    assert not all(holds(contract, grown) for contract in contracts.values())
