"""The registry of cameras: where each one is, whose it is, and what it is there for.

Promise: a camera's credential is sealed before it is written, and leaves only towards the camera; no answer, log or row
holds it in clear. Unencrypted RTSP beyond this machine needs an exception in the operator's own words (SE-1).
Guarded by tests/streams/cameras/test_service.py. Words: docs/glossary.md, "camera", "purpose", "plain exception".
"""
