"""What an RTSP client can be told, besides what the sources refuse. The status codes are in `statuses.py`."""

from vms_privacy.errors import Kind, Refusal


class MalformedMessage(Refusal):
    """Not RTSP: the connection is answered once and closed, because its framing is lost."""

    kind = Kind.INVALID
    code = "rtsp-malformed-message"


class MessageTooLarge(Refusal):
    """A head, a header count or a body over its bound; nothing beyond the bound was kept."""

    kind = Kind.TOO_LARGE
    code = "rtsp-message-too-large"


class VersionNotSpoken(Refusal):
    """We speak RTSP/1.0 only."""

    kind = Kind.INVALID
    code = "rtsp-version-not-spoken"


class MethodNotServed(Refusal):
    """A method outside the list that OPTIONS answers."""

    kind = Kind.INVALID
    code = "rtsp-method-not-served"


class OptionNotSupported(Refusal):
    """A `Require` header names a feature; we have none to offer (RFC 2326, 12.32)."""

    kind = Kind.INVALID
    code = "rtsp-option-not-supported"


class ParameterNotUnderstood(Refusal):
    """GET_PARAMETER and SET_PARAMETER only keep a session alive here (RFC 2326, 10.8 and 10.9)."""

    kind = Kind.INVALID
    code = "rtsp-parameter-not-understood"


class NotInThisState(Refusal):
    """The method is known but cannot follow what came before (RFC 2326, A.1)."""

    kind = Kind.CONFLICT
    code = "rtsp-not-in-this-state"


class NoSuchSession(Refusal):
    """The Session header names none of this connection."""

    kind = Kind.NOT_FOUND
    code = "rtsp-no-such-session"


class NoSuchTrack(Refusal):
    """The URL names no track of what is open on this connection."""

    kind = Kind.NOT_FOUND
    code = "rtsp-no-such-track"


class TransportNotServed(Refusal):
    """No offer of the Transport header can be taken."""

    kind = Kind.INVALID
    code = "rtsp-transport-not-served"


class NothingToServe(Refusal):
    """The camera sends no track that RTP packets can be made of here."""

    kind = Kind.UNAVAILABLE
    code = "rtsp-nothing-to-serve"


class TooManyConnections(Refusal):
    """The server is full."""

    kind = Kind.UNAVAILABLE
    code = "rtsp-too-many-connections"


class NotLetIn(Refusal):
    """A camera's own user and password were not given, or others were."""

    kind = Kind.UNAUTHENTICATED
    code = "rtsp-not-let-in"


class NoSuchPresentation(Refusal):
    """The path leads nowhere."""

    kind = Kind.NOT_FOUND
    code = "rtsp-no-such-presentation"
