"""Make the vectors of stream-token-v1 and the worked example of its page, always the same.

Written from docs/formats/stream-token-v1.md alone and imports nothing of the service: where the two agree, the page is
right. `python -m tests.vectors.generate_stream_token` writes; a second run leaves no difference.
"""

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent / "stream_token_v1"
PAGE = Path(__file__).parents[2] / "docs/formats/stream-token-v1.md"
BEGIN, END = "<!-- worked example: begin -->\n", "<!-- worked example: end -->\n"
NOON = 1_894_708_800
"""2030-01-15T12:00:00Z, the second at which the tokens are issued."""
LEAVE_OUT = object()


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def thumbprint(raw: bytes) -> str:
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(raw)}
    return base64url(hashlib.sha256(compact(jwk)).digest())


def an_id(name: str) -> str:
    raw = bytearray(hashlib.sha256(b"id" + name.encode()).digest()[:16])
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FOREIGN = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
KID = thumbprint(public(KEY))
HEADER = {"alg": "EdDSA", "kid": KID, "typ": "stream+jwt"}
LIVE: dict[str, Any] = {
    "iss": "vms-privacy",
    "aud": "vms-privacy/stream",
    "sub": an_id("person"),
    "jti": an_id("token"),
    "iat": NOON,
    "nbf": NOON,
    "exp": NOON + 300,
    "ses": NOON + 43_200,
    "op": an_id("operator"),
    "cam": an_id("camera"),
    "act": ["live"],
    "pur": "live_view",
    "gra": {"live": f"{an_id('grant')}.3"},
}
BOTH = LIVE | {
    "act": ["archive", "live"],
    "pur": "archive_view",
    "gra": {"archive": f"{an_id('other grant')}.1", "live": f"{an_id('grant')}.3"},
    "wfr": NOON - 7200,
    "wto": NOON - 3600,
    "dep": 86_400,
}
EXPORT = LIVE | {
    "act": ["archive"],
    "pur": "export",
    "gra": {"archive": f"{an_id('other grant')}.1", "export": f"{an_id('third grant')}.2147483647"},
}


def signed(header: bytes, payload: bytes, key: Ed25519PrivateKey = KEY) -> str:
    text = f"{base64url(header)}.{base64url(payload)}"
    return f"{text}.{base64url(key.sign(text.encode()))}"


def with_header(**members: object) -> str:
    changed = {name: value for name, value in (HEADER | members).items() if value is not LEAVE_OUT}
    return signed(compact(changed), compact(LIVE))


def with_payload(base: Mapping[str, object] = LIVE, /, **members: object) -> str:
    changed = {name: value for name, value in {**base, **members}.items() if value is not LEAVE_OUT}
    return signed(compact(HEADER), compact(changed))


def with_text(payload: bytes) -> str:
    return signed(compact(HEADER), payload)


def by_hmac(algorithm: str) -> str:
    """Return a token signed with the public key as if it were a shared secret (RFC 8725, 2.1)."""
    text = f"{base64url(compact(HEADER | {'alg': algorithm}))}.{base64url(compact(LIVE))}"
    return f"{text}.{base64url(hmac.digest(public(KEY), text.encode(), 'sha512'))}"


@dataclass(frozen=True)
class Vector:
    name: str
    expect: str
    rule: str
    why: str
    token: str
    reason: str = "-"
    now: int = NOON + 10

    def text(self) -> str:
        head = {"expect": self.expect, "reason": self.reason, "now": self.now, "rule": self.rule, "why": self.why}
        return "".join(f"{name}: {value}\n" for name, value in head.items()) + f"\n{self.token}\n"


def good() -> Iterator[Vector]:
    yield Vector("good_live", "good", "S4", "a token for live", with_payload())
    yield Vector("good_both_with_window_and_depth", "good", "S8", "all members there are", with_payload(BOTH))
    yield Vector("good_export", "good", "S7", "taking away rests on a third right", with_payload(EXPORT))
    spaced = json.dumps(dict(reversed(LIVE.items())), indent=1).encode()
    yield Vector("good_other_order_and_spaces", "good", "S5", "what it says counts, not how", with_text(spaced))
    yield Vector("good_at_its_last_second", "good", "S9", "exp is not reached", with_payload(), now=NOON + 299)


