"""A camera made of two programs that are not ours: Debian's ffmpeg encodes, GStreamer's RTSP server serves it."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

from tests.given.gst_rtsp import gst_camera
from tests.given.ports import free_port

# What encoders of real cameras do: B-pictures that are referred to, several slices a picture, open groups of pictures.
_VIDEO = (
    "-c:v libx264 -preset superfast -pix_fmt yuv420p -b:v 600k -bf 3 -b_strategy 0 -g 50 -keyint_min 50"
    " -sc_threshold 0 -x264-params open-gop=1:b-pyramid=normal:slices=4"
)
_AUDIO = "-c:a aac -ar 48000 -ac 2 -b:a 64k"
_SERVED = (
    "udpsrc address=127.0.0.1 port={port} buffer-size=4194304 caps=video/mpegts,systemstream=(boolean)true"
    " ! tsdemux name=d"
    " d. ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1"
    " d. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"
)


@contextlib.contextmanager
def fed_camera() -> Iterator[int]:
    """Serve `/cam` on a port of loopback. Raises LookupError where one of the programs is missing."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise LookupError("ffmpeg is not installed")
    port = free_port()
    made = "-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=frequency=1000:sample_rate=48000"
    to = f"-f mpegts udp://127.0.0.1:{port}?pkt_size=1316"
    command = [ffmpeg, "-nostdin", "-v", "error", "-re", *f"{made} {_VIDEO} {_AUDIO} {to}".split()]
    with subprocess.Popen(command) as feeding, gst_camera(_SERVED.format(port=port)) as served:
        try:
            yield served
        finally:
            feeding.kill()
