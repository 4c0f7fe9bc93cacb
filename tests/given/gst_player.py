"""GStreamer as an RTSP client, run by the system's Python: `gst_player.py URL tcp|udp PICTURES [user password]`.

Writes an H.264 byte stream to standard output. Exit code 77: GStreamer or one of its parts is not installed.
"""

import importlib
import sys

MISSING = 77
DEADLINE_S = 30


def main(url: str, transport: str, pictures: str, user: str = "", password: str = "") -> int:
    try:
        gi = importlib.import_module("gi")
        gi.require_version("Gst", "1.0")
        gst = importlib.import_module("gi.repository.Gst")
    except (ImportError, ValueError):
        return MISSING
    gst.init(None)
    if not all(gst.ElementFactory.find(name) for name in ("rtspsrc", "rtph264depay", "h264parse", "fdsink")):
        return MISSING
    pipeline = gst.parse_launch(
        f"rtspsrc name=camera protocols={transport} latency=100 tls-validation-flags=0 ! rtph264depay ! h264parse"
        f" ! video/x-h264,stream-format=byte-stream,alignment=au ! identity eos-after={pictures} ! fdsink fd=1"
    )
    camera = pipeline.get_by_name("camera")
    camera.set_property("location", url)
    camera.set_property("user-id", user or None)
    camera.set_property("user-pw", password or None)
    pipeline.set_state(gst.State.PLAYING)
    bus = pipeline.get_bus()
    message = bus.timed_pop_filtered(DEADLINE_S * gst.SECOND, gst.MessageType.EOS | gst.MessageType.ERROR)
    pipeline.set_state(gst.State.NULL)
    if message is None or message.type != gst.MessageType.EOS:
        sys.stderr.write("nothing came\n" if message is None else f"{message.parse_error()}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
