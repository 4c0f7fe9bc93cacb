"""One camera inside the child: its `$` frames become epochs and packets, with stamps that can be relied on.

No socket, no clock, no file: frames come in with the moment they arrived, values go out. A new epoch begins at a key
picture, when parameter sets have changed, when the camera's clock has jumped, or when its sound lies wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from streams.media.child_protocol import Coded, NewEpoch, Plan
from streams.media.faults import Fault, SourceFailed
from streams.media.init_making import Made
from streams.media.lip_sync import Skew, TrackTimes, is_worth_a_new_epoch, skew_between
from streams.media.nal import with_lengths
from streams.media.offer import AudioOffer
from streams.media.packets import Track
from streams.media.pictures import H264, HEVC, NalKinds, Picture, PictureReader, SoundReader, Sounds
from streams.media.rtp_reading import AuHeads, read_report, says_bye
from streams.media.stamps import DecodeOrder, Stamped, Unroller

MakeInit = Callable[[str, int, Sequence[bytes], Sequence[bytes], AudioOffer | None], Made]
# How long sound is left out while it is not reported where it lies (RFC 3550, 6.2: the first report is due by then).
_PATIENCE_US: Final = 3_000_000


@dataclass(slots=True)
class Heard:
    """What one stretch of frames gave, in order: packets, and epochs that begin among them.

    `over`: the camera said goodbye, or its parameter sets cannot be read; nothing comes after it.
    """

    lost: int = 0
    items: list[NewEpoch | Coded] = field(default_factory=list)
    over: SourceFailed | None = None


class CameraDemux:
    """Follows one camera from its first frame to its end."""

    def __init__(self, plan: Plan, make_init: MakeInit) -> None:
        self._plan = plan
        self._make_init = make_init
        self._kinds = HEVC if plan.video.codec == "hevc" else H264
        self._pictures = PictureReader(self._kinds, plan.video.payload_type)
        self._picture_stamps = Unroller(plan.video.clock)
        self._picture_times = TrackTimes()
        self._sets = _ParameterSets(self._kinds, plan.video.parameter_sets)
        self._made_for: tuple[bytes, ...] = ()
        self._made: Made | None = None
        self._order: DecodeOrder[Picture] | None = None
        self._depth = 0
        self._wants_epoch = True
        self._zero: int | None = None
        self._sound = None if plan.audio is None else _Sound(plan.audio)
        self._heard = Heard()

    def feed(self, frames: bytes, arrived_us: int) -> Heard:
        """Take whole frames that arrived together; return what they gave."""
        try:
            self._read(frames, arrived_us)
        except SourceFailed as failed:
            self._heard.over = failed
        heard, self._heard = self._heard, Heard()
        heard.lost += self._take_lost()
        return heard

    def _read(self, frames: bytes, arrived_us: int) -> None:
        plan = self._plan
        at, end = 0, len(frames)
        while at < end:
            channel = frames[at + 1]
            if channel == plan.video_channel:
                pictures: list[Picture] = []
                at = self._pictures.read(frames, at, arrived_us, pictures)
                for picture in pictures:
                    self._take_picture(picture)
                continue
            start = at + 4
            at = start + (frames[at + 2] << 8 | frames[at + 3])
            if channel == plan.audio_channel and self._sound is not None:
                self._take_sounds(self._sound, frames, start, at, arrived_us)
            elif channel in {plan.video_reports, plan.audio_reports}:
                self._take_report(channel, frames, start, at)

    def _take_picture(self, picture: Picture) -> None:
        unrolled = self._picture_stamps.unroll(picture.stamp, picture.arrived_us)
        if unrolled.jumped:
            self._picture_times.forget()
            self._wants_epoch = True
        self._picture_times.hear(self._video_us(unrolled.ticks), picture.arrived_us)
        if self._pictures.was_cut_wrongly:
            self._pictures.was_cut_wrongly = False
            self._wants_epoch = True
        self._sets.hear(picture.units)
        if picture.is_key and self._sets.are_whole and self._must_begin(picture.arrived_us):
            self._begin(picture)
        if self._order is None:
            # Nothing can be decoded before the first key picture; it was not lost, it was never to be had.
            return
        self._emit(self._order.add(unrolled.ticks, picture))

    def _must_begin(self, now_us: int) -> bool:
        order = self._order
        if self._wants_epoch or order is None or self._sets.known != self._made_for:
            return True
        if order.is_too_shallow:
            self._depth = order.depth + 1
            return True
        sound = self._sound
        if sound is None or sound.skew is None:
            return False
        known = skew_between(self._picture_times, sound.times)
        return known is not None and is_worth_a_new_epoch(sound.skew, known, now_us - sound.skew_since_us)

    def _begin(self, key: Picture) -> None:
        if self._order is not None:
            self._emit(self._order.flush())
        video = self._plan.video
        if self._made is None or self._sets.known != self._made_for:
            kinds = self._kinds
            slices = [unit for unit in key.units if unit[0] & kinds.mask in kinds.slices]
            audio = None if self._sound is None else self._sound.offer
            self._made = self._make_init(video.codec, video.clock, self._sets.known, slices, audio)
            self._made_for = self._sets.known
            if self._made.sound_refused:
                self._sound = None
        made = self._made
        self._depth = max(self._depth, made.depth)
        self._order = DecodeOrder(self._depth, nominal=max(1, video.clock // 25))
        self._wants_epoch = False
        self._zero = None
        if self._sound is not None:
            self._sound.begin(key.arrived_us)
        self._heard.items.append(NewEpoch(made.tracks, made.init, made.sound_refused))

    def _emit(self, stamped: Sequence[Stamped[Picture]]) -> None:
        for one in stamped:
            if self._zero is None:
                self._zero = one.dts
                self._lay_sound(self._video_us(one.dts), one.item.arrived_us)
            picture = one.item
            self._heard.items.append(
                Coded(
                    Track.VIDEO,
                    picture.is_key,
                    one.dts - self._zero,
                    one.pts - self._zero,
                    one.duration,
                    picture.arrived_us,
                    with_lengths(picture.units),
                )
            )

    def _lay_sound(self, zero_us: int, now_us: int) -> None:
        sound = self._sound
        if sound is None:
            return
        skew = skew_between(self._picture_times, sound.times)
        if skew is not None and (skew.is_exact or now_us - sound.began_us >= _PATIENCE_US):
            sound.lay(skew, zero_us, now_us)

    def _take_sounds(self, sound: "_Sound", frames: bytes, start: int, end: int, arrived_us: int) -> None:
        if sound.skew is None and self._zero is not None:
            self._lay_sound(self._video_us(self._zero), arrived_us)
        self._heard.items += sound.take(frames, start, end, arrived_us)
        if sound.jumped:
            sound.jumped = False
            self._wants_epoch = True

    def _take_report(self, channel: int, frames: bytes, start: int, end: int) -> None:
        if says_bye(frames, start, end) and channel == self._plan.video_reports:
            raise SourceFailed(Fault.ENDED_BY_CAMERA, "the camera says that its video is over")
        report = read_report(frames, start, end)
        if report is None:
            return
        if channel == self._plan.video_reports:
            ticks = self._picture_stamps.ticks_of(report.stamp)
            if ticks is not None:
                self._picture_times.report(self._video_us(ticks), report.wall_us)
        elif self._sound is not None:
            self._sound.report(report.stamp, report.wall_us)

    def _take_lost(self) -> int:
        lost, self._pictures.lost = self._pictures.lost, 0
        return lost + (0 if self._sound is None else self._sound.take_lost())

    def _video_us(self, ticks: int) -> int:
        return ticks * 1_000_000 // self._plan.video.clock


class _ParameterSets:
    """The newest parameter sets of each kind."""

    def __init__(self, kinds: NalKinds, first: Sequence[bytes]) -> None:
        self._mask = kinds.mask
        self._kinds = kinds.parameter_sets
        self._by_kind: dict[int, tuple[bytes, ...]] = {}
        self.known: tuple[bytes, ...] = ()
        self.hear(first)

    @property
    def are_whole(self) -> bool:
        return len(self._by_kind) == len(self._kinds)

    def hear(self, units: Sequence[bytes]) -> None:
        """Take note of the sets among these units; a picture that brings some of a kind brings all of it."""
        mask, kinds = self._mask, self._kinds
        sets = [unit for unit in units if unit[0] & mask in kinds]
        if not sets:
            return
        found: dict[int, dict[bytes, None]] = {}
        for unit in sets:
            found.setdefault(unit[0] & mask, {})[unit] = None
        self._by_kind.update({kind: tuple(units) for kind, units in found.items()})
        self.known = tuple(unit for kind in kinds for unit in self._by_kind.get(kind, ()))


class _Sound:
    """The sound track: its stamps laid on the picture's time line."""

    def __init__(self, offer: AudioOffer) -> None:
        self.offer = offer
        self.times = TrackTimes()
        self.skew: Skew | None = None
        self.skew_since_us = 0
        self.began_us = 0
        self.jumped = False
        self._reader = SoundReader(AuHeads(offer.size_bits, offer.index_bits, offer.delta_bits), offer.payload_type)
        self._stamps = Unroller(offer.clock)
        self._base = 0
        self._last = -1

    def take_lost(self) -> int:
        """Return how many packets were lost since the last time."""
        lost, self._reader.lost = self._reader.lost, 0
        return lost

    def begin(self, now_us: int) -> None:
        """A new epoch begins. Until it is known where the sound lies it is left out: it cannot be moved later."""
        self.skew, self.began_us = None, self.began_us or now_us
        self._last = -1

    def lay(self, skew: Skew, zero_us: int, now_us: int) -> None:
        """Fix where the sound lies in this epoch."""
        self.skew, self.skew_since_us = skew, now_us
        self._base = (zero_us - skew.us) * self.offer.clock // 1_000_000

    def take(self, frames: bytes, start: int, end: int, arrived_us: int) -> list[Coded]:
        """Take the packet `frames[start:end]`; return what it held, if it is known where it lies."""
        sounds = self._reader.read(frames, start, end, arrived_us)
        if sounds is None:
            return []
        ticks, self.jumped = self._stamps.unroll(sounds.stamp, arrived_us)
        if self.jumped:
            self.times.forget()
        self.times.hear(ticks * 1_000_000 // self.offer.clock, arrived_us)
        return [] if self.skew is None else self._coded(ticks, sounds)

    def report(self, stamp: int, wall_us: int) -> None:
        """Take note of a sender report of this track."""
        ticks = self._stamps.ticks_of(stamp)
        if ticks is not None:
            self.times.report(ticks * 1_000_000 // self.offer.clock, wall_us)

    def _coded(self, ticks: int, sounds: Sounds) -> list[Coded]:
        """Return frames on the picture's time line, without those from before the first picture."""
        coded = []
        frames, _, length, arrived_us = sounds
        dts = ticks - self._base
        for frame in frames:
            if dts >= 0:
                self._last = placed = dts if dts > self._last else self._last + 1
                coded.append(Coded(Track.AUDIO, False, placed, placed, length, arrived_us, frame))
            dts += length
        return coded
