"""What the service is deployed with is checked like code: its schema, its variables, its locks, its secrets."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.guards.deployment import (
    compose_of,
    copied,
    given,
    image_faults,
    instructions,
    reachable,
    secrets_in,
    unknown_variables,
    unlocked,
    within,
)
from tests.guards.sources import PACKAGES, ROOT
from vms_privacy.settings import Settings

COMPOSE: Final = ROOT / "docker-compose.yml"
DOCKERFILE: Final = ROOT / "Dockerfile"
KNOWN: Final = {f"VMS_{name.upper()}" for name in Settings.model_fields}
BIN: Final = Path(sys.executable).parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return compose_of(COMPOSE.read_text())


# -- forms


def _schema_says(file: Path) -> str:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if said.returncode == 0 else said.stdout + said.stderr


def _linter_says(file: Path) -> str:
    said = subprocess.run([BIN / "hadolint", str(file)], capture_output=True, text=True, timeout=60, check=False)
    return "" if said.returncode == 0 else said.stdout + said.stderr


def test_the_compose_file_has_the_form_of_one() -> None:
    assert _schema_says(COMPOSE) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("read_only: true", "readonly: true"), ("condition: service_healthy", "condition: service_heathly")],
)
def test_a_compose_file_with_a_slip_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE.read_text().replace(right, wrong))
    assert "docker-compose.yml" in _schema_says(file)


def test_the_dockerfile_is_linted() -> None:
    assert _linter_says(DOCKERFILE) == ""


def test_a_dockerfile_with_a_slip_is_found(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text(
        DOCKERFILE.read_text().replace("USER 10001:10001", "USER root").replace("WORKDIR /build", "WORKDIR build")
    )
    said = _linter_says(file)
    assert "DL3002" in said, "the last user is root"
    assert "DL3000" in said, "a folder that depends on the one before"


# -- variables


def test_every_variable_of_the_deployment_is_a_setting() -> None:
    files = [COMPOSE, DOCKERFILE, *sorted((ROOT / "deploy").iterdir())]
    assert [f"{file.name}: {name}" for file in files for name in unknown_variables(file.read_text(), KNOWN)] == []
    assert "VMS_DATABASE_URL" in COMPOSE.read_text(), "the search looks where they are"


def test_a_variable_that_is_no_setting_is_found() -> None:
    text = "VMS_HOST: a\nVMS_HOSTS: b\n- VMS_S3_BUCKETS=c\nENV VMS_PORT=1\n"
    assert unknown_variables(text, KNOWN) == ["VMS_HOSTS", "VMS_S3_BUCKETS"]


@pytest.mark.parametrize("service", ["service", "setup"])
def test_the_service_starts_with_what_the_compose_file_sets(compose: dict[str, Any], service: str) -> None:
    told = compose["services"][service]["environment"]
    set_here = {name.removeprefix("VMS_").lower(): value for name, value in told.items() if name.startswith("VMS_")}
    settings = Settings(**set_here)
    assert settings.store == "s3"
    assert (settings.database_owner_url is not None) == (service == "setup")


# -- locks


def test_no_container_may_do_more_than_it_must(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert [fault for name, service in services.items() for fault in unlocked(name, service)] == []
    assert services.keys() >= {"service", "database", "store"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"read_only": False}, "its root can be written to"),
        ({"cap_drop": ["NET_RAW"]}, "it keeps capabilities"),
        ({"cap_add": ["SYS_ADMIN"]}, "it keeps capabilities"),
        ({"security_opt": []}, "it may gain privileges"),
        ({"privileged": True}, "it is privileged"),
        ({"devices": ["/dev/dri"]}, "it has devices"),
        ({"network_mode": "host"}, "it shares something with the host"),
        ({"user": "0:0"}, "its user is root, or has no number"),
        ({"user": "postgres"}, "its user is root, or has no number"),
        ({"ulimits": {"core": -1}}, "it leaves core dumps"),
        ({"memswap_limit": "9g"}, "it may be swapped out"),
        ({"image": "postgres"}, "it has no image of a fixed version"),
        ({"image": "registry:5000/postgres:latest"}, "it has no image of a fixed version"),
        ({"volumes": ["/srv/x:/x"]}, "a missing folder is made by the engine"),
    ],
)
def test_a_lock_that_is_left_open_is_found(compose: dict[str, Any], change: dict[str, Any], fault: str) -> None:
    assert unlocked("it", {**compose["services"]["database"], **change}) == [f"it: {fault}"]


def test_only_the_service_can_be_reached_and_by_default_from_this_machine_alone(compose: dict[str, Any]) -> None:
    assert reachable(compose, "service") == []
    assert compose["services"]["service"]["ports"] == ["127.0.0.1:8080:8080"]


def test_a_way_in_from_outside_is_found() -> None:
    networks = {"inside": {"internal": True}, "outside": {}}
    services = {
        "front": {"ports": ["8080:8080"], "networks": ["outside"]},
        "rows": {"ports": ["127.0.0.1:5432:5432"], "networks": ["inside"]},
        "bytes": {"networks": ["inside", "outside"]},
        "more": {},
    }
    assert reachable({"networks": networks, "services": services}, "front") == [
        "front: publishes 8080:8080 to everybody",
        "rows: publishes 127.0.0.1:5432:5432",
        "bytes: is in outside, which leads outside",
        "more: is in default, which leads outside",
    ]


def test_nobody_can_name_another_container_as_a_camera(compose: dict[str, Any]) -> None:
    allowed = compose["services"]["service"]["environment"]["VMS_CAMERA_NETWORKS"].split(",")
    assert within(compose, allowed) == []
    assert within(compose, ["172.16.0.0/12"]) == ["inside: 172.31.80.0/28"]
    assert within({"networks": {"inside": {"internal": True}}}, allowed) == ["inside: any"]


# -- secrets


def test_no_secret_stands_in_the_compose_file(compose: dict[str, Any]) -> None:
    assert secrets_in(compose) == []


def test_a_secret_in_a_compose_file_is_found() -> None:
    services = {
        "a": {"environment": {"POSTGRES_PASSWORD": "x", "POSTGRES_PASSWORD_FILE": "/run/secrets/x"}},
        "b": {"environment": ["VMS_DATABASE_URL=postgresql://role:hunter2@host/db"]},
        "c": {"command": ["--to", "https://user:hunter2@host/"], "env_file": ".env"},
    }
    secrets = {"good": {"file": "x"}, "bad": {"environment": "X"}}
    assert secrets_in({"services": services, "secrets": secrets}) == [
        "a: POSTGRES_PASSWORD",
        "b: VMS_DATABASE_URL",
        "c: https://user:hunter2@host/",
        "c: env_file",
        "secret bad",
    ]


def test_the_running_service_is_given_no_secret_that_would_let_it_rewrite(compose: dict[str, Any]) -> None:
    assert given(compose, "service") == {"trusted-certificates", "s3-access-key", "s3-secret-key", "pgpass-service"}
    everybody = set().union(*(given(compose, name) for name in compose["services"]))
    assert everybody == set(compose["secrets"]), "each is given to somebody"


def test_what_is_prepared_is_what_is_mounted(compose: dict[str, Any]) -> None:
    prepared = (ROOT / "deploy/prepare.sh").read_text()
    made = set(re.findall(r"\bsecret ([a-z][a-z0-9-]+) ", prepared))
    for host in re.findall(r"^certificate (\w+) ", prepared, re.MULTILINE):
        made |= {f"{host}-certificate", f"{host}-key"}
    assert made | {"trusted-certificates"} == set(compose["secrets"])
    place = "/srv/vms-privacy/"
    sources = {one["source"] for service in compose["services"].values() for one in service.get("volumes", ())}
    folders = {source.removeprefix(place) for source in sources if source.startswith(place)}
    assert folders == set(re.findall(r'^folder (\w+) "', prepared, re.MULTILINE))
    users = dict(re.findall(r"\b(service|database|store)=(\d+)", prepared))
    assert {name: f"{user}:{user}" for name, user in users.items()} == {
        name: compose["services"][name]["user"] for name in users
    }
    assert len(users) == 3


# -- the image


def test_the_image_runs_as_nobody_in_particular_and_installs_only_what_the_locks_name(compose: dict[str, Any]) -> None:
    text = DOCKERFILE.read_text()
    assert image_faults(text) == []
    assert dict(instructions(text))["USER"] == compose["services"]["service"]["user"]
    assert re.search(r"^ARG PYTHON=\S+:\d+\.\d+-slim-\w+$", text, re.MULTILINE), "its base has a tag"


def test_what_is_wrong_with_an_image_is_found() -> None:
    text = (
        "FROM a:1 AS build\nUSER 5:5\nADD https://example.org/x /x\nFROM a:1\nENV API_KEY=x\n"
        "RUN apt-get install -y gcc \\\n && pip install fastapi\nENTRYPOINT vms-privacy serve\n"
    )
    assert len(image_faults(text)) == 7
    assert len(image_faults(text.replace("RUN", "# RUN").replace(" &&", "# &&"))) == 5


def test_nothing_gets_into_a_build_but_what_the_image_is_made_of() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied(DOCKERFILE.read_text())
    assert copied(DOCKERFILE.read_text()) >= set(PACKAGES)
    assert copied("COPY --from=build /a /b\nCOPY a b /c/\nADD d /e\n# COPY f /g\n") == {"a", "b", "d"}


def test_the_locks_name_no_registry() -> None:
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert len(locks) == 3
    assert [lock.name for lock in locks if "://" in lock.read_text()] == []
