import asyncio
import hashlib
import subprocess
from pathlib import Path

import pytest

from auth.tokens.rules import Action
from streams.live.channel import LiveLimits
from streams.media.packets import Track
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import decoded, fragments_of
from tests.given.live_server import LiveServer
from tests.given.scripted_source import drawn, plain_epoch
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag

LIMITS = LiveLimits(start_seconds=0.2)


def uris(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def handle(parts: TokenParts) -> str:
    return parts.issue(parts.viewer, Action.LIVE, purpose="live_view").handle


@pytest.fixture
def parts_of_a_viewer(parts: TokenParts) -> TokenParts:
    parts.access.grant(parts.viewer, [__import__("auth.principal").principal.Right.LIVE])
    return parts
