"""Every vector of sealed-file-v1 opens, or fails, as it says: for the service and for the independent reader."""

import hashlib
import random
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from archive.format import rules
from archive.format.errors import DamagedChunk, SealedFileRefused
from archive.format.rules import Closing
from archive.format.sealed_file import SealedReader, SealedWriter
from tests.given.sealed_vectors import (
    FOLDER,
    GivenSalt,
    Outcome,
    Vector,
    all_vectors,
    independent_outcome,
    our_outcome,
    read_vector,
    reader_of,
)
from tests.vectors import generate_sealed_file
from vms_privacy.keyring.plaintext import KeyBytes

VECTORS = {vector.name: vector for vector in all_vectors()}
PAGE = generate_sealed_file.PAGE.read_text("utf-8")
RULE = re.compile(r"\b[FWRC]\d+\b")


def opened(vector: Vector) -> SealedReader:
    return reader_of(vector.data, vector.key, vector.salt, vector.octets("last-tag"))


@pytest.mark.parametrize("name", VECTORS)
def test_the_service_answers_what_the_vector_expects(name: str, tmp_path: Path) -> None:
    assert our_outcome(VECTORS[name], tmp_path / "file") == Outcome.wanted(VECTORS[name])


@pytest.mark.parametrize("name", VECTORS)
def test_a_reader_written_from_the_page_alone_answers_the_same(name: str) -> None:
    assert independent_outcome(VECTORS[name]) == Outcome.wanted(VECTORS[name])


@pytest.mark.parametrize("name", [v.name for v in VECTORS.values() if v.opens and not v.recovers])
def test_r4_any_piece_of_the_media_is_that_piece_of_the_whole(name: str) -> None:
    vector = VECTORS[name]
    media = opened(vector).read(0, 1 << 40)
    assert hashlib.sha256(media).hexdigest() == vector.lines["released-sha256"]
    places = random.Random(name)
    cuts = {0, len(media), *(at + by for at in range(0, len(media), 4096) for by in (-1, 0, 1))}
    cuts |= {places.randrange(len(media) + 1) for _ in range(20)}
    reader = opened(vector)
    for start, end in pairwise(sorted(cut for cut in cuts if 0 <= cut <= len(media))):
        assert reader.read(start, end - start) == media[start:end]
    assert reader.read(len(media) + 5, 10) == b""


def refusal_of(action: Callable[[], object]) -> SealedFileRefused | None:
    """What an action refuses with, or None."""
    try:
        action()
    except SealedFileRefused as refused:
        return refused
    return None


@pytest.mark.parametrize("name", [v.name for v in VECTORS.values() if v.lines["expect"] == "damaged-chunk"])
def test_r10_what_does_not_touch_a_damaged_chunk_is_still_read(name: str) -> None:
    vector = VECTORS[name]
    damaged = int(vector.lines["chunk"])
    refused = refusal_of(lambda: opened(vector).media_length)
    if refused is not None:
        assert isinstance(refused, DamagedChunk), "only the chunks of the end can keep a file from opening"
        assert refused.chunk == damaged
        return
    reader = opened(vector)
    ends = range(0, reader.media_length, reader.chunk_size)
    found = [refusal_of(lambda at=at: reader.read(at, reader.chunk_size)) for at in ends]  # type: ignore[misc]
    numbers = {refused.chunk for refused in found if isinstance(refused, DamagedChunk)}
    assert min(numbers) == damaged
    assert numbers == {place for place, refused in enumerate(found) if refused is not None}
    assert len(numbers) <= 2, "a swap damages two places, everything else one"


HEAD_KINDS = ("not-sealed", "unsupported-version", "damaged-header")


@pytest.mark.parametrize("name", VECTORS)
def test_r9_a_look_at_the_head_without_a_key_tells_the_same_kind(name: str) -> None:
    vector = VECTORS[name]
    refused = refusal_of(lambda: rules.parse_header(vector.data[: rules.HEAD]))
    if refused is not None:
        assert refused.code.removeprefix("sealed-file-") == vector.lines["expect"]
        return
    header = rules.parse_header(vector.data[: rules.HEAD])
    assert vector.lines["expect"] not in HEAD_KINDS
    assert header.chunk_size in rules.CHUNK_SIZES
    assert (header.salt == vector.salt) == (vector.lines["expect"] != "foreign")


@pytest.mark.parametrize("name", [v.name for v in VECTORS.values() if v.lines["expect"] == "finished"])
def test_f4_f5_f6_our_writer_makes_the_same_bytes(name: str, tmp_path: Path) -> None:
    """What opens is sealed again from its media and index, in pieces, and every byte is the same: one encoding."""
    vector = VECTORS[name]
    data, last_tag = vector.data, vector.octets("last-tag") or vector.data[-16:]
    reader = reader_of(data, vector.key, vector.salt, last_tag)
    media, index = reader.read(0, reader.media_length), reader.index()
    for step in (len(media) or 1, 1000, reader.chunk_size):
        with (tmp_path / "copy").open("wb") as file:
            writer = SealedWriter(file, KeyBytes(vector.key), reader.chunk_size, GivenSalt(vector.salt))
            for start in range(0, len(media), step):
                writer.write(media[start : start + step])
            summary = writer.finish(index)
        assert (tmp_path / "copy").read_bytes() == data
        assert (summary.size, summary.salt, summary.last_tag) == (len(data), vector.salt, last_tag)


