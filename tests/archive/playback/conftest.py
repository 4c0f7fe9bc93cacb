from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvloop

from auth.grants.rules import Grant
from auth.principal import Right
from auth.tokens.rules import Action
from tests.given.clock import HandClock
from tests.given.playback_server import PlaybackServer
from tests.given.randomness import CountedRandomness
from tests.given.tokens import TokenParts
from vms_privacy.db import Database


@pytest.fixture
def parts(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> Iterator[TokenParts]:
    made = TokenParts(db, clock, randomness, tmp_path)
    yield made
    made.close()


@pytest.fixture
def server(parts: TokenParts, clock: HandClock, tmp_path: Path) -> Iterator[PlaybackServer]:
    made = PlaybackServer(parts, clock, tmp_path)
    yield made
    made.vault.leave()


@pytest.fixture
def grant(parts: TokenParts) -> Grant:
    """The viewer's right to look at what `north/door` recorded."""
    return parts.access.grant(parts.viewer, [Right.ARCHIVE], parts.camera.camera_id)


@pytest.fixture
def token(parts: TokenParts, grant: Grant) -> str:
    return parts.issue(parts.viewer, Action.ARCHIVE).handle


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], AbstractEventLoop]]:
    """The loop that the service runs on: buffers and aborts are its business."""
    return {"uvloop": uvloop.new_event_loop}
