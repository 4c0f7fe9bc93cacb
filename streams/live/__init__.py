"""Live pictures: a short ring in memory per camera, handed on as HLS and as an endless MP4 (promises P2 and P8).

Promise: no media byte of a camera leaves this memory except to a viewer with a media session, which is asked before
every piece; nothing here is ever written to a disk. Sound is held only while live sound is opted in. A viewer who
is too slow is brought forward to a key picture, never buffered for, and costs nobody else a fragment.
How it works: docs/design/live.md. Guarded by tests/properties/test_live.py and tests/streams/live/. Words: in the
glossary under "ring" and "run".
"""
