"""Init segments without libav, for tests that decode nothing and run a thousand times."""

from collections.abc import Sequence

from streams.media.init_making import Made
from streams.media.offer import AudioOffer
from streams.media.packets import Track, TrackInfo


def made_without_libav(
    codec: str,
    clock: int,
    parameter_sets: Sequence[bytes],
    key: Sequence[bytes],
    audio: AudioOffer | None,
    depth: int = 0,
) -> Made:
    """Return tracks that name the parameter sets they were made from."""
    infos = [TrackInfo(Track.VIDEO, codec, clock, b"".join(parameter_sets), width=16, height=16)]
    if audio is not None:
        infos.append(TrackInfo(Track.AUDIO, "aac", audio.clock, audio.config, sample_rate=audio.clock, channels=1))
    return Made(tuple(infos), {frozenset(info.track for info in infos): b"init"}, depth)