def bad_shapes() -> Iterator[Vector]:
    token = with_payload()
    head, payload, signature = token.split(".")
    shapes = {
        "empty": ("", "nothing at all"),
        "two_parts": (f"{head}.{payload}", "the signature is missing"),
        "four_parts": (f"{token}.{signature}", "a part too many"),
        "empty_signature": (f"{head}.{payload}.", "an empty signature"),
        "short_signature": (token[:-1], "a signature of 85 characters"),
        "padded": (f"{token}==", "base64 padding"),
        "standard_base64": (f"{head}.{payload}.{'+' * 86}", "the other base64 alphabet"),
        "white_space": (f" {token}", "white space before it"),
        "line_break": (f"{head}.{payload}\n.{signature}", "a line break inside"),
        "too_long": (with_payload(pur="x" * 2000), "longer than any of ours"),
        "not_ascii": (f"{token[:-1]}é", "a letter outside of ASCII"),
    }
    for name, (text, why) in shapes.items():
        yield Vector(f"shape_{name}", "token-is-bad", "S1", why, text, "shape")


def bad_headers() -> Iterator[Vector]:
    unsigned = f"{base64url(compact(HEADER | {'alg': 'none'}))}.{base64url(compact(LIVE))}"
    headers = {
        "alg_none_signed": (with_header(alg="none"), "alg none with a good signature"),
        "alg_none": (f"{unsigned}.{'A' * 86}", "alg none without a signature"),
        "alg_hs512_with_the_public_key": (by_hmac("HS512"), "the public key as a shared secret"),
        "alg_hs256_with_the_public_key": (by_hmac("HS256"), "the public key as a shared secret"),
        "alg_other_case": (with_header(alg="eddsa"), "another spelling of the algorithm"),
        "alg_missing": (with_header(alg=LEAVE_OUT), "no algorithm"),
        "alg_a_list": (with_header(alg=["EdDSA"]), "an algorithm that is a list"),
        "typ_missing": (with_header(typ=LEAVE_OUT), "no type"),
        "typ_jwt": (with_header(typ="JWT"), "the type of any JWT"),
        "typ_access_token": (with_header(typ="at+jwt"), "a token of another kind"),
        "typ_long_form": (with_header(typ="application/stream+jwt"), "the long form of the type"),
        "kid_missing": (with_header(kid=LEAVE_OUT), "no key id"),
        "jwk": (with_header(jwk={"kty": "OKP", "crv": "Ed25519", "x": base64url(public(FOREIGN))}), "brings its key"),
        "jku": (with_header(jku="https://example.org/jwks.json"), "says where to fetch the key"),
        "crit": (with_header(crit=["exp"]), "a critical extension"),
        "b64_false": (with_header(b64=False, crit=["b64"]), "an unencoded payload (RFC 7797)"),
    }
    for name, (token, why) in headers.items():
        yield Vector(f"header_{name}", "token-is-bad", "S2", why, token, _HEADER_REASONS.get(name, "header"))


# Refused by the JWS library before our own look at the header, or by the length of what HMAC makes.
_HEADER_REASONS = {"crit": "signature", "b64_false": "signature"}


def bad_kids() -> Iterator[Vector]:
    foreign_kid = thumbprint(public(FOREIGN))
    kids: dict[str, tuple[object, str, str]] = {
        "unknown": (foreign_kid, "unknown kid", "a key that we do not have"),
        "path": ("../../keyring/token-signing/000001.public", "kid", "a path"),
        "absolute_path": ("/etc/passwd", "kid", "an absolute path"),
        "path_of_43_characters": ("../" * 14 + "x", "kid", "a path as long as a thumbprint"),
        "sql": ("' OR '1'='1", "kid", "a piece of SQL"),
        "empty": ("", "kid", "an empty one"),
        "number": (7, "signature", "a number"),
        "null": (None, "signature", "null"),
        "with_nul": (KID[:-1] + "\0", "kid", "a NUL byte"),
    }
    for name, (kid, reason, why) in kids.items():
        yield Vector(f"kid_{name}", "token-is-bad", "S3", why, with_header(kid=kid), reason)


