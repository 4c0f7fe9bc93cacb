"""What a track's configuration record says: its name for players, and its parameter sets. Pure.

Names follow RFC 6381 with ISO/IEC 14496-15, Annex E (AVC and HEVC) and ISO/IEC 14496-3 (AAC).
"""

from typing import Final

from streams.media.boxes import DamagedBox
from streams.media.nal import read_avcc, with_lengths
from streams.media.packets import Track, TrackInfo

_HVCC_FIXED: Final = 23
_AAC_ESCAPE: Final = 31


def codec_name(info: TrackInfo, sample_entry: str) -> str:
    """Return the track's entry for CODECS, such as `avc1.64001F`; `sample_entry` is what its init segment says.

    A codec without a rule here is named by its sample entry alone, which RFC 6381 allows. Raises DamagedBox.
    """
    record = info.extradata
    if info.codec == "h264":
        if len(record) < 4:
            raise DamagedBox("a configuration record is cut short")
        return f"{sample_entry}.{record[1:4].hex().upper()}"
    if info.codec == "hevc":
        return f"{sample_entry}.{_hevc_profile(record)}"
    if info.codec == "aac":
        return f"{sample_entry}.40.{_audio_object_type(record)}"
    return sample_entry


def parameter_sets(info: TrackInfo) -> bytes:
    """Return the parameter sets of a video track as NAL units with four bytes of length, ready to stand in a picture.

    Raises DamagedBox if the record is damaged; ValueError for a codec that has none.
    """
    if info.track is Track.VIDEO and info.codec == "h264":
        try:
            sets = read_avcc(info.extradata)
        except ValueError:
            raise DamagedBox("a configuration record is damaged") from None
        return with_lengths((*sets.sps, *sets.pps))
    if info.track is Track.VIDEO and info.codec == "hevc":
        return with_lengths(_hevc_arrays(info.extradata))
    raise ValueError("this codec has no parameter sets")


def _hevc_profile(record: bytes) -> str:
    """Profile, compatibility (bits reversed), tier with level, constraints (14496-15, E.3)."""
    if len(record) < _HVCC_FIXED:
        raise DamagedBox("a configuration record is cut short")
    space = ("", "A", "B", "C")[record[1] >> 6]
    tier = "H" if record[1] & 0x20 else "L"
    compatible = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = [f"{value:X}" for value in record[6:12].rstrip(b"\x00")]
    return ".".join((f"{space}{record[1] & 0x1F}", f"{compatible:X}", f"{tier}{record[12]}", *constraints))


def _hevc_arrays(record: bytes) -> list[bytes]:
    if len(record) < _HVCC_FIXED:
        raise DamagedBox("a configuration record is cut short")
    found, at = [], _HVCC_FIXED
    for _ in range(record[_HVCC_FIXED - 1]):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            end = at + 2 + int.from_bytes(record[at : at + 2], "big")
            if end > len(record) or end == at + 2:
                raise DamagedBox("a configuration record is cut short")
            found.append(record[at + 2 : end])
            at = end
    return found


def _audio_object_type(record: bytes) -> int:
    """AudioSpecificConfig begins with five bits of object type, or six more behind the escape (14496-3, 1.6.2.1)."""
    if len(record) < 2:
        raise DamagedBox("a configuration record is cut short")
    first = record[0] >> 3
    return first if first != _AAC_ESCAPE else 32 + ((record[0] & 7) << 3 | record[1] >> 5)
