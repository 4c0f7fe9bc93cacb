"""RTSP servers of GStreamer, as child processes: cameras that are not ours.

Run by the system's Python, which has the bindings: `gst_rtsp.py KIND LOGIN PORT [certificate key]` prints its port and
serves `/cam` until its standard input ends, so that it never outlives the test.
"""

import contextlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_PICTURE = "videotestsrc is-live=true pattern=smpte ! video/x-raw,width=640,height=360,framerate=25/1"
_H264 = "rtph264pay name=pay0 pt=96 config-interval=-1"
_PLAIN = f"{_PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=600 key-int-max=25 ! {_H264}"
_REORDERED = (
    f"{_PICTURE} ! x264enc speed-preset=superfast bitrate=600 key-int-max=25 bframes=2 b-adapt=false rc-lookahead=0"
    f" sync-lookahead=0 threads=1 ! video/x-h264,profile=main ! {_H264}"
)
_TONE = "audiotestsrc is-live=true samplesperbuffer=1024 ! audio/x-raw,channels=1"
_AAC = f"{_TONE},rate=48000 ! voaacenc bitrate=64000 ! aacparse ! rtpmp4gpay name=pay1 pt=97"
_G711 = f"{_TONE},rate=8000 ! mulawenc ! rtppcmupay name=pay1 pt=0"
KINDS = {
    "plain": _PLAIN,
    "bframes": _REORDERED,
    "aac": f"{_PLAIN} {_AAC}",
    "bframes-aac": f"{_REORDERED} {_AAC}",
    "g711": f"{_PLAIN} {_G711}",
    "hevc": f"{_PICTURE} ! x265enc tune=zerolatency speed-preset=ultrafast bitrate=600 key-int-max=25 "
    "! rtph265pay name=pay0 pt=96 config-interval=-1",
    "vp8": f"{_PICTURE} ! vp8enc deadline=1 target-bitrate=600000 ! rtpvp8pay name=pay0 pt=96",
    "sound-only": f"{_TONE},rate=8000 ! mulawenc ! rtppcmupay name=pay0 pt=0",
}
MISSING = 77
LOGIN = ("eve", "app:le")


@contextlib.contextmanager
def gst_camera(
    kind: str, *, login: str = "", tls: tuple[Path, Path] | None = None, port_wanted: int = 0
) -> Iterator[int]:
    """Serve one camera on a port of loopback; `login` is "", "basic" or "digest", `kind` may be a pipeline of its own.

    Raises LookupError where GStreamer's server or one of its plugins is missing. With `tls` it wants a login too.
    """
    paths = [str(path) for path in tls or ()]
    command = ["/usr/bin/python3", __file__, kind, login or "open", str(port_wanted), *paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        port = child.stdout.readline()
        try:
            if not port.strip():
                raise LookupError("GStreamer's RTSP server or one of its plugins is not installed")
            yield int(port)
        finally:
            child.stdin.close()
            child.kill()


def main(kind: str, login: str, port: str, certificate: str = "", key: str = "") -> int:
    try:
        gi = importlib.import_module("gi")
        for name in ("Gst", "GstRtsp", "GstRtspServer"):
            gi.require_version(name, "1.0")
        gio = importlib.import_module("gi.repository.Gio")
        glib = importlib.import_module("gi.repository.GLib")
        gst = importlib.import_module("gi.repository.Gst")
        rtsp = importlib.import_module("gi.repository.GstRtsp")
        server_of = importlib.import_module("gi.repository.GstRtspServer")
    except (ImportError, ValueError):
        return MISSING
    gst.init(None)
    pipeline = KINDS.get(kind, kind)
    words = pipeline.replace("!", " ").split()
    elements = {word for word in words if not any(mark in word for mark in "=/,.")}
    if not all(gst.ElementFactory.find(name) for name in elements):
        return MISSING
    server = server_of.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = server_of.RTSPMediaFactory()
    factory.set_launch(f"( {pipeline} )")
    # One pipeline for all: its server aborts when clients of a shared one come and go at once, so tests take turns.
    factory.set_shared(True)
    if login != "open" or certificate:
        auth = server_of.RTSPAuth()
        if certificate:
            auth.set_tls_certificate(gio.TlsCertificate.new_from_files(certificate, key))
        if login != "open":
            token = server_of.RTSPToken()
            token.set_string(server_of.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
            if login == "basic":
                auth.add_basic(server_of.RTSPAuth.make_basic(*LOGIN), token)
            else:
                auth.set_supported_methods(rtsp.RTSPAuthMethod.DIGEST)
                auth.add_digest(*LOGIN, token)
            permissions = server_of.RTSPPermissions()
            permissions.add_permission_for_role("viewer", server_of.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
            permissions.add_permission_for_role("viewer", server_of.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
            factory.set_permissions(permissions)
        server.set_auth(auth)
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    loop = glib.MainLoop()
    glib.io_add_watch(0, glib.PRIORITY_DEFAULT, glib.IO_HUP, lambda *_: loop.quit())
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
