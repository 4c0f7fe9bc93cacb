"""Make the vectors of audit-chain-v1 and the worked example of its page, always the same.

Written from docs/formats/audit-chain-v1.md alone and imports nothing of the service: where the two agree, the page is
right. `python -m tests.vectors.generate_audit_chain` writes; a second run leaves no difference.
"""

import hashlib
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent / "audit_chain_v1"
PAGE = Path(__file__).parents[2] / "docs/formats/audit-chain-v1.md"
BEGIN, END = "<!-- worked example: begin -->\n", "<!-- worked example: end -->\n"
OUTCOMES = ("done", "refused", "failed")
AT = 1_894_708_800_000_000
KID = "vector-key"


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def an_id(name: str) -> bytes:
    return digest(b"id", name.encode())[:16]


def prefixed(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


EVENTS: dict[str, dict[str, object]] = {
    "least": {"tag": 1, "outcome": "done", "at_us": 0, "actor": "", "reason": "", "detail": "{}"},
    "whole": {
        "tag": 30,
        "outcome": "done",
        "at_us": AT,
        "operator": "north",
        "camera": "gate",
        "actor": "person:00000000-0000-4000-8000-000000000007",
        "reason": "",
        "detail": '{"actions":"live","lifetime_s":300,"purpose":"live_view"}',
    },
    "refused": {
        "tag": 23,
        "outcome": "refused",
        "at_us": AT + 1,
        "operator": "south",
        "actor": "nobody",
        "reason": "not-authenticated",
        "detail": '{"count":17,"seconds":60}',
    },
    "every_kind_of_value": {
        "tag": 65,
        "outcome": "failed",
        "at_us": AT + 2,
        "camera": "gate",
        "actor": "worker",
        "reason": "store-unavailable",
        "detail": '{"a":null,"b":true,"c":false,"d":-9007199254740991,'
        '"e":"a \\"quoted\\" \\\\ text","f":"Größe 中","g_1":0}',
    },
    "before_1970": {"tag": 2, "outcome": "done", "at_us": -1, "actor": "worker", "reason": "", "detail": "{}"},
}


def encoded(name: str) -> bytes:
    event = EVENTS[name]
    return b"".join(
        [
            b"\x01",
            int(str(event["tag"])).to_bytes(2, "big"),
            bytes([OUTCOMES.index(str(event["outcome"]))]),
            int(str(event["at_us"])).to_bytes(8, "big", signed=True),
            an_id(name),
            an_id(str(event["operator"])) if "operator" in event else bytes(16),
            an_id(str(event["camera"])) if "camera" in event else bytes(16),
            prefixed(str(event["actor"])),
            prefixed(str(event["reason"])),
            prefixed(str(event["detail"])),
        ]
    )


def leaf_of(name: str) -> bytes:
    return digest(b"\x00", encoded(name))


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return digest(b"\x01", root(leaves[:split]), root(leaves[split:]))


def heads(leaves: list[bytes]) -> list[bytes]:
    head = digest(b"\x03", b"audit-chain-v1")
    out = [head]
    for each in leaves:
        head = digest(b"\x02", head, each)
        out.append(head)
    return out


def operators_root(names: list[str]) -> bytes:
    groups: dict[bytes, list[bytes]] = {}
    for name in names:
        operator = an_id(str(EVENTS[name]["operator"])) if "operator" in EVENTS[name] else bytes(16)
        groups.setdefault(operator, []).append(leaf_of(name))
    return root(
        [digest(b"\x00", operator, len(of).to_bytes(8, "big"), root(of)) for operator, of in sorted(groups.items())]
    )


KEY = Ed25519PrivateKey.from_private_bytes(digest(b"vector signing key"))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(digest(b"another key"))
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def signed(text: str, key: Ed25519PrivateKey = KEY, kid: str = KID) -> str:
    return f"{text} {kid} {key.sign(text.encode()).hex()}"


def body(number: int, first: int, last: int, names: list[str], previous: str, at_us: int = AT) -> str:
    """The signed text of a checkpoint over `names`, the events of the chain from position 1."""
    head = heads([leaf_of(name) for name in names[:last]])[-1].hex()
    operators = operators_root(names[first - 1 : last]).hex()
    before = digest(previous.encode()).hex() if previous else "0" * 64
    return f"audit-checkpoint-v1 {number} {first} {last} {at_us} {head} {operators} {before}"


def good_anchor() -> list[str]:
    names = list(EVENTS)
    one = signed(body(1, 1, 2, names, ""))
    two = signed(body(2, 3, 3, names, one, AT + 60_000_000))
    three = signed(body(3, 4, 5, names, two, AT + 120_000_000))
    return [one, two, three]


def anchors() -> dict[str, tuple[bytes, int, str, str]]:
    """Name → (file, good lines before the fault, rule, why)."""
    one, two, three = good_anchor()
    names = list(EVENTS)

    def file(*lines: str) -> bytes:
        return "".join(f"{line}\n" for line in lines).encode("latin-1")

    flipped = two[:-1] + ("0" if two[-1] != "0" else "1")
    text_of_two = two.rsplit(" ", 2)[0]
    upper = one.split(" ")
    upper[5] = upper[5].upper()
    return {
        "good": (file(one, two, three), 3, "", "three checkpoints in order"),
        "empty": (b"", 0, "", "an anchor before its first checkpoint"),
        "unfinished_last_line": (file(one, two) + three[:200].encode(), 2, "", "a crash left a piece of a line"),
        "last_line_without_its_end": (file(one, two) + three.encode(), 2, "", "all but the LF was written"),
        "signature_changed": (file(one, flipped, three), 1, "A2", "one digit of a signature is another"),
        "another_key_signed": (file(one, signed(text_of_two, OTHER_KEY), three), 1, "A2", "kid names the right key"),
        "unknown_kid": (file(one, signed(text_of_two, OTHER_KEY, "other"), three), 1, "A2", "kid names no key we have"),
        "moment_changed": (file(one.replace(f" {AT} ", f" {AT + 1} "), two), 0, "A2", "the signed text is another"),
        "line_removed": (file(one, three), 1, "A3", "number 3 follows number 1"),
        "first_line_removed": (file(two, three), 0, "A3", "the first has number 2"),
        "lines_exchanged": (file(two, one, three), 0, "A3", "the first has number 2"),
        "line_twice": (file(one, one), 1, "A3", "number 1 follows number 1"),
        "wrong_previous": (file(one, signed(body(2, 3, 3, names, three))), 1, "A3", "signed, but not after this line"),
        "first_with_a_previous": (file(signed(body(1, 1, 2, names, three))), 0, "A3", "nothing came before the first"),
        "positions_left_out": (file(one, signed(body(2, 4, 5, names, one))), 1, "A3", "position 3 is in none"),
        "positions_twice": (file(one, signed(body(2, 2, 3, names, one))), 1, "A3", "position 2 is in both"),
        "last_below_first": (file(one, signed(body(2, 3, 2, names, one))), 1, "A3", "it speaks for nothing"),
        "leading_zero": (file(signed(body(1, 1, 2, names, "").replace("v1 1 1 2", "v1 1 1 02"))), 0, "A1", "02 is 2"),
        "upper_case": (file(" ".join(upper)), 0, "A1", "hexadecimal digits are lower case"),
        "two_spaces": (file(one.replace(" 1 1 2 ", "  1 1 2 ")), 0, "A1", "one space between fields"),
        "carriage_return": (file(one).replace(b"\n", b"\r\n"), 0, "A1", "lines end with LF alone"),
        "empty_line": (file(one, "", two), 1, "A1", "an empty line is a line"),
        "not_ascii": (file(one, two.replace("vector-key", "v\xe9ctor-key")), 1, "A1", "kid has other letters"),
        "another_format": (file(one.replace("-v1 ", "-v2 ")), 0, "A1", "a later version is not this one"),
        "very_long_line": (file(one, "x" * 5000, two), 1, "A1", "longer than any line"),
    }


def vectors() -> dict[str, bytes]:
    out: dict[str, bytes] = {}
    for name, event in EVENTS.items():
        fields = {**event, "event_id": an_id(name).hex()}
        for key in ("operator", "camera"):
            if key in event:
                fields[key] = an_id(str(event[key])).hex()
        lines = [f"{key}: {fields[key]}" for key in sorted(fields)]
        out[f"event_{name}"] = "\n".join([*lines, f"leaf: {leaf_of(name).hex()}", "", encoded(name).hex(), ""]).encode()
    leaves = [leaf_of(name) for name in EVENTS]
    out["chain"] = "\n".join(
        ["", f"0 - {heads([])[0].hex()}"]
        + [
            f"{at} {leaf.hex()} {head.hex()}"
            for at, (leaf, head) in enumerate(zip(leaves, heads(leaves)[1:], strict=True), 1)
        ]
        + [""]
    ).encode()
    many = [digest(b"\x00", bytes([count])) for count in range(20)]
    out["merkle"] = "\n".join(["", *(f"{count} {root(many[:count]).hex()}" for count in range(21)), ""]).encode()
    out["operators"] = "\n".join(
        ["", *(f"{n} {operators_root(list(EVENTS)[:n]).hex()}" for n in range(6)), ""]
    ).encode()
    for name, (file, good, rule, why) in anchors().items():
        head = f"expect: {'anchor-changed' if rule else 'good'}\ngood: {good}\nrule: {rule or '-'}\nwhy: {why}\n"
        out[f"anchor_{name}"] = f"{head}kid: {KID}\npublic-key: {PUBLIC.hex()}\n\n".encode() + file
    return out


def worked_example() -> str:
    names = ["least", "whole"]
    heads_of = heads([leaf_of(name) for name in names])
    lines = [
        "Two events, one of the platform and one of an operator, and the first checkpoint over them.",
        "",
        "```text",
    ]
    for at, name in enumerate(names, 1):
        hexes = encoded(name).hex()
        lines += [f"encoded event {at}"] + [f"  {hexes[i : i + 96]}" for i in range(0, len(hexes), 96)]
        lines += [f"leaf({at})  {leaf_of(name).hex()}"]
    lines += [f"head({at})  {head.hex()}" for at, head in enumerate(heads_of)]
    groups = {bytes(16): [leaf_of("least")], an_id("north"): [leaf_of("whole")]}
    for operator, of in sorted(groups.items()):
        lines.append(f"operator {operator.hex()}: 1 event")
        lines.append("  its leaf " + digest(b"\x00", operator, (1).to_bytes(8, "big"), root(of)).hex())
    lines += [f"operators' root  {operators_root(names).hex()}", f"public key  {PUBLIC.hex()}", "line 1"]
    lines += [f"  {piece}" for piece in good_anchor()[0].split(" ")]
    return "\n".join([*lines, "```", ""])


def main() -> int:
    HERE.mkdir(exist_ok=True)
    wanted = vectors()
    for stale in {path.stem for path in HERE.glob("*.vector")} - set(wanted):
        (HERE / f"{stale}.vector").unlink()
    for name, data in wanted.items():
        (HERE / f"{name}.vector").write_bytes(data)
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{worked_example()}{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
