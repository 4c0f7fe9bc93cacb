"""The conversation with one camera, from our side: DESCRIBE, SETUP, PLAY, and a word now and then (RFC 2326).

Credentials go to the camera alone, and only when it asks. Redirects are refused, whatever they say. Every answer is
bounded: 16 KiB of head, 64 KiB of body.
"""

from typing import Final

from streams.address import RtspAddress
from streams.media.faults import Fault, SourceFailed
from streams.media.interleaved import DOLLAR
from streams.media.offer import Offer, control_uri, read_offer
from streams.media.rtsp_credentials import Challenge, Login, answer, strongest
from streams.media.rtsp_heads import (
    MOST_BODY,
    MOST_HEAD,
    Answer,
    Session,
    read_answer,
    read_channels,
    read_session,
    write_question,
)
from streams.media.wire import Wire
from vms_privacy.ids import Randomness

_AGENT: Final = "vms-privacy"
_MOST_EARLY: Final = 1024 * 1024


class CameraLink:
    """One session with one camera. `describe`, `setup`, `play` in that order; then the wire belongs to the pump."""

    def __init__(self, wire: Wire, address: RtspAddress, randomness: Randomness) -> None:
        self.wire = wire
        self._address = address
        self._randomness = randomness
        self._login = None if address.user is None else Login(address.user, address.password or "")
        self._challenge: Challenge | None = None
        self._uses = 0
        self._sequence = 0
        self._unread = b""
        self._base = address.uri
        self._whole = address.uri
        self._session: Session | None = None
        self._keep_alive = "OPTIONS"

    @property
    def timeout_s(self) -> int:
        """Return after how many seconds of our silence the camera forgets us."""
        return 60 if self._session is None else self._session.timeout_s

    async def describe(self) -> Offer:
        """Ask what there is. Raises SourceFailed."""
        head, body = await self._ask("DESCRIBE", self._address.uri, (("Accept", "application/sdp"),))
        offer = read_offer(body)
        given = head.get("content-base") or head.get("content-location") or self._address.uri
        self._base = self._control(given)
        self._whole = self._control(offer.control)
        return offer

    async def setup(self, control: str, first_channel: int) -> tuple[int, int]:
        """Ask for one track over this connection; return its channels, of packets and of reports."""
        uri = self._control(control)
        wanted = f"RTP/AVP/TCP;unicast;interleaved={first_channel}-{first_channel + 1}"
        head, _ = await self._ask("SETUP", uri, (("Transport", wanted), *self._session_header()))
        self._session = read_session(head.get("session"))
        return read_channels(head.get("transport"))

    async def play(self) -> bytes:
        """Let it begin; return what came already. Raises SourceFailed."""
        await self._ask("PLAY", self._whole, (("Range", "npt=0.000-"), *self._session_header()))
        early, self._unread = self._unread, b""
        return early

    def keep_alive(self) -> None:
        """Tell the camera, without waiting, that we are still here. Raises SourceFailed (ended)."""
        self.wire.hand(self._question(self._keep_alive, self._whole, self._session_header()))

    def heard(self, head: Answer) -> None:
        """Take note of an answer to `keep_alive`: a new nonce, or a method that the camera does not know."""
        if head.status == 401:
            self._accept_challenge(head, was_told=False)
        elif head.status in {405, 501, 551}:
            self._keep_alive = "GET_PARAMETER" if self._keep_alive == "OPTIONS" else "OPTIONS"

    def leave(self) -> None:
        """Say goodbye if that can be done without waiting, and close: cameras count their sessions."""
        try:
            if self._session is not None:
                self.wire.hand(self._question("TEARDOWN", self._whole, self._session_header()))
        except SourceFailed:
            # It is gone already; there is nobody left to tell.
            self._session = None
        finally:
            self.wire.close()

    def _control(self, control: str) -> str:
        return control_uri(self._base, control, self._address, self.wire.peer)

    def _session_header(self) -> tuple[tuple[str, str], ...]:
        return () if self._session is None else (("Session", self._session.name),)

    def _question(self, method: str, uri: str, headers: tuple[tuple[str, str], ...]) -> bytes:
        self._sequence += 1
        fields = [("CSeq", str(self._sequence)), ("User-Agent", _AGENT), *headers]
        if self._challenge is not None and self._login is not None:
            self._uses += 1
            nonce = self._randomness.octets(8).hex()
            fields.append(("Authorization", answer(self._challenge, self._login, method, uri, self._uses, nonce)))
        return write_question(method, uri, fields)

    async def _ask(self, method: str, uri: str, headers: tuple[tuple[str, str], ...]) -> tuple[Answer, bytes]:
        for attempt in range(3):
            await self.wire.send(self._question(method, uri, headers))
            head, body = await self._answer()
            if head.status != 401:
                break
            self._accept_challenge(head, was_told=attempt > 0)
        return _accepted(head), body

    def _accept_challenge(self, head: Answer, *, was_told: bool) -> None:
        """Take the camera's challenge, or give up: a password it has refused is not sent again."""
        if self._login is None:
            raise SourceFailed(Fault.WRONG_PASSWORD, "the camera wants a user name and a password")
        challenge = strongest(head.all("www-authenticate"))
        if challenge is None:
            raise SourceFailed(Fault.WRONG_PASSWORD, "the camera wants to be told the password in a way we do not know")
        if was_told and not challenge.is_stale:
            raise SourceFailed(Fault.WRONG_PASSWORD, "the camera does not accept this user name and password")
        self._challenge, self._uses = challenge, 0

    async def _answer(self) -> tuple[Answer, bytes]:
        """Return the answer to our last question; frames that come before it are kept for the pump."""
        early: list[bytes] = []
        while True:
            head = await self._whole_head(early)
            length = head.content_length
            if length > MOST_BODY:
                raise SourceFailed(Fault.BODY_TOO_LARGE, "the camera's answer is over 64 KiB")
            while len(self._unread) < length:
                self._unread += await self.wire.receive()
            body, self._unread = self._unread[:length], self._unread[length:]
            # A camera that numbers nothing is believed to answer in order.
            if head.sequence in {None, str(self._sequence)}:
                self._unread = b"".join((*early, self._unread))
                return head, body

    async def _whole_head(self, early: list[bytes]) -> Answer:
        while (head := self._head(early)) is None:
            if sum(map(len, early)) > _MOST_EARLY:
                raise SourceFailed(Fault.GARBAGE, "the camera sends pictures and never answers")
            self._unread += await self.wire.receive()
        return head

    def _head(self, early: list[bytes]) -> Answer | None:
        """Take one head off what came; None as long as it is not whole. Raises SourceFailed."""
        data = self._unread
        while data[:1] == bytes((DOLLAR,)):
            after = 4 + int.from_bytes(data[2:4], "big")
            if len(data) < max(4, after):
                break
            early.append(data[:after])
            data = data[after:]
        self._unread = data
        if not data or data[0] == DOLLAR:
            return None
        if not b"RTSP/1."[: len(data)] == data[:7]:
            raise SourceFailed(Fault.GARBAGE, "the camera does not speak RTSP")
        until = data.find(b"\r\n\r\n", 0, MOST_HEAD)
        if until < 0:
            if len(data) >= MOST_HEAD:
                raise SourceFailed(Fault.HEAD_TOO_LARGE, "the head of the camera's answer is over 16 KiB")
            return None
        self._unread = data[until + 4 :]
        return read_answer(data[:until])


def _accepted(head: Answer) -> Answer:
    if 200 <= head.status < 300:
        return head
    if 300 <= head.status < 400:
        raise SourceFailed(Fault.REDIRECT_REFUSED, "the camera leads to another address")
    if head.status in {401, 403}:
        raise SourceFailed(Fault.WRONG_PASSWORD, "the camera does not accept this user name and password")
    raise SourceFailed(Fault.REFUSED_BY_CAMERA, f"the camera answered with status {head.status}")
