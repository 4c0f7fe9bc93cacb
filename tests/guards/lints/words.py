"""One word, one meaning: docs/glossary.md is law for names in code, routes, commands and codes."""

import ast
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from tests.guards.lints.parsing import nodes

SAY_INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tenant": "operator",
        "customer": "operator",
        "organisation": "operator",
        "organization": "operator",
        "user": "person",
        "member": "person",
        "superuser": "platform admin",
        "device": "camera",
        "revoke": "withdraw",
        "revoked": "withdrawn",
        "permission": "right",
        "privilege": "right",
        "acl": "grant",
        "kick": "cut",
        "kicked": "cut",
        "proxy": "relay",
        "broker": "tap",
        "keyframe": "key picture",
        "clip": "segment",
        "ttl": "retention",
        "purge": "erase",
        "purged": "erased",
        "delete": "erase",
        "deleted": "erased",
        "cleanup": "sweep",
        "backlog": "deletion debt",
        "outage": "gap",
        "vault": "keyring",
        "master": "root",
        "kek": "bucket key",
        "dek": "segment key",
        "skew": "time doubt",
        "utils": "what it does",
        "util": "what it does",
        "helper": "what it does",
        "helpers": "what it does",
        "misc": "what it does",
        "manager": "what it does",
    }
)
FOREIGN: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("user", "archive/format/index.py"): "the box type `uuid` of ISO/IEC 14496-12 is a user type",
        ("user", "streams/address.py"): "the user of a camera's URL, RFC 3986",
        ("user", "streams/media/nal.py"): "user_data_unregistered of H.264",
        ("user", "streams/media/rtsp_credentials.py"): "the user of Basic and Digest, RFC 7617",
        ("user", "streams/rtsp/addresses.py"): "the user of Basic, RFC 7617",
        ("user", "streams/simulator/service.py"): "the user of Basic, RFC 7617",
        ("member", "auth/tokens/payload.py"): "members of a JSON object, RFC 8259",
        ("member", "vms_privacy/journal/rules.py"): "members of a JSON object, RFC 8259",
        ("master", "streams/media/playlists.py"): "Master Playlist, RFC 8216",
        ("proxy", "vms_privacy/settings.py"): "a reverse proxy in front, which is not ours",
        ("proxy", "vms_privacy/http/health.py"): "a reverse proxy in front, which is not ours",
        ("skew", "streams/media/camera_demux.py"): "how far sound lies from pictures, RFC 3550",
        ("skew", "streams/media/lip_sync.py"): "how far sound lies from pictures, RFC 3550",
    }
)
"""Words of other standards, by file, with the reason."""
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ROUTES: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "websocket", "api_route", "command"})


def wrong_words(source: str, path: str, foreign: Mapping[tuple[str, str], str] = MappingProxyType({})) -> list[str]:
    """List names that use another word than the glossary's, with the right one."""
    return sorted(
        {
            f"{path}:{line} {name}: for {word!r} say {SAY_INSTEAD[word]}"
            for name, line in _names(source, path)
            for word in _words(name)
            if word in SAY_INSTEAD and (word, path) not in foreign
        }
    )


def _words(name: str) -> list[str]:
    found = [word.lower() for word in _WORD.findall(name)]
    return found + [word.removesuffix("s") for word in found if word.endswith("s") and word not in SAY_INSTEAD]


def _names(source: str, path: str) -> Iterator[tuple[str, int]]:
    yield path.rsplit("/", 1)[-1].removesuffix(".py"), 1
    for node in nodes(source):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
                for decorator in node.decorator_list:
                    yield from _told_outside(decorator)
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.Assign(targets=[ast.Name(id="code" | "__tablename__")], value=ast.Constant(value=str(text))):
                yield text, node.lineno
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.Constant(value=str(text))):
                yield text, node.lineno


def _told_outside(decorator: ast.expr) -> Iterator[tuple[str, int]]:
    """Go through route paths and names of commands."""
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute)):
        return
    if decorator.func.attr in _ROUTES and decorator.args:
        told = decorator.args[0]
        if isinstance(told, ast.Constant) and isinstance(told.value, str):
            yield told.value, decorator.lineno