def test_the_generator_leaves_no_difference() -> None:
    """The vectors on disk and the worked examples on the page are what the program makes."""
    made = generate_sealed_file.everything()
    assert {path: path.read_bytes() for path in made} == made
    assert set(FOLDER.iterdir()) == made.keys() - {generate_sealed_file.PAGE}


def test_the_independent_reader_imports_nothing_of_the_service() -> None:
    source = Path(generate_sealed_file.__file__).with_name("independent_reader.py").read_text("utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert imported <= {"cryptography", *sys.stdlib_module_names}


def test_the_independent_reader_runs_alone(tmp_path: Path) -> None:
    """As an auditor would: one file, one key, no service."""
    vector = read_vector(FOLDER / "finished_chunks_of_4096.vector")
    (tmp_path / "file").write_bytes(vector.data)
    program = Path(generate_sealed_file.__file__).with_name("independent_reader.py")
    command = [sys.executable, "-I", str(program), str(tmp_path / "file"), vector.lines["segment-key"]]
    done = subprocess.run([*command, vector.lines["salt"], vector.lines["last-tag"]], capture_output=True, check=True)
    assert hashlib.sha256(done.stdout).hexdigest() == vector.lines["released-sha256"]
    refused = subprocess.run([*command, "00" * 32, vector.lines["last-tag"]], capture_output=True, check=False)
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, b"", b"foreign\n")


def arithmetic(kind: str) -> list[list[str]]:
    lines = (FOLDER / "arithmetic.txt").read_text("ascii").splitlines()
    return [line.split()[1:] for line in lines if line.startswith(kind)]


@pytest.mark.parametrize(("chunk_size", "plain", "chunks", "size"), arithmetic("size"))
def test_sizes_are_those_of_the_page(chunk_size: str, plain: str, chunks: str, size: str) -> None:
    if size == "none":
        with pytest.raises(ValueError, match="sealed-file-v1"):
            rules.finished_size(int(plain), int(chunk_size))
        return
    assert rules.finished_size(int(plain), int(chunk_size)) == int(size)
    final = rules.final_chunk(int(size), int(chunk_size))
    assert (final.index, final.closing) == (int(chunks) - 1, Closing.LAST)
    assert rules.offset_of(final.index, int(chunk_size)) + final.length == int(size)


@pytest.mark.parametrize(("prefix", "index", "closing", "nonce"), arithmetic("nonce"))
def test_w2_nonces_are_those_of_the_page_up_to_the_last(prefix: str, index: str, closing: str, nonce: str) -> None:
    if nonce == "none":
        with pytest.raises(ValueError, match="sealed-file-v1"):
            rules.nonce_for(bytes.fromhex(prefix), int(index), Closing(int(closing)))
    else:
        assert rules.nonce_for(bytes.fromhex(prefix), int(index), Closing(int(closing))).hex() == nonce


def test_every_must_of_the_page_is_named_by_a_vector_or_a_test() -> None:
    stated = set(re.findall(r"^- \*\*([FWRC]\d+)\*\*", PAGE, re.MULTILINE))
    named = {rule for vector in VECTORS.values() for rule in RULE.findall(vector.lines["rule"])}
    tests = [
        Path(__file__).with_name("test_keys.py"),
        *Path(__file__).parent.glob("test_format_*.py"),
        *Path(__file__).parents[1].glob("properties/test_sealed_*"),
    ]
    names = re.findall(r"def (test_\w+)", "\n".join(path.read_text("utf-8") for path in tests))
    named |= {part.upper() for name in names for part in name.split("_") if RULE.fullmatch(part.upper())}
    assert named == stated


def test_every_kind_of_failure_has_a_vector() -> None:
    kinds = {cls.code.removeprefix("sealed-file-") for cls in SealedFileRefused.__subclasses__()}
    assert kinds <= {vector.lines["expect"] for vector in VECTORS.values()}
    assert all(f"`{kind}`" in PAGE for kind in kinds)


def test_every_vector_that_the_threat_table_names_is_there() -> None:
    table = generate_sealed_file.PAGE.read_text().partition("## 13. Threats")[2].partition("### What this format")[0]
    rows = [row.split(" | ") for row in table.splitlines() if row.startswith("| ") and "`" in row]
    named = {vector for row in rows for vector in re.findall(r"`([a-z0-9_]+)`", row[-1])}
    assert len(named) > 15
    assert {f"{one}.vector" for one in named} <= {path.name for path in FOLDER.glob("*.vector")}