def bad_signatures() -> Iterator[Vector]:
    head, payload, signature = with_payload().split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    flipped = base64url(bytes([raw[0] ^ 1]) + raw[1:])
    order = 2**252 + 27742317777372353535851937790883648493
    greater = base64url(raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little"))
    last = signature[-1]
    unused_bits = signature[:-1] + chr(ord(last) + 1)
    signatures = {
        "foreign_key": (signed(compact(HEADER), compact(LIVE), FOREIGN), "another key under our kid"),
        "bit": (f"{head}.{payload}.{flipped}", "one bit of the signature"),
        "payload_of_another": (f"{head}.{base64url(compact(BOTH))}.{signature}", "the payload of another token"),
        "not_reduced": (f"{head}.{payload}.{greater}", "the same signature with s not reduced (RFC 8032, 5.1.7)"),
        "unused_bits": (f"{head}.{payload}.{unused_bits}", "unused bits of the last character set"),
        "zeros": (f"{head}.{payload}.{'A' * 86}", "all zero"),
    }
    for name, (token, why) in signatures.items():
        yield Vector(f"signature_{name}", "token-is-bad", "S4", why, token, "signature")


def bad_members() -> Iterator[Vector]:
    for name in sorted(LIVE):
        token = with_payload(**{name: LEAVE_OUT})
        yield Vector(f"member_no_{name}", "token-is-bad", "S5", f"{name} is missing", token, "members")
    members: dict[str, tuple[str, str, str]] = {
        "extra": (with_payload(scope="everything"), "members", "a member that we never write"),
        "extra_nested": (with_payload(gra=LIVE["gra"] | {"grant": LIVE["gra"]["live"]}), "gra", "a right too many"),
        "doubled": (with_text(compact(LIVE)[:-1] + b',"exp":9999999999}'), "doubled member", "exp twice"),
        "not_an_object": (with_text(b"[]"), "members", "a list"),
        "not_json": (with_text(b"{"), "payload", "no JSON"),
        "empty": (with_text(b"{}"), "members", "an empty object"),
        "not_utf_8": (with_text(b'{"iss":"\xff"}'), "payload", "bytes that are no text"),
        "exp_null": (with_payload(exp=None), "exp", "exp is null"),
        "exp_text": (with_payload(exp=str(NOON + 300)), "exp", "exp is text"),
        "exp_true": (with_payload(exp=True), "exp", "exp is true"),
        "exp_negative": (with_payload(exp=-1), "exp", "exp is before 1970"),
        "exp_beyond_the_calendar": (with_payload(exp=10**18), "exp", "exp is after the year 9999"),
        "exp_fraction": (with_payload(exp=NOON + 300.5), "number", "exp has a fraction"),
        "exp_exponent": (with_text(compact(LIVE).replace(b"%d" % (NOON + 300), b"1e12")), "number", "an exponent"),
        "exp_infinite": (with_text(compact(LIVE).replace(b"%d" % (NOON + 300), b"Infinity")), "number", "no end"),
        "sub_upper_case": (with_payload(sub=LIVE["sub"].upper()), "sub", "an id in upper case"),
        "cam_braces": (with_payload(cam="{" + LIVE["cam"] + "}"), "cam", "an id in braces"),
        "cam_any": (with_payload(cam="*"), "cam", "a camera that is all cameras"),
        "cam_list": (with_payload(cam=[LIVE["cam"]]), "cam", "a list of cameras"),
        "act_empty": (with_payload(act=[]), "act", "no action"),
        "act_unknown": (with_payload(act=["ptz"]), "act", "an action that is none"),
        "act_twice": (with_payload(act=["live", "live"]), "act", "an action twice"),
        "act_unsorted": (with_payload(BOTH, act=["live", "archive"]), "act", "actions not sorted"),
        "act_text": (with_payload(act="live"), "act", "an action that is no list"),
        "act_nested": (with_payload(act=[["live"]]), "act", "an action in a list"),
        "pur_unknown": (with_payload(pur="analytics"), "pur", "a purpose that is not allowed"),
        "dep_negative": (with_payload(BOTH, dep=-1), "dep", "a negative depth"),
    }
    for name, (token, reason, why) in members.items():
        yield Vector(f"member_{name}", "token-is-bad", "S5", why, token, reason)


def bad_claims() -> Iterator[Vector]:
    grant = LIVE["gra"]["live"]
    claims: dict[str, tuple[str, str, str, str]] = {
        "wrong_iss": (with_payload(iss="someone-else"), "S6", "issuer", "another issuer"),
        "wrong_aud": (with_payload(aud="vms-privacy/api"), "S6", "audience", "another audience"),
        "aud_list": (with_payload(aud=["vms-privacy/stream"]), "S6", "aud", "a list of audiences"),
        "gra_empty": (with_payload(gra={}), "S7", "gra", "rests on nothing"),
        "gra_other_right": (with_payload(gra={"archive": grant}), "S7", "gra", "rests on another right"),
        "gra_export_missing": (with_payload(EXPORT, gra=BOTH["gra"]), "S7", "gra", "takes away without the right"),
        "gra_version_0": (with_payload(gra={"live": grant[:-1] + "0"}), "S7", "grant", "version 0"),
        "gra_version_01": (with_payload(gra={"live": grant[:-1] + "03"}), "S7", "grant", "a leading zero"),
        "gra_version_large": (with_payload(gra={"live": grant[:-1] + "2147483648"}), "S7", "grant", "2 to the 31"),
        "gra_no_version": (with_payload(gra={"live": grant[:-2]}), "S7", "grant", "no version"),
        "gra_number": (with_payload(gra={"live": 3}), "S7", "grant", "a number"),
        "times_exp_at_nbf": (with_payload(exp=NOON), "S8", "times", "it ends as it begins"),
        "times_nbf_before_iat": (with_payload(nbf=NOON - 1), "S8", "times", "good before it was issued"),
        "times_ses_before_exp": (with_payload(ses=NOON + 299), "S8", "times", "the session ends before the start"),
        "times_ses_too_long": (with_payload(ses=NOON + 43_201), "S8", "times", "a session of over 12 h"),
        "window_backward": (with_payload(BOTH, wto=NOON - 7201), "S8", "window", "a window that runs backward"),
        "window_empty": (with_payload(BOTH, wto=NOON - 7200), "S8", "window", "a window without a second"),
    }
    for name, (token, rule, reason, why) in claims.items():
        yield Vector(f"claim_{name}", "token-is-bad", rule, why, token, reason)


def out_of_time() -> Iterator[Vector]:
    late: dict[str, Any] = {"reason": "token-expired", "expect": "token-expired", "rule": "S9"}
    yield Vector("time_at_exp", why="exp is reached", token=with_payload(), now=NOON + 300, **late)
    yield Vector("time_long_after", why="a year later", token=with_payload(), now=NOON + 31_536_000, **late)
    early = late | {"reason": "token-not-yet-valid"}
    token = with_payload(nbf=NOON + 60)
    yield Vector("time_before_nbf", why="not good yet", token=token, now=NOON + 59, **early)


def all_vectors() -> list[Vector]:
    makers = (good, bad_shapes, bad_headers, bad_kids, bad_signatures, bad_members, bad_claims, out_of_time)
    return [vector for make in makers for vector in make()]


def example() -> str:
    parts = {
        "public key": public(KEY).hex(),
        "kid": KID,
        "header": compact(HEADER).decode(),
        "payload": compact(LIVE).decode(),
        "token": with_payload(),
    }
    return "```text\n" + "\n".join(f"{name}:\n  {value}" for name, value in parts.items()) + "\n```\n"


def main() -> None:
    HERE.mkdir(exist_ok=True)
    wanted = {f"{vector.name}.vector": vector.text() for vector in all_vectors()}
    for path in HERE.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (HERE / name).write_text(text, encoding="utf-8", newline="\n")
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(before + BEGIN + example() + END + after, encoding="utf-8", newline="\n")
    sys.stdout.write(f"{len(wanted)} vectors of stream-token-v1\n")


if __name__ == "__main__":
    main()
