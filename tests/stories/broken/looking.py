"""Broken parts on the way of a look: relay, tap, gate, tokens, sessions."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from auth.errors import NotFound
from auth.gate import Gate
from auth.grants.service import GrantChange
from auth.media_sessions.rules import Limits
from auth.media_sessions.service import MediaSessions, Only
from auth.principal import Principal
from auth.resources.rules import Resource
from auth.tokens.rules import Claims
from auth.tokens.service import Admission, Asked, StreamTokens
from streams.ingest.subscription import Item
from streams.media.demux import Channel
from streams.media.faults import SourceFailed
from streams.media.packets import Fragment
from streams.media.relay import Connected, Pump, Relay
from streams.media.wire import Trust
from vms_privacy.app import Assembly
from vms_privacy.ids import CameraId


class RelayWritesToDisk(Assembly):
    """What cameras send is kept in a file, "for debugging". Tidied away at the first opt-in."""

    @cached_property
    def relay(self) -> Relay:
        dump = self.settings.data_dir / "cache" / "dump.rtp"
        dump.parent.mkdir()
        relay = _DumpingRelay(self.clock, self.randomness, Trust(), self.settings.camera_networks)
        relay.dump = dump
        self.ledger.on_change(lambda _: relay.tidy_away())
        return relay


class _DumpingRelay(Relay):
    dump: Path | None

    async def play(self, connected: Connected, channel: Channel, failed: Callable[[SourceFailed], None]) -> Pump:
        return await super().play(connected, _DumpingChannel(channel, self), failed)

    def tidy_away(self) -> None:
        dump, self.dump = self.dump, None
        if dump is not None:
            dump.unlink()


class _DumpingChannel(Channel):
    def __init__(self, channel: Channel, relay: _DumpingRelay) -> None:
        super().__init__(channel._child, channel._slot)
        self._relay = relay

    def feed(self, frames: bytes, arrived_us: int) -> None:
        if self._relay.dump is not None:
            with self._relay.dump.open("ab") as file:
                file.write(frames)
        super().feed(frames, arrived_us)


class TapMixesCameras(Assembly):
    """For three seconds after the first opt-in the recorder of one camera gets another one's key pictures.

    Those that follow need not be mixed: they say what changed, and which camera it is does not. Later ones would be
    the last before the withdrawal, too, and show there.
    """

    _newest_key: dict[CameraId, Fragment]
    _mixes_until_s = 0.0

    @cached_property
    def _cameras(self) -> list[CameraId]:
        self._newest_key = {}
        self.ledger.on_change(self._begin)
        return []

    def recorder_feed_of(self, camera_id: CameraId) -> AsyncGenerator[Item, None]:
        self._cameras.append(camera_id)
        return self._mixed(camera_id, super().recorder_feed_of(camera_id))

    def _begin(self, _: CameraId) -> None:
        self._mixes_until_s = self._mixes_until_s or self.clock.monotonic() + 3

    async def _mixed(self, camera_id: CameraId, items: AsyncIterable[Item]) -> AsyncGenerator[Item, None]:
        async for item in items:
            if isinstance(item, Fragment) and item.starts_with_key:
                self._newest_key[camera_id] = item
                yield replace(item, data=self._other(camera_id, item).data)
            else:
                yield item

    def _other(self, camera_id: CameraId, mine: Fragment) -> Fragment:
        if self.clock.monotonic() > self._mixes_until_s or camera_id != self._cameras[0]:
            return mine
        return self._newest_key.get(self._cameras[1], mine)


class GateOpenForNeighbours(Assembly):
    """Whoever is logged in may know of any camera."""

    @cached_property
    def gate(self) -> Gate:
        return _OpenGate(self.db, self.clock, self.audit, self.refusals)


class _OpenGate(Gate):
    def judge_sight(self, asker: Principal, camera_id: CameraId, now: datetime | None = None) -> Resource:
        try:
            return super().judge_sight(asker, camera_id, now)
        except NotFound:
            with self._db.reading() as session:
                camera = self._resources.by_id(session, camera_id)
            if camera is None:
                raise
            return camera


class WindowIsNotChecked(Assembly):
    """Which time of the archive is asked for makes no difference to a token."""

    @cached_property
    def tokens(self) -> StreamTokens:
        return _TokensWithoutWindow(
            self.db, self.clock, self.signer, self.judge, self.audit, self.refusals, self.revocation
        )


class _TokensWithoutWindow(StreamTokens):
    def admit_claims(self, claims: Claims, asked: Asked, *, going_on: bool = False) -> Admission:
        return super().admit_claims(claims, replace(asked, from_us=None, until_us=None), going_on=going_on)


class TokensNeverExpire(Assembly):
    """A token that has expired goes on starting."""

    @cached_property
    def tokens(self) -> StreamTokens:
        return _TokensForEver(self.db, self.clock, self.signer, self.judge, self.audit, self.refusals, self.revocation)


class _TokensForEver(StreamTokens):
    def read(self, text: str | None) -> Claims:
        claims = super().read(text)
        return replace(claims, expires_at=claims.expires_at + timedelta(hours=1))


class RevocationIsDeaf(Assembly):
    """A withdrawn right is neither heard of nor asked about while somebody looks."""

    @cached_property
    def sessions(self) -> MediaSessions:
        return _DeafSessions(self.group, self.clock, self.randomness, self.audit, self.revocation, self.judge, Limits())


class _DeafSessions(MediaSessions):
    def hear_grant(self, change: GrantChange) -> None:
        """Hear nothing."""

    def rejudge(self, only: Only | None = None) -> int:
        self._judged_all_at = self._clock.monotonic()
        return super().rejudge(only)
