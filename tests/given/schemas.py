"""What somebody may send who has read the OpenAPI document, and what somebody sends who wants to see it break."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

CANARY: Final = "canary 5b1f!hunter2"
"""In every text that is sent to break something: nothing that was refused may ever be repeated."""
_DEEP: Final = 40
NASTY: Final[Sequence[Any]] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    " ",
    CANARY,
    f"{CANARY}\x00",
    f"{CANARY}\ud800",
    f"{CANARY}\r\nSet-Cookie: a=b",
    f"../../{CANARY}",
    f"%2e%2e%2f{CANARY}",
    f"{CANARY}'; DROP TABLE person; --",
    CANARY * 2000,
    "\u202e" + CANARY,
    "00000000-0000-0000-0000-000000000000",
    "{00000000-0000-4000-8000-00000000abcd}",
    "2030-01-01T00:00:00",
    "2030-01-01",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59Z",
    "PT0S",
    "-PT5M",
    "P1Y",
    "P99999W",
    "PT999999H9999999M999999999S",
    "PT1H\n",
    [],
    {},
    [CANARY],
    {CANARY: CANARY},
    [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],
)


def fitting(schema: Mapping[str, Any], document: Mapping[str, Any], known: Mapping[str, str]) -> st.SearchStrategy[Any]:
    """Values that fit a schema; an id is one of those that are `known`, or one that nothing has."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return fitting(document["components"]["schemas"][name], document, known)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return st.one_of([fitting(one, document, known) for one in schema[choice]])
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    match schema.get("type"):
        case "object":
            return _objects(schema, document, known)
        case "array":
            most = min(schema.get("maxItems", 3), 3)
            return st.lists(
                fitting(schema["items"], document, known), min_size=schema.get("minItems", 0), max_size=most
            )
        case "integer":
            return st.integers(schema.get("minimum", -5), schema.get("maximum", 1000))
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "string":
            return _texts(schema, known)
    return st.just({})


def _objects(
    schema: Mapping[str, Any], document: Mapping[str, Any], known: Mapping[str, str]
) -> st.SearchStrategy[Any]:
    needed = set(schema.get("required", ()))
    parts = {name: fitting(one, document, known) for name, one in schema.get("properties", {}).items()}
    return st.fixed_dictionaries(
        {name: part for name, part in parts.items() if name in needed},
        optional={name: part for name, part in parts.items() if name not in needed},
    )


def _texts(schema: Mapping[str, Any], known: Mapping[str, str]) -> st.SearchStrategy[str]:
    match schema.get("format"):
        case "uuid":
            return st.sampled_from([*known.values(), str(UUID(int=5, version=4))])
        case "date-time":
            return st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
        case "duration":
            return st.integers(0, 10**6).map(lambda seconds: f"PT{seconds}S")
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True)
    least = schema.get("minLength", 0)
    return st.text(min_size=least, max_size=min(schema.get("maxLength", 40), least + 40))


def spoilt(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values that nearly fit: something in one is missing, too much, or another thing altogether."""
    return st.builds(_spoil, good, st.integers(0, 50), st.integers(0, 3), st.sampled_from(NASTY))


def _spoil(good: Any, place: int, how: int, nasty: Any) -> Any:
    value = copy.deepcopy(good)
    places = list(_places(value))
    if not places or place == 0:
        return nasty
    inside, key = places[place % len(places)]
    if how == 0:
        del inside[key]
    elif how == 1 and isinstance(inside, dict):
        inside[CANARY] = nasty
    else:
        inside[key] = nasty
    return value


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Go through every (container, key) of a value."""
    if depth > _DEEP:
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(inner):
        yield value, key
        yield from _places(one, depth + 1)
