"""Whatever bytes a camera sends, each reader answers with a value or its one typed refusal, and stays bounded."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from streams.address import parse_address
from streams.errors import BadCameraAddress
from streams.media.camera_demux import CameraDemux
from streams.media.child_protocol import ChildSpeaksNonsense, Coded, Plan, Reader, read_end, read_epoch, read_packets
from streams.media.faults import SourceFailed, shown
from streams.media.interleaved import walk
from streams.media.offer import AudioOffer, VideoOffer, read_offer
from streams.media.packets import Track, TrackInfo
from streams.media.pictures import H264, HEVC, NalKinds, Picture, PictureReader, SoundReader
from streams.media.rtp_reading import AuHeads, DamagedPacket, read_aac, read_aggregate, read_head, read_report, says_bye
from streams.media.rtsp_credentials import Login, answer, strongest
from streams.media.rtsp_heads import read_answer, read_channels, read_session, write_question
from tests.given.made import made_without_libav
from tests.given.scripted_camera import AUDIO, HEAD, VIDEO, RtpTrack

VIDEO_OFFER = VideoOffer("h264", 96, 90_000, "v", (b"\x67abc", b"\x68abc"))
AUDIO_OFFER = AudioOffer(97, 48_000, 2, "a", b"\x11\x90")
PLAN = Plan(VIDEO_OFFER, 0, 1, AUDIO_OFFER, 2, 3)
Value = TypeVar("Value")
octets = st.binary(max_size=400)


def either(refusal: type[Exception], read: Callable[[], Value]) -> Value | None:
    """What `read` returns, or None for its one typed refusal; everything else is a failure."""
    try:
        return read()
    except refusal:
        return None


@given(octets)
def test_a_packet_is_read_or_damaged(data: bytes) -> None:
    head = either(DamagedPacket, lambda: read_head(data, 0, len(data)))
    assert head is None or 0 <= head.start <= head.end <= len(data)
    units = either(DamagedPacket, lambda: read_aggregate(data, 0, len(data)))
    assert units is None or sum(map(len, units)) <= len(data)
    read_report(data, 0, len(data))
    says_bye(data, 0, len(data))


@given(octets, st.integers(1, 16), st.integers(0, 8), st.integers(0, 8))
def test_sound_is_read_or_damaged(data: bytes, size: int, index: int, delta: int) -> None:
    found = either(DamagedPacket, lambda: read_aac(data, 0, len(data), AuHeads(size, index, delta)))
    assert found is None or sum(map(len, found)) <= len(data)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """`$` frames of our channels: proper packets around payloads that are anything, and anything instead of packets."""
    tracks = (RtpTrack(0, 96), RtpTrack(2, 97))
    out = []
    for _ in range(draw(st.integers(1, 12))):
        track = draw(st.sampled_from(tracks))
        if draw(st.booleans()):
            kind = draw(st.sampled_from((0x67, 0x68, 0x65, 0x41, 0x7C, 0x78, 0x1C, 0x00, 0x62, 0x60)))
            payload = bytes((kind,)) + draw(st.binary(max_size=60))
            track.sequence += draw(st.sampled_from((0, 0, 0, 1)))
            out.append(track.frame(payload, draw(st.integers(0, 2**32 - 1)), marker=draw(st.booleans())))
        else:
            data = draw(st.binary(max_size=60))
            out.append(bytes((0x24, draw(st.integers(0, 4)))) + len(data).to_bytes(2, "big") + data)
    return b"".join(out)


@given(st.lists(frames(), max_size=6), st.booleans())
def test_a_demuxed_camera_never_breaks_and_its_stamps_always_hold(batches: list[bytes], hevc: bool) -> None:
    offer = VideoOffer("hevc" if hevc else "h264", 96, 90_000, "v", VIDEO_OFFER.parameter_sets)
    camera = CameraDemux(Plan(offer, 0, 1, AUDIO_OFFER, 2, 3), made_without_libav)
    last = {Track.VIDEO: -1, Track.AUDIO: -1}
    has_begun = False
    for number, batch in enumerate(batches):
        heard = camera.feed(batch, number * 40_000)
        for item in heard.items:
            if not isinstance(item, Coded):
                has_begun, last = True, {Track.VIDEO: -1, Track.AUDIO: -1}
                continue
            assert has_begun
            assert item.is_key or item.track is Track.AUDIO or last[Track.VIDEO] >= 0
            assert last[item.track] < item.dts <= item.pts
            last[item.track] = item.dts
        if heard.over is not None:
            return


@given(st.lists(frames(), max_size=6), st.sampled_from((H264, HEVC)))
def test_what_a_picture_holds_was_sent(batches: list[bytes], kinds: NalKinds) -> None:
    reader = PictureReader(kinds, 96)
    sent, got = 0, 0
    for batch in batches:
        at = 0
        while at < len(batch):
            done: list[Picture] = []
            before = at
            at = reader.read(batch, at, 0, done)
            assert at > before
            sent += at - before
            got += sum(len(unit) for picture in done for unit in picture.units)
    assert got <= sent


@given(octets)
def test_a_sound_packet_is_read_or_counted(data: bytes) -> None:
    reader = SoundReader(AuHeads(13, 3, 3), 97)
    sounds = reader.read(data, 0, len(data), 0)
    assert sounds is not None or reader.lost <= 1


@given(st.lists(st.one_of(frames(), octets, st.just(b"RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n")), max_size=8), st.data())
def test_a_stream_is_walked_in_any_pieces_with_the_same_result(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    outcomes = []
    for pieces in ([whole], [whole[:cut], whole[cut:]]):
        rest, kept, answers, fault = b"", b"", 0, None
        try:
            for piece in pieces:
                walked = walk(rest + piece, {0, 1, 2, 3}, 0)
                rest, kept, answers = walked.rest, kept + walked.frames, answers + len(walked.answers)
        except SourceFailed as failed:
            fault = failed.fault
        outcomes.append((fault, None if fault else (rest, kept, answers)))
    assert outcomes[0] == outcomes[1]


@given(st.one_of(octets, st.text().map(lambda text: (HEAD + VIDEO + text + AUDIO).encode())))
def test_an_sdp_is_read_or_refused(sdp: bytes) -> None:
    offer = either(SourceFailed, lambda: read_offer(sdp))
    assert offer is None or offer.video.clock > 0


@given(octets, st.text())
def test_an_answer_is_read_or_refused(head: bytes, text: str) -> None:
    either(SourceFailed, lambda: read_answer(head).content_length)
    either(SourceFailed, lambda: read_session(text))
    either(SourceFailed, lambda: read_channels(text))


@given(st.lists(st.text(max_size=200), max_size=3), st.text(), st.text())
def test_a_challenge_is_answered_without_showing_the_password(headers: list[str], user: str, realm: str) -> None:
    login = Login("eve", "pa55-w0rd")
    for header in (*headers, f'Digest realm="{realm}", nonce="n", qop="auth"', f"Basic realm={user}"):
        challenge = strongest([header])
        if challenge is not None:
            value = answer(challenge, login, "PLAY", "rtsp://camera.example.org/", 1, "c0ffee")
            assert "pa55-w0rd" not in value
            assert "pa55-w0rd" not in repr(login)


@given(octets, octets)
def test_what_a_camera_says_can_always_be_said_back_to_it(realm: bytes, nonce: bytes) -> None:
    head = (
        b'RTSP/1.0 401 No\r\nWWW-Authenticate: Digest realm="'
        + realm
        + b'", nonce="'
        + nonce
        + b'"\r\nSession: '
        + realm
    )
    heard = either(SourceFailed, lambda: read_answer(head))
    challenge = None if heard is None else strongest(heard.all("www-authenticate"))
    if heard is not None and challenge is not None:
        value = answer(challenge, Login("eve", "x"), "PLAY", "rtsp://camera.example.org/", 1, "c0ffee")
        session = either(SourceFailed, lambda: read_session(heard.get("session")))
        headers = [("Authorization", value), *([("Session", session.name)] if session else [])]
        question = write_question("PLAY", "rtsp://camera.example.org/", headers)
        assert question.count(b"\r\n") == len(headers) + 2


@given(octets)
def test_what_a_child_says_is_read_or_nonsense(body: bytes) -> None:
    either(ChildSpeaksNonsense, lambda: read_packets(body))
    either(ChildSpeaksNonsense, lambda: read_epoch(body))
    either(ChildSpeaksNonsense, lambda: read_end(body))
    either(ChildSpeaksNonsense, lambda: list(Reader().feed(body)))


@given(st.one_of(st.text(), st.text().map(lambda text: f"rtsps://{text}"), st.from_regex(r"rtsp://[a-z:@0-9./\[\]%]*")))
def test_an_address_is_read_or_refused_and_never_shows_its_password(text: str) -> None:
    address = either(BadCameraAddress, lambda: parse_address(text))
    if address is not None:
        assert address.scheme in {"rtsp", "rtsps"}
        assert 1 <= address.port <= 65535
        assert "@" not in address.uri.split("/")[2]
        assert parse_address(address.uri).uri == address.uri


@given(st.text())
def test_what_a_camera_names_can_be_shown(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 40


def test_tracks_made_for_tests_are_like_the_real_ones() -> None:
    made = made_without_libav("h264", 90_000, (b"\x67",), (b"\x65",), AUDIO_OFFER)
    assert [type(info) for info in made.tracks] == [TrackInfo, TrackInfo]
