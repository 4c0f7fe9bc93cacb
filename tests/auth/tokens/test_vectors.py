"""The vectors of stream-token-v1, each refused for its own reason, and the generator that makes them."""

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auth.tokens.errors import TokenIsBad
from auth.tokens.payload import write_payload
from auth.tokens.rules import No, in_time
from auth.tokens.signing import TokenSigner
from tests.given.clock import HandClock
from tests.given.seeded_keyring import SeededKeyring
from tests.vectors.generate_stream_token import HERE, PAGE, all_vectors, example

VECTORS = sorted(HERE.glob("*.vector"))


def split(path: Path) -> tuple[dict[str, str], str]:
    head, _, token = path.read_text(encoding="utf-8").partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), token[:-1]


@pytest.fixture
def signer() -> TokenSigner:
    return TokenSigner(SeededKeyring(bytes(range(32))), HandClock(), "vms-privacy", "vms-privacy/stream")


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_each_vector_is_answered_as_it_says(path: Path, signer: TokenSigner) -> None:
    told, token = split(path)
    assert answer(signer, token, datetime.fromtimestamp(int(told["now"]), UTC)) == (told["expect"], told["reason"])


def answer(signer: TokenSigner, token: str, now: datetime) -> tuple[str, str]:
    try:
        claims = signer.read(token)
    except TokenIsBad as bad:
        return bad.code, bad.why
    verdict = in_time(claims, now)
    return ("token-expired", verdict.why) if isinstance(verdict, No) else ("good", "-")


@pytest.mark.parametrize(
    "path", [path for path in VECTORS if path.stem.startswith("good_")], ids=lambda path: path.stem
)
def test_a_good_token_is_read_as_what_it_says(path: Path, signer: TokenSigner) -> None:
    _, token = split(path)
    claims = signer.read(token)
    assert json.loads(write_payload(claims, "vms-privacy", "vms-privacy/stream")) == payload_of(token)


def payload_of(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_the_vectors_on_disk_are_those_that_the_generator_makes() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in VECTORS} == {
        f"{vector.name}.vector": vector.text() for vector in all_vectors()
    }
    assert example() in PAGE.read_text(encoding="utf-8")


def test_what_we_write_is_what_the_page_shows(signer: TokenSigner) -> None:
    _, token = split(HERE / "good_live.vector")
    assert signer.sign(signer.read(token)) == token


def test_every_rule_of_the_page_that_a_single_token_can_break_has_a_vector() -> None:
    assert {split(path)[0]["rule"] for path in VECTORS} == {f"S{number}" for number in range(1, 10)}
