"""Make the vectors of receipt-v1, always the same: good documents, and one failure each.

Written from docs/formats/receipt-v1.md alone and imports nothing of the service: where the two agree, the page is
right. `python -m tests.vectors.generate_receipt` writes; a second run leaves no difference.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vectors.receipt_by_hand import (
    FIRST,
    GATE,
    INSTALLATION,
    KEYS,
    LEAVE_OUT,
    LEAVES,
    MANDATE,
    NOTHING,
    OF_MANDATES,
    RECEIPT,
    SECOND,
    STRANGER,
    SUMMARY,
    THIRD,
    V1,
    V2,
    V3,
    YARD,
    Version,
    a_leaf,
    an_id,
    base64url,
    canonical,
    changed,
    digest,
    extract,
    fingerprint,
    head_over,
    history,
    key_list,
    leaf_hash,
    listed,
    moment,
    proofs,
    receipt,
    root,
    sealed,
    summary,
    summary_body,
)

HERE = Path(__file__).parent / "receipt_v1"
_LINES = [canonical(leaf) for leaf in LEAVES]


@dataclass(frozen=True)
class Vector:
    """One document, what is given beside it, and the answer. `padded_to`: it is followed by LFs up to so many bytes."""

    name: str
    kind: str
    expect: str
    rule: str
    why: str
    document: bytes
    keys: str = "keys_good"
    pinned: str = ""
    receipts: str = ""
    previous: str = ""
    padded_to: int = 0

    def octets(self) -> bytes:
        told = {
            "kind": self.kind,
            "expect": self.expect,
            "keys": "" if self.kind == "keys" else self.keys,
            "pinned": self.pinned,
            "receipts": self.receipts,
            "previous": self.previous,
            "padded-to": str(self.padded_to or ""),
            "rule": self.rule,
            "why": self.why,
        }
        return "".join(f"{name}: {value}\n" for name, value in told.items() if value).encode() + b"\n" + self.document


def good() -> Iterator[Vector]:
    yes = "valid"
    yield Vector("receipt_good", "receipt", yes, "R7", "signed by a key that is retired now", receipt())
    yield Vector("receipt_newest_key", "receipt", yes, "R6", "signed by the active key", receipt(key=THIRD))
    yield Vector("receipt_of_one_leaf", "receipt", yes, "R9", "the leaf is the root", receipt(LEAVES[:1]))
    yield Vector("receipt_of_no_leaf", "receipt", yes, "R9", "the root of nothing", receipt(()))
    seven = [a_leaf(number, GATE) for number in range(7)]
    yield Vector("receipt_of_seven_leaves", "receipt", yes, "R9", "a leaf that rises alone", receipt(seven))
    old = [changed(leaf, due_at=LEAVE_OUT) for leaf in LEAVES]
    yield Vector("receipt_of_the_first_form", "receipt", yes, "R8", "leaves without due_at", receipt(old))
    odd = receipt(actor='person:"\\\x7f\n\u00e9\U0001f3a5')
    yield Vector("receipt_every_escape", "receipt", yes, "R4", "all that JSON must escape", odd)
    yield Vector("extract_gate", "receipt", "extract", "R9", "two of three leaves, each with its path", extract(GATE))
    yield Vector("extract_yard", "receipt", "extract", "R9", "the leaf in the middle", extract(YARD))
    for kind in ("request", "withdrawal", "off-boarding"):
        name = f"receipt_of_{kind.replace('-', '_')}"
        yield Vector(name, "receipt", yes, "R4", "with its mandate", _of_mandates({"kind": kind}))
    in_words = _of_mandates({"reference": None, "mandates": [MANDATE, changed(MANDATE, camera_id=YARD)]})
    yield Vector("receipt_of_words", "receipt", yes, "R4", "no reference, two mandates", in_words)
    alone = extract(GATE, LEAVES[:1])
    yield Vector("extract_of_one_leaf", "receipt", "extract", "R9", "an empty path", alone)
    three = history(key_list(V1, V2, V3))
    yield Vector("keys_good", "keys", yes, "H2", "three versions, each handed over to", three)
    yield Vector("keys_one", "keys", yes, "H2", "a key that never rotated", history(key_list(V1), FIRST))
    oldest, newest = fingerprint(FIRST), fingerprint(THIRD)
    yield Vector("keys_pinned_oldest", "keys", yes, "H5", "two handings over from the first", three, pinned=oldest)
    yield Vector("keys_pinned_newest", "keys", yes, "H5", "the fingerprint of the active one", three, pinned=newest)
    undated = history(key_list(Version(FIRST, None), Version(SECOND, moment(20, 8)), V3))
    yield Vector("keys_undated", "keys", yes, "H2", "from before dates were kept", undated)
    pinned = fingerprint(SECOND)
    yield Vector("keys_pinned_behind_a_gap", "keys", yes, "H5", "handed over to from there on", undated, pinned=pinned)
    other = history(key_list(V1, V2, V3), installation_id=an_id("other installation"))
    yield Vector("keys_of_another_installation", "keys", yes, "H3", "the same keys, and another id", other)


def _of_mandates(told: dict[str, Any]) -> bytes:
    cause = told.get("kind", OF_MANDATES["kind"])
    return receipt([changed(leaf, cause=cause) for leaf in LEAVES], **{**OF_MANDATES, **told})


def bad_forms() -> Iterator[Vector]:
    """The form that all three documents share."""
    whole = {
        "receipt": (receipt(), RECEIPT, "receipt", "not-a-receipt", "R", 256 << 20),
        "keys": (history(key_list(V1, V2, V3)), KEYS, "receipt-keys", "not-receipt-keys", "H", 1 << 20),
        "summary": (summary(), SUMMARY, "summary", "not-a-summary", "S", 64 << 20),
    }
    for kind, (document, label, prefix, other, rule, most) in whole.items():
        size, begins, seals, form = ("R1", "R2", "R3", "R4") if rule == "R" else (f"{rule}1",) * 4
        yield Vector(
            f"{kind}_too_large", kind, f"{prefix}-too-large", size, "a byte too many", document, padded_to=most + 1
        )
        _, body, seal, rest = document.split(b"\n", 3)
        other_label = SUMMARY if kind == "receipt" else RECEIPT
        unlabelled = {
            "empty": (b"", "nothing at all"),
            "no_last_line_end": (document[:-1], "cut by one byte"),
            "version_2": (document.replace(b" v1\n", b" v2\n", 1), "another version"),
            "of_another_kind": (other_label + document[len(label) :], "the label of another document"),
            "byte_order_mark": (b"\xef\xbb\xbf" + document, "a byte order mark before it"),
            "utf_16": (document.decode("latin-1").encode("utf-16"), "in UTF-16"),
            "carriage_return": (document.replace(b"\n", b"\r\n"), "lines end with CR LF"),
        }
        for name, (data, why) in unlabelled.items():
            yield Vector(f"{kind}_{name}", kind, other, begins, why, data)
        yield Vector(f"{kind}_label_alone", kind, f"{prefix}-cut", seals, "no body", label)
        yield Vector(f"{kind}_without_seal", kind, f"{prefix}-cut", seals, "no seal", label + body + b"\n")
        bodies = {
            "space": (body.replace(b":", b": ", 1), "a space"),
            "list": (b"[" + body + b"]", "a list"),
            "key_twice": (body[:-1] + b',"installation_id":"' + INSTALLATION.encode() + b'"}', "a name twice"),
            "keys_not_sorted": (b'{"zz":0,' + body[1:], "names out of order, and one too many"),
            "not_utf_8": (body.replace(b"-", b"\xff", 1), "bytes that are no text"),
            "not_ascii": (body.replace(b"-", "é".encode(), 1), "a letter that is not escaped"),
            "fraction": (body[:-1] + b',"zzz":1.5}', "a number with a fraction"),
            "not_a_number": (body[:-1] + b',"zzz":NaN}', "a number that is none"),
            "nested": (b'{"a":' * 5_000 + b"0" + b"}" * 5_000, "deeper than any reader goes"),
            "long_number": (body[:-1] + b',"zzz":' + b"9" * 5000 + b"}", "a number of 5000 digits"),
            "empty_line": (b"", "an empty line"),
        }
        for name, (line, why) in bodies.items():
            data = sealed(label, line, THIRD, rest.splitlines())
            yield Vector(f"{kind}_body_{name}", kind, f"{prefix}-not-canonical", form, why, data)
        unused = bytes(seal[:-3]) + chr(seal[-3] + 1).encode() + seal[-2:]
        seals_of = {
            "padded": (seal.replace(b'"}', b'=="}'), "base64 with padding"),
            "unused_bits": (unused, "unused bits that are not zero"),
            "short": (canonical({"kid": fingerprint(THIRD), "signature": base64url(bytes(63))}), "63 bytes"),
            "of_nothing": (b"{}", "neither kid nor signature"),
            "kid_a_number": (seal.replace(b'"kid":"' + _kid(seal) + b'"', b'"kid":7'), "a kid that is no text"),
            "field_more": (seal[:-1] + b',"zzz":0}', "a field more"),
        }
        for name, (line, why) in seals_of.items():
            data = sealed(label, body, THIRD, rest.splitlines(), line)
            yield Vector(f"{kind}_seal_{name}", kind, f"{prefix}-not-canonical", form, why, data)


def _kid(seal: bytes) -> bytes:
    return seal.split(b'"')[3]


def bad_heads() -> Iterator[Vector]:
    members: dict[str, tuple[dict[str, Any], str]] = {
        "field_missing": ({"actor": LEAVE_OUT}, "a field less"),
        "field_more": ({"comment": "x"}, "a field more"),
        "count_text": ({"leaf_count": "3"}, "a count in quotes"),
        "count_true": ({"leaf_count": True}, "a count that is true"),
        "count_negative": ({"leaf_count": -1}, "a negative count"),
        "count_fraction": ({"leaf_count": 3.0}, "a count with a fraction"),
        "count_too_large": ({"leaf_count": 1 << 63}, "2 to the 63"),
        "root_short": ({"merkle_root": base64url(bytes(31))}, "a root of 31 bytes"),
        "root_null": ({"merkle_root": None}, "no root"),
        "moment_of_no_day": ({"signed_at": "2030-02-30T12:00:00.000000Z"}, "the 30th of February"),
        "moment_with_offset": ({"signed_at": "2030-01-13T12:00:00.000000+00:00"}, "another form of UTC"),
        "moment_in_seconds": ({"covers_until": "2030-01-13T12:00:00Z"}, "no microseconds"),
        "moment_at_24": ({"covers_until": "2030-01-13T24:00:00.000000Z"}, "an hour that is none"),
        "cannot_prove_text": ({"cannot_prove": "nothing"}, "no list"),
        "id_null": ({"operator_id": None}, "no operator"),
    }
    for name, (told, why) in members.items():
        data = receipt(**told)
        yield Vector(f"head_{name}", "receipt", "receipt-not-canonical", "R4", why, data)
    of_mandates: dict[str, tuple[dict[str, Any], str]] = {
        "none": ({"mandates": LEAVE_OUT}, "a request's receipt without mandates"),
        "empty": ({"mandates": []}, "none in it"),
        "not_a_list": ({"mandates": MANDATE}, "one that is in no list"),
        "of_an_hourly": ({"kind": "hourly"}, "mandates in an hourly receipt"),
        "reference_missing": ({"reference": LEAVE_OUT}, "no reference, not even none"),
        "reference_number": ({"reference": 7}, "a reference that is a number"),
        "field_missing": ({"mandates": [changed(MANDATE, placed_at=LEAVE_OUT)]}, "a field less"),
        "field_more": ({"mandates": [changed(MANDATE, done_at=None)]}, "a field more"),
        "moment_bad": ({"mandates": [changed(MANDATE, asked_until="always")]}, "no moment"),
        "kind_other": ({"kind": "wish"}, "a kind that is none"),
    }
    for name, (told, why) in of_mandates.items():
        yield Vector(f"mandates_{name}", "receipt", "receipt-not-canonical", "R4", why, _of_mandates(told))
    why = "a kind that is none"
    yield Vector("head_kind_other", "receipt", "receipt-not-canonical", "R4", why, receipt(kind="daily"))
    escaped = receipt(actor="person:\u00e9").replace(b"\\u00e9", b"\\u00E9")
    yield Vector("head_escape_upper_case", "receipt", "receipt-not-canonical", "R4", "another escape", escaped)


def bad_signers() -> Iterator[Vector]:
    elsewhere, other = "receipt-of-another-installation", an_id("other installation")
    why = "another installation, its own key"
    data = receipt(key=STRANGER, installation_id=other)
    yield Vector("installation_other_with_its_key", "receipt", elsewhere, "R5", why, data)
    data = receipt(installation_id=other)
    yield Vector("installation_other_with_our_key", "receipt", elsewhere, "R5", "another, our own key", data)
    why = "our keys, and the history of another installation"
    yield Vector("installation_of_the_keys_is_other", "receipt", elsewhere, "R5", why, receipt(), keys=_OTHER)
    data = extract(GATE).replace(INSTALLATION.encode(), other.encode())
    yield Vector("installation_of_an_extract", "receipt", elsewhere, "R5", "an extract of another", data)
    unknown, wrong = "receipt-unknown-key", "receipt-signature"
    why = "a key that was never ours"
    yield Vector("key_stranger", "receipt", unknown, "R6", why, receipt(key=STRANGER))
    why = "a key newer than the history"
    yield Vector("key_newer", "receipt", unknown, "R6", why, receipt(key=THIRD), keys="keys_one")
    body = canonical(head_over(_LINES))
    signatures = {
        "of_another_key": (SECOND.sign(RECEIPT + body + b"\n"), "another key of ours signed it"),
        "of_a_stranger": (STRANGER.sign(RECEIPT + body + b"\n"), "a stranger under the kid of ours"),
        "without_label": (FIRST.sign(body + b"\n"), "the label was not signed"),
        "without_line_end": (FIRST.sign(RECEIPT + body), "the line's end was not signed"),
        "of_another_head": (
            FIRST.sign(RECEIPT + canonical(head_over(_LINES, kind="on-demand")) + b"\n"),
            "another head",
        ),
        "bit": (_flipped(FIRST.sign(RECEIPT + body + b"\n")), "one bit"),
        "zeros": (bytes(64), "all zero"),
    }
    for name, (signature, why) in signatures.items():
        seal = canonical({"kid": fingerprint(FIRST), "signature": base64url(signature)})
        data = sealed(RECEIPT, body, FIRST, _LINES, seal)
        yield Vector(f"signature_{name}", "receipt", wrong, "R7", why, data)


_OTHER = "keys_of_another_installation"


def _flipped(raw: bytes) -> bytes:
    return raw[:10] + bytes([raw[10] ^ 1]) + raw[11:]


def bad_leaves() -> Iterator[Vector]:
    forms: dict[str, tuple[bytes, str]] = {
        "space": (_LINES[0].replace(b":", b": ", 1), "a space"),
        "empty": (b"", "an empty line"),
        "twice": (_LINES[0][:-1] + b',"size_bytes":1000000}', "a name twice"),
        "field_missing": (canonical(changed(LEAVES[0], cause=LEAVE_OUT)), "a field less"),
        "field_more": (canonical(changed(LEAVES[0], comment="x")), "a field more"),
        "size_negative": (canonical(changed(LEAVES[0], size_bytes=-1)), "a negative size"),
        "moment_bad": (canonical(changed(LEAVES[0], due_at="soon")), "no moment"),
        "a_proof_among_leaves": (canonical(proofs(LEAVES, GATE)[0]), "a proof among leaves"),
    }
    for name, (line, why) in forms.items():
        data = receipt(shown=[line, *_LINES[1:]])
        yield Vector(f"leaf_{name}", "receipt", "receipt-not-canonical", "R8", why, data)
    others: dict[str, tuple[list[bytes], str]] = {
        "changed": ([canonical(changed(LEAVES[0], cause="request")), *_LINES[1:]], "another cause"),
        "dropped": (_LINES[:2], "the last one is missing"),
        "all_dropped": ([], "none is left"),
        "added": ([*_LINES, canonical(a_leaf(3, GATE))], "one more"),
        "doubled": ([*_LINES, _LINES[2]], "the last one twice"),
        "swapped": ([_LINES[1], _LINES[0], _LINES[2]], "two in the other's place"),
    }
    for name, (lines, why) in others.items():
        yield Vector(f"leaf_{name}", "receipt", "receipt-leaves", "R9", why, receipt(shown=lines))
    top = base64url(root([leaf_hash(line) for line in _LINES[:2]]))
    data = receipt(shown=_LINES, merkle_root=top)
    yield Vector("leaf_root_of_fewer", "receipt", "receipt-leaves", "R9", "the root of two, a count of three", data)


def bad_extracts() -> Iterator[Vector]:
    first, last = proofs(LEAVES, GATE)
    forms: dict[str, tuple[list[dict[str, object]], str]] = {
        "index_missing": ([changed(first, index=LEAVE_OUT)], "no index"),
        "index_true": ([changed(proofs(LEAVES, YARD)[0], index=True)], "an index that is true"),
        "index_negative": ([changed(first, index=-1)], "a negative index"),
        "field_more": ([changed(first, comment="x")], "a field more"),
        "path_text": ([changed(first, path="x")], "a path that is no list"),
        "path_short_step": ([changed(first, path=[base64url(bytes(31)), *first["path"][1:]])], "a step of 31 bytes"),
        "leaf_not_of_its_form": ([changed(first, leaf=changed(first["leaf"], cause=1))], "a cause that is a number"),
        "not_in_order": ([last, first], "indices that fall"),
        "twice": ([first, first], "one twice"),
    }
    for name, (shown, why) in forms.items():
        data = receipt(shown=[canonical(one) for one in shown])
        yield Vector(f"extract_{name}", "receipt", "receipt-not-canonical", "R8", why, data)
    paths: dict[str, tuple[dict[str, object], str]] = {
        "leaf_changed": (changed(first, leaf=changed(first["leaf"], size_bytes=7)), "another size"),
        "index_of_another": (changed(first, index=1), "another place"),
        "index_beyond": (changed(first, index=3), "a place beyond the last"),
        "path_longer": (changed(first, path=[*first["path"], base64url(bytes(32))]), "a step too many"),
        "path_shorter": (changed(first, path=first["path"][:-1]), "a step too few"),
        "path_turned": (changed(first, path=first["path"][::-1]), "steps from the root down"),
        "path_of_another": (changed(first, path=last["path"]), "the path of another leaf"),
    }
    for name, (one, why) in paths.items():
        data = receipt(shown=[canonical(one)])
        yield Vector(f"extract_{name}", "receipt", "receipt-leaves", "R9", why, data)


def bad_keys() -> Iterator[Vector]:
    three = key_list(V1, V2, V3)
    canon: dict[str, tuple[object, str]] = {
        "none": ([], "no key"),
        "not_a_list": ({}, "no list"),
        "field_missing": ([changed(three[0], state=LEAVE_OUT), *three[1:]], "a field less"),
        "field_more": ([changed(three[0], uses=1), *three[1:]], "a field more"),
        "state_other": ([changed(three[0], state="compromised"), *three[1:]], "a state that is none"),
        "public_key_short": ([changed(three[0], public_key=base64url(bytes(31))), *three[1:]], "31 bytes"),
        "handed_over_short": ([three[0], changed(three[1], handed_over="AA"), three[2]], "a signature of a byte"),
        "date_without_time": ([changed(three[0], in_use_from="2030-01-01"), *three[1:]], "a day"),
    }
    for name, (keys, why) in canon.items():
        yield Vector(f"keys_list_{name}", "keys", "receipt-keys-not-canonical", "H1", why, history(keys))
    lines = history(three) + b"{}\n"
    yield Vector("keys_list_line_more", "keys", "receipt-keys-not-canonical", "H1", "a line behind the seal", lines)
    disagree: dict[str, tuple[list[dict[str, object]], str]] = {
        "version_missing": ([three[0], changed(three[2], version=3)], "version 2 is left out"),
        "version_twice": ([three[0], changed(three[1], version=1), three[2]], "version 1 twice"),
        "not_in_order": ([three[2], three[1], three[0]], "the newest first"),
        "kid_of_another": ([changed(three[0], kid=three[1]["kid"]), *three[1:]], "the fingerprint of another"),
        "key_twice": (key_list(V1, Version(FIRST, moment(20, 8)), V3), "one key under two versions"),
        "two_active": ([changed(three[0], state="active"), *three[1:]], "two in use"),
        "none_active": ([*three[:2], changed(three[2], state="retired")], "none in use"),
        "times_apart": ([changed(three[0], in_use_until=moment(19, 8)), *three[1:]], "a day without a key"),
        "newest_has_ended": (
            [*three[:2], changed(three[2], in_use_until=moment(1, 0, month="2031-01"))],
            "it has an end",
        ),
        "first_handed_over": ([changed(three[0], handed_over=three[1]["handed_over"]), *three[1:]], "to the first"),
    }
    for name, (told, why) in disagree.items():
        yield Vector(f"keys_{name}", "keys", "receipt-keys-disagree", "H2", why, history(told))
    wrong = "receipt-keys-signature"
    yield Vector("keys_signed_by_a_retired", "keys", wrong, "H3", "signed by a retired key", history(three, SECOND))
    yield Vector("keys_signed_by_a_stranger", "keys", wrong, "H3", "signed by a stranger", history(three, STRANGER))
    body = canonical({"installation_id": INSTALLATION, "signed_at": moment(1, 0, 30, month="2030-03"), "keys": three})
    seal = canonical({"kid": fingerprint(THIRD), "signature": base64url(_flipped(THIRD.sign(KEYS + body + b"\n")))})
    yield Vector("keys_signature_bit", "keys", wrong, "H3", "one bit", sealed(KEYS, body, THIRD, (), seal))
    handed: dict[str, tuple[Version, str]] = {
        "by_a_stranger": (Version(SECOND, moment(20, 8), STRANGER), "a stranger signed it"),
        "by_itself": (Version(SECOND, moment(20, 8), SECOND), "it signed itself"),
        "at_another_moment": (Version(SECOND, moment(20, 8), FIRST, {"made_at": moment(20, 7)}), "another moment"),
        "of_another_purpose": (Version(SECOND, moment(20, 8), FIRST, {"purpose": "token-signing"}), "another purpose"),
    }
    for name, (second, why) in handed.items():
        data = history(key_list(V1, second, V3))
        yield Vector(f"keys_handed_over_{name}", "keys", "receipt-keys-handover", "H4", why, data)
    apart = "receipt-keys-not-pinned"
    gap = history(key_list(V1, Version(SECOND, moment(20, 8)), V3))
    kid, unknown = fingerprint(FIRST), fingerprint(STRANGER)
    yield Vector("keys_pinned_before_a_gap", "keys", apart, "H5", "nothing was handed over", gap, pinned=kid)
    yield Vector("keys_pinned_unknown", "keys", apart, "H5", "not among them", history(three), pinned=unknown)
    slipped = history(key_list(V1, Version(STRANGER, moment(20, 8))), STRANGER)
    yield Vector("keys_pinned_and_slipped_in", "keys", apart, "H5", "a stranger's history", slipped, pinned=kid)


def summaries() -> Iterator[Vector]:
    first = summary()
    follows = {"previous": {"month": "2030-01", "digest": digest(first)}}
    both = "receipt_good"
    yield Vector("summary_good", "summary", "valid", "S3", "a month with one receipt", first, receipts=both)
    yield Vector("summary_alone", "summary", "valid", "S3", "without its receipts", first)
    yield Vector(
        "summary_of_nothing",
        "summary",
        "valid",
        "S4",
        "a month in which nothing was destroyed, after one",
        summary(THIRD, **{**NOTHING, **follows}),
        previous="summary_good",
        receipts="receipt_good",
    )
    late: dict[str, Any] = {
        "overdue_segments": 2,
        "overdue_bytes": 9,
        "overdue_oldest_due_at": moment(31, 23),
        "longest_overdue_us": 7_200_000_000,
    }
    yield Vector("summary_overdue", "summary", "valid", "S3", "two hours overdue when signed", summary(**late))
    fields: dict[str, tuple[dict[str, Any], str]] = {
        "field_missing": ({"causes": LEAVE_OUT}, "a field less"),
        "month_13": ({"month": "2030-13"}, "a month that is none"),
        "receipt_field_more": ({"receipts": [{**listed(receipt()), "x": 1}]}, "a field more"),
        "cause_negative": ({"causes": {"expiry": -3}}, "a negative count"),
        "previous_without_digest": ({"previous": {"month": "2029-12"}}, "no digest"),
    }
    for name, (told, why) in fields.items():
        yield Vector(f"summary_{name}", "summary", "summary-not-canonical", "S1", why, summary(**told))
    more = summary() + b"{}\n"
    yield Vector("summary_line_more", "summary", "summary-not-canonical", "S1", "a line behind the seal", more)
    other = summary(installation_id=an_id("other installation"))
    elsewhere = "summary-of-another-installation"
    yield Vector("summary_other_installation", "summary", elsewhere, "S2", "another installation", other)
    yield Vector("summary_unknown_key", "summary", "summary-unknown-key", "S2", "a stranger's", summary(STRANGER))
    body = canonical(summary_body())
    seal = canonical(
        {"kid": fingerprint(SECOND), "signature": base64url(_flipped(SECOND.sign(SUMMARY + body + b"\n")))}
    )
    data = sealed(SUMMARY, body, SECOND, (), seal)
    yield Vector("summary_signature_bit", "summary", "summary-signature", "S2", "one bit", data)
    one = listed(receipt())
    later = {**one, "receipt_id": an_id("another"), "signed_at": moment(14, 10)}
    behind = {**one, "signed_at": moment(1, 0, month="2030-02")}
    cameras = summary_body()["cameras"]
    sums: dict[str, tuple[dict[str, Any], str]] = {
        "segments_other": ({"segments": 4}, "another sum of segments"),
        "bytes_other": ({"size_bytes": 1}, "another sum of bytes"),
        "causes_other": ({"causes": {"expiry": 2}}, "a cause of one less"),
        "cameras_turned": ({"cameras": cameras[::-1]}, "cameras out of order"),
        "receipts_turned": ({"receipts": [{**later, "leaf_count": 0}, one]}, "receipts out of order"),
        "receipt_twice": ({"receipts": [one, one], "segments": 6, "causes": {"expiry": 6}}, "a receipt twice"),
        "receipt_behind_its_month": ({"receipts": [behind]}, "signed in the next month"),
        "previous_not_before": ({"previous": {"month": "2029-11", "digest": digest(b"")}}, "two months before"),
        "overdue_without_date": ({"overdue_segments": 1}, "overdue since no moment"),
        "longest_other": ({"longest_overdue_us": 1}, "not the greater of the two"),
    }
    for name, (told, why) in sums.items():
        yield Vector(f"summary_{name}", "summary", "summary-sums", "S3", why, summary(**told))


def compared_summaries() -> Iterator[Vector]:
    first = summary()
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "digest": ({"previous": {"month": "2030-01", "digest": digest(b"another")}}, "another document's digest"),
        "none": ({"previous": None}, "it says it is the first"),
        "operator": (
            {"previous": {"month": "2030-01", "digest": digest(first)}, "operator_id": an_id("other operator")},
            "another operator's",
        ),
    }
    for name, (told, why) in wrong.items():
        data = summary(THIRD, **{**NOTHING, **told})
        yield Vector(
            f"summary_previous_{name}", "summary", "summary-previous", "S4", why, data, previous="summary_good"
        )
    yield Vector(
        "compared_unusable",
        "summary",
        "summary-receipt-unusable",
        "S5",
        "a changed one",
        first,
        receipts="leaf_changed",
    )
    why = "an extract proves no month"
    yield Vector("compared_extract", "summary", "summary-receipt-unusable", "S5", why, first, receipts="extract_gate")
    nothing = summary(**{**NOTHING, "month": "2030-01"})
    why = "one of the month is not listed"
    unlisted = "summary-receipt-unlisted"
    yield Vector("compared_unlisted", "summary", unlisted, "S6", why, nothing, receipts="receipt_good")
    why = "the same id over fewer leaves"
    differs = "summary-receipt-differs"
    yield Vector("compared_differs", "summary", differs, "S7", why, first, receipts="receipt_of_one_leaf")
    elsewhere = receipt(receipt_id=an_id("of February"), signed_at=moment(2, 0, month="2030-02"))
    yield Vector("receipt_of_february", "receipt", "valid", "R7", "of the month after", elsewhere)
    missing, why = "summary-receipt-missing", "only one of another month is there"
    yield Vector("compared_missing", "summary", missing, "S8", why, first, receipts="receipt_of_february")
    sums: dict[str, tuple[dict[str, Any], str]] = {
        "cause": ({"causes": {"request": 3}}, "another cause"),
        "camera": (
            {"cameras": [{"camera_id": GATE, "segments": 3, "size_bytes": 3_000_003}]},
            "all of one camera",
        ),
        "time": ({"due_to_key_destroyed_us": 1}, "a shorter time to the key"),
        "due": ({"segments_without_due": 1}, "a leaf without due_at that has one"),
    }
    for name, (told, why) in sums.items():
        data = summary(**told)
        yield Vector(f"compared_sum_of_{name}", "summary", "summary-sums", "S9", why, data, receipts="receipt_good")


def all_vectors() -> list[Vector]:
    makers = (
        good,
        bad_forms,
        bad_heads,
        bad_signers,
        bad_leaves,
        bad_extracts,
        bad_keys,
        summaries,
        compared_summaries,
    )
    return [vector for make in makers for vector in make()]


def main() -> None:
    HERE.mkdir(exist_ok=True)
    vectors = all_vectors()
    wanted = {f"{vector.name}.vector": vector.octets() for vector in vectors}
    assert len(wanted) == len(vectors), "a name is there twice"
    for path in HERE.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, data in wanted.items():
        (HERE / name).write_bytes(data)
    sys.stdout.write(f"{len(wanted)} vectors of receipt-v1\n")


if __name__ == "__main__":
    main()
