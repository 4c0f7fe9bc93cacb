"""A suppressed rule says why (`# noqa: BLE001 - whatever it was, the next round comes`).

A bare suppression is where swallowed errors hide: `except Exception` passes every linter with seven characters.
"""

import io
import re
import tokenize

_NOQA = re.compile(r"#\s*noqa(?P<codes>:\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*)?(?P<why>.*)", re.IGNORECASE)


def unexplained_excuses(source: str, path: str) -> list[str]:
    """List `noqa` comments without a code, or without at least two words of reason."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        excuse = _NOQA.search(token.string) if token.type == tokenize.COMMENT else None
        if excuse is not None and (excuse["codes"] is None or len(re.findall(r"\w+", excuse["why"])) < 2):
            found.append(f"{path}:{token.start[0]} suppresses a rule and does not say why")
    return found
