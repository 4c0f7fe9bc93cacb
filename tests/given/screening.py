"""A stage whose camera has live pictures and recorded ones, and viewers with every sort of token and key."""

import asyncio
import re
from dataclasses import replace

from auth.principal import Principal, Right
from auth.resources.rules import Resource
from auth.tokens.issuing import IssuedToken
from auth.tokens.rules import Action, Purpose, Window
from auth.tokens.wishes import DEFAULT_LIFETIME, Wish
from tests.given.destroyed import record
from tests.given.scripted_source import drawn, plain_epoch
from tests.given.stage import HOUR, Stage
from tests.given.tokens import token_for
from tests.given.whole_app import DEADLINE_S, WholeApp

SECONDS = 2


class Screening:
    """One stage for all tests of a module: whoever looks at it changes nothing about it."""

    def __init__(self, app: WholeApp) -> None:
        self.app, self.stage = app, Stage(app)
        self.parts, self.camera = app.parts, self.stage.camera
        self.recorded = record(self.stage, 2 * SECONDS)
        self.start = self.recorded[0].captured_from_us // 1_000_000 + 1
        self._go_live()
        self.paths = self._nested_paths()

    def issue(
        self,
        actions: frozenset[Action],
        camera: Resource | None = None,
        viewer: Principal | None = None,
        window: Window = (None, None),
    ) -> IssuedToken:
        """A token of a viewer who may do everything with the camera; for the stage's camera if no other is named."""
        viewer = viewer or self.stage.person({Right.LIVE, Right.ARCHIVE})
        purpose = Purpose.LIVE_VIEW if actions == {Action.LIVE} else Purpose.ARCHIVE_VIEW
        camera = camera or self.camera
        return token_for(self.parts, viewer, Wish(camera.camera_id, actions, purpose, DEFAULT_LIFETIME, *window))

    def old(self, token: IssuedToken) -> str:
        """The same token, had it been issued an hour ago."""
        claims = token.claims
        return self.parts.signer.sign(
            replace(
                claims,
                not_before=claims.not_before - HOUR,
                expires_at=claims.expires_at - HOUR,
                session_until=claims.session_until - HOUR,
            )
        )

    def key(self, token: IssuedToken, action: Action, camera: str | None = None) -> str:
        """The key of the session that a token opens."""
        path = "index.m3u8" if action is Action.LIVE else f"archive-{self.start}-{SECONDS}.m3u8"
        return _key_in(self._load(f"/{self.stage.name}/{camera or self.camera.name}/{path}?token={token.handle}"))

    def close(self) -> None:
        """End all sessions, so that the next test finds room for its own."""
        self.parts.sessions.stop()

    def _go_live(self) -> None:
        live, source = self.parts.live, self.parts.source
        assert self.app.loop is not None

        async def fill() -> None:
            live.start(self.camera.camera_id)
            live.start(self.stage.other_camera.camera_id)
            await source.listened_to()
            source.begin(plain_epoch())
            source.send(drawn(7))
            async with asyncio.timeout(DEADLINE_S):
                for camera in (self.camera, self.stage.other_camera):
                    while len(live.channel(camera.camera_id).ring.listed()) < 3:
                        await live.channel(camera.camera_id).news()

        asyncio.run_coroutine_threadsafe(fill(), self.app.loop).result(DEADLINE_S)

    def _nested_paths(self) -> dict[str, str]:
        """The addresses that playlists give, by the operation they belong to; without their keys."""
        place = f"/{self.stage.name}/{self.camera.name}"
        token = self.issue(frozenset(Action))
        master = self._load(f"{place}/index.m3u8?token={token.handle}")
        live = self._load(f"{place}/live.m3u8?s={_key_in(master)}")
        archive = self._load(f"{place}/archive-{self.start}-{SECONDS}.m3u8?token={token.handle}")
        self.close()
        found = {"live.m3u8": "live.m3u8"}
        for text in (live, archive):
            for uri in re.findall(r"(?:live|archive)/[^?\"]+", text):
                found.setdefault(_operation_of(uri), uri)
        return found

    def _load(self, path: str) -> str:
        with self.app.client() as client:
            answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


def _key_in(playlist: str) -> str:
    found = re.search(r"\?s=([A-Za-z0-9_-]+)", playlist)
    assert found, playlist
    return found[1]


def _operation_of(uri: str) -> str:
    """The route's path that an address belongs to."""
    if uri.startswith("live/"):
        return "live/{run}/init.mp4" if uri.endswith("init.mp4") else "live/{number}.m4s"
    return "archive/{segment_id}/init.mp4" if uri.endswith("init.mp4") else "archive/{segment_id}/{first}-{last}.m4s"
