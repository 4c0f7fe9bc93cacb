"""What every answer of the service must be like, whatever it says."""

import re
from pathlib import Path
from typing import Any, Final

import httpx

MANUAL: Final = Path(__file__).parents[3] / "docs/reference/problems.md"
MEMBERS: Final = {"type", "title", "status", "code", "detail"}
MAY_BE_KEPT: Final = frozenset({"/.well-known/jwks.json"})
"""What a cache may keep for a while: it holds nothing of anybody."""


def same(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body, without the date: what two answers must share to be one."""
    headers = [(name, value) for name, value in answer.headers.multi_items() if name != "date"]
    return answer.status_code, headers, answer.content


def faults(answer: httpx.Response) -> list[str]:
    """List what is wrong with an answer, however it came about."""
    found = []
    headers = answer.headers
    unwanted = ("set-cookie", "server", "x-powered-by", "access-control-allow-origin")
    found += [f"there is a header {name}" for name in unwanted if name in headers]
    if headers.get("cache-control") != "no-store" and answer.url.path not in MAY_BE_KEPT:
        found.append(f"a cache may keep it: {headers.get('cache-control')}")
    if headers.get("x-content-type-options") != "nosniff" or headers.get("referrer-policy") != "no-referrer":
        found.append("a browser may guess what it is, or tell where it came from")
    if "default-src 'none'" not in headers.get("content-security-policy", ""):
        found.append("a browser may load what it names")
    return found + (problem_faults(answer) if answer.status_code >= 400 else [])


def problem_faults(answer: httpx.Response) -> list[str]:
    """List what is wrong with a problem document (RFC 9457)."""
    if answer.headers.get("content-type") != "application/problem+json":
        return [f"an error in the form {answer.headers.get('content-type')}"]
    told: dict[str, Any] = answer.json()
    found = []
    if not set(told) >= MEMBERS:
        found.append(f"a problem without {MEMBERS - set(told)}")
    if told["status"] != answer.status_code or told["type"] != f"/problems/{told['code']}":
        found.append("a problem that contradicts itself")
    if told["code"] not in listed_codes():
        found.append(f"{told['code']} is not in {MANUAL.name}")
    if (answer.status_code == 401) is not ("www-authenticate" in answer.headers):
        found.append("401 and WWW-Authenticate go together")
    return found


def listed_codes() -> dict[str, int]:
    """Return the codes of the manual's page, with their statuses."""
    rows = re.finditer(r"^\| `([a-z0-9-]+)` \| [^|]+ \| (\d{3}) \|", MANUAL.read_text(), re.MULTILINE)
    return {row[1]: int(row[2]) for row in rows}
