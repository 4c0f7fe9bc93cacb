"""Reading what the service is deployed with, as the guards need it: a Compose file and a Dockerfile."""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final

from ruamel.yaml import YAML

Service = Mapping[str, Any]
_DEFAULTED: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
_VARIABLE: Final = re.compile(r"\bVMS_[A-Z0-9_]*[A-Z0-9]\b")
_SECRET: Final = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|PIN|KEY|CREDENTIALS?)$")
_WITH_PASSWORD: Final = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_INSTRUCTION: Final = re.compile(r"^(?P<word>[A-Z]+)\s+(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE)


def compose_of(text: str) -> dict[str, Any]:
    """Read a Compose file with its defaults, as it is where no variable is set."""
    found: dict[str, Any] = YAML(typ="safe").load(_DEFAULTED.sub(r"\1", text))
    return found


def unknown_variables(text: str, known: set[str]) -> list[str]:
    """List variables that look like settings of the service and are none."""
    return sorted({name for name in _VARIABLE.findall(text) if name not in known})


def unlocked(name: str, service: Service) -> list[str]:
    """List what a container may do and need not."""
    user = str(service.get("user", ""))
    wanted = {
        "its root can be written to": service.get("read_only") is True,
        "it keeps capabilities": service.get("cap_drop") == ["ALL"] and not service.get("cap_add"),
        "it may gain privileges": "no-new-privileges:true" in service.get("security_opt", ()),
        "it is privileged": not service.get("privileged"),
        "it has devices": not service.get("devices"),
        "it shares something with the host": not {"network_mode", "pid", "ipc", "userns_mode"} & service.keys(),
        "its user is root, or has no number": re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) is not None,
        "it leaves core dumps": service.get("ulimits", {}).get("core") == 0,
        "it may start any number of processes": "pids_limit" in service,
        "it may take all memory": "mem_limit" in service,
        "it may be swapped out": service.get("memswap_limit") == service.get("mem_limit"),
        "it has no image of a fixed version": _is_pinned(service.get("image", "")),
        "the engine's socket is mounted": "docker.sock" not in str(service.get("volumes")),
        "a missing folder is made by the engine": all(_must_be_there(one) for one in service.get("volumes", ())),
    }
    return [f"{name}: {fault}" for fault, is_well in wanted.items() if not is_well]


def _is_pinned(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(tag) and tag != "latest"


def _must_be_there(volume: Any) -> bool:
    if not isinstance(volume, Mapping) or volume.get("type") != "bind":
        return False
    return volume.get("read_only") is True or volume.get("bind", {}).get("create_host_path") is False


def reachable(compose: Mapping[str, Any], front: str) -> list[str]:
    """List what can be reached from outside, beside the ports of `front` on this machine alone."""
    internal = {name for name, one in compose["networks"].items() if (one or {}).get("internal")}
    found = []
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            if name != front:
                found.append(f"{name}: publishes {port}")
            elif not str(port).startswith("127.0.0.1:"):
                found.append(f"{name}: publishes {port} to everybody")
        outside = set(service.get("networks", ["default"])) - internal
        if name != front and outside:
            found.append(f"{name}: is in {', '.join(sorted(outside))}, which leads outside")
    return found


def within(compose: Mapping[str, Any], networks: Sequence[str]) -> list[str]:
    """List the containers' own networks that overlap some of these; one that has no fixed addresses might."""
    found = []
    for name, one in compose["networks"].items():
        if not (one or {}).get("internal"):
            continue
        subnets = [config["subnet"] for config in (one.get("ipam") or {}).get("config", ())]
        overlaps = [subnet for subnet in subnets for other in networks if _overlap(subnet, other)]
        found += [f"{name}: {subnet}" for subnet in overlaps] or ([] if subnets else [f"{name}: any"])
    return found


def _overlap(one: str, other: str) -> bool:
    first, second = ip_network(one), ip_network(other)
    return first.version == second.version and first.overlaps(second)


def secrets_in(compose: Mapping[str, Any]) -> list[str]:
    """List secrets whose value stands in the file, or comes from the environment of whoever types the command."""
    found = []
    for name, service in compose["services"].items():
        environment = service.get("environment", {})
        pairs = environment.items() if isinstance(environment, Mapping) else (one.split("=", 1) for one in environment)
        found += [f"{name}: {key}" for key, value, *_ in map(list, pairs) if _is_secret(key, str(value))]
        words = [*service.get("command", ()), *service.get("entrypoint", ())]
        found += [f"{name}: {word}" for word in words if _WITH_PASSWORD.search(word)]
        found += [f"{name}: env_file" for _ in range("env_file" in service)]
    return found + [f"secret {name}" for name, one in compose.get("secrets", {}).items() if set(one) != {"file"}]


def _is_secret(key: str, value: str) -> bool:
    return _SECRET.search(key) is not None or _WITH_PASSWORD.search(value) is not None


def given(compose: Mapping[str, Any], service: str) -> set[str]:
    """Return the secrets that a container is given."""
    told = compose["services"][service].get("secrets", ())
    return {one if isinstance(one, str) else one["source"] for one in told}


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Go through (instruction, what it says) of a Dockerfile, without comments."""
    plain = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    for found in _INSTRUCTION.finditer(plain):
        yield found["word"], " ".join(found["rest"].replace("\\\n", " ").split())


def copied(dockerfile: str) -> set[str]:
    """Return what a Dockerfile takes from the folder that it is built in."""
    lines = [rest.split() for word, rest in instructions(dockerfile) if word in {"COPY", "ADD"}]
    return {source for line in lines if not line[0].startswith("--from") for source in line[:-1]}


def image_faults(dockerfile: str) -> list[str]:
    """List what is wrong with the last stage of a Dockerfile, the one that runs."""
    told = list(instructions(dockerfile))
    first = max((at for at, (word, _) in enumerate(told) if word == "FROM"), default=0)
    last = dict(told[first:])
    runs = " ".join(rest for word, rest in told[first:] if word == "RUN")
    wanted = {
        "runs as root": re.fullmatch(r"[1-9]\d*:[1-9]\d*", last.get("USER", "")) is not None,
        "starts by a shell": last.get("ENTRYPOINT", "").startswith("["),
        "does not say whether it is well": last.get("HEALTHCHECK", "NONE") != "NONE",
        "installs something in the stage that runs": not re.search(r"\b(apt|apt-get|pip|gcc|make)\b", runs),
        "installs what no lock names": all(_is_locked(rest) for word, rest in told if word == "RUN"),
        "takes something from the network by itself": all(word != "ADD" for word, _ in told),
        "has a secret in it": not any(
            _SECRET.search(re.split(r"[=\s]", rest)[0]) for word, rest in told if word in {"ARG", "ENV"}
        ),
    }
    return [fault for fault, is_well in wanted.items() if not is_well]


def _is_locked(run: str) -> bool:
    """Whether each installation of packages goes by hashes, or takes nothing from a registry."""
    installs = [part for part in run.split("&&") if re.search(r"\bpip\b.* (install|wheel)\b", part)]
    return all("--require-hashes" in part or "--no-index" in part for part in installs)
