"""Reading Markdown as the guards need it: links, headings, and what stands in code."""

import re
from typing import Final

_FENCE: Final = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"(?P<ticks>`+)(?P<code>.+?)(?P=ticks)", re.DOTALL)
_LINK: Final = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+(?P<text>.+?)[ \t]*#*$", re.MULTILINE)


def without_code(text: str) -> str:
    """Return a page without what stands in code."""
    return _SPAN.sub("", _FENCE.sub("", text))


def code_in(text: str) -> list[str]:
    """Return each line of a fence and each span, as a reader would type it."""
    lines = [line for fence in _FENCE.finditer(text) for line in fence.group().splitlines()[1:-1]]
    return lines + [" ".join(span["code"].split()) for span in _SPAN.finditer(_FENCE.sub("", text))]


def links_in(text: str) -> list[str]:
    """Return the targets of a page's links, without those that lead elsewhere in the world."""
    found = [link["target"] for link in _LINK.finditer(without_code(text))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors_in(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the common renderers make them."""
    anchors: set[str] = set()
    for heading in _HEADING.finditer(_FENCE.sub("", text)):
        plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"]).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number, unique = 0, anchor
        while unique in anchors:
            number += 1
            unique = f"{anchor}-{number}"
        anchors.add(unique)
    return anchors
