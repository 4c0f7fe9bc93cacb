"""An RTSP 1.0 server (RFC 2326): pictures out, to whoever the sources let in.

Promise: a request is bounded before it is understood, a picture goes only to the address that asked, and a cut
viewer gets no further byte. Guarded by tests/streams/rtsp/. Serves the simulator and, through the same
`RtspSources`, watchers.
"""
