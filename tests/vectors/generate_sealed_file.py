"""Make the vectors of sealed-file-v1 and the worked examples of its page, always the same.

`python -m tests.vectors.generate_sealed_file` writes them; a second run leaves no difference.
"""

import hmac
import sys
from pathlib import Path

from tests.vectors.sealed_by_hand import LAST, RECOVERED, Entry, Keys, Sealed, header_of, stream, trailer_of
from tests.vectors.sealed_file_bad import damaged_heads, wrong_ends
from tests.vectors.sealed_file_crashes import recoveries
from tests.vectors.sealed_file_damage import damaged_chunks, lying_trailers
from tests.vectors.sealed_file_good import finished_files, growing_files
from tests.vectors.sealed_file_vector import Vector

HERE = Path(__file__).parent / "sealed_file_v1"
PAGE = Path(__file__).parents[2] / "docs/formats/sealed-file-v1.md"
BEGIN, END = "<!-- worked example: begin -->\n", "<!-- worked example: end -->\n"


def all_vectors() -> list[Vector]:
    groups = (finished_files, growing_files, damaged_heads, wrong_ends, damaged_chunks, lying_trailers, recoveries)
    return [made for group in groups for made in group()]


def arithmetic() -> str:
    """Sizes and nonces up to the limits of section 12; `none` where the page allows no value."""
    lines = ["# chunk-size plaintext chunks finished-size"]
    for exponent in (12, 13, 14, 15, 16):
        size = 1 << exponent
        for plain in (44, size - 1, size, size + 1, 2 * size, 1_000_000, 2**32 * size - 1, 2**32 * size):
            chunks = -(-plain // size)
            lines.append(f"size {size} {plain} {chunks} {80 + plain + 16 * chunks}")
        lines.append(f"size {size} {2**32 * size + 1} none none")
    lines.append("# prefix index closing nonce")
    prefix = stream("prefix", 7)
    for index, closing in ((0, 0), (1, 0), (255, 0), (256, 1), (2**32 - 2, 0), (2**32 - 1, 1), (2**32 - 1, 2)):
        lines.append(f"nonce {prefix.hex()} {index} {closing} {prefix.hex()}{index:08x}{closing:02x}")
    for index, closing in ((2**32 - 1, 0), (2**32, 1), (2**32, 2)):
        lines.append(f"nonce {prefix.hex()} {index} {closing} none")
    return "\n".join(lines) + "\n"


def folded(data: bytes) -> str:
    """Hexadecimal, 32 bytes a line, to stand under a name."""
    return "\n".join(f"               {data[at : at + 32].hex()}" for at in range(0, len(data), 32)).lstrip()


def worked_examples() -> str:
    """Section 14: an empty finished file, one recovered before its first chunk was whole, and one with a fragment."""
    key, salt = bytes(range(32)), bytes(range(0x80, 0xA0))
    header = header_of(12, salt)
    keys = Keys.of(key, header)
    begun = Sealed(header, keys)
    trailer = trailer_of(0, 0, [])
    empty, recovered = begun.finished(b"", trailer), begun.recovered()
    values = [
        ("segment key", key),
        ("salt", salt),
        ("header", header),
        ("prk", hmac.digest(salt, key, "sha256")),
        ("okm", keys.okm),
        ("file key", keys.file_key),
        ("nonce prefix", keys.prefix),
        ("key check", keys.check),
        ("trailer", trailer),
        ("nonce(0, 01)", keys.nonce(0, LAST)),
        ("chunk 0", empty.chunks[0]),
        ("last tag", empty.last_tag),
        ("file", empty.data),
    ]
    closed = [
        ("nonce(0, 02)", keys.nonce(0, RECOVERED)),
        ("chunk 0", recovered.chunks[0]),
        ("file", recovered.data),
    ]
    media, entry = bytes(range(0x40, 0x60)), Entry(offset=8, length=24)
    with_media = begun.finished(media, trailer_of(32, 8, [entry]))
    played = [
        ("media", media),
        ("entry", entry.encoded()),
        ("trailer", trailer_of(32, 8, [entry])),
        ("plaintext", media + trailer_of(32, 8, [entry])),
        ("nonce(0, 01)", keys.nonce(0, LAST)),
        ("chunk 0", with_media.chunks[0]),
        ("last tag", with_media.last_tag),
        ("file", with_media.data),
    ]
    first, second, third = (
        "\n".join(f"{name:<13}: {folded(data)}" for name, data in part) for part in (values, closed, played)
    )
    return (
        f"A finished file without media, chunk size 4,096, {len(empty.data)} bytes:\n\n```text\n{first}\n```\n\n"
        f"The same file, recovered after a crash before its first chunk was whole, {len(recovered.data)} bytes:\n\n"
        f"```text\n{second}\n```\n\n"
        "With the same key and salt, which no two real files share, a finished file with an init segment of 8 bytes\n"
        f"and one fragment of 24 that begins with a key picture, {len(with_media.data)} bytes:\n\n"
        f"```text\n{third}\n```\n"
    )


def page_with_examples(page: str) -> str:
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{worked_examples()}\n{END}{after}"


def everything() -> dict[Path, bytes]:
    """Every file this program makes, by its path."""
    files = {HERE / f"{made.name}.vector": made.text() for made in all_vectors()}
    files[HERE / "arithmetic.txt"] = arithmetic().encode("ascii")
    files[PAGE] = page_with_examples(PAGE.read_text("utf-8")).encode("utf-8")
    return files


def main() -> int:
    HERE.mkdir(exist_ok=True)
    files = everything()
    for stale in set(HERE.iterdir()) - files.keys():
        stale.unlink()
    for path, data in files.items():
        path.write_bytes(data)
    sys.stdout.write(f"{len(files)} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
