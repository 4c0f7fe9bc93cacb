"""What comes from the cameras: one connection each, kept up by itself, and a tap from which many may draw.

Promise: a camera's stream is taken once, whoever looks; no listener can hold up another one, or the camera; and what a
listener was too slow for is counted, never handed over in part. Nothing here writes a media byte anywhere (P2).
Guarded by tests/streams/ingest. Words: docs/glossary.md, "tap", "epoch", "fragment".
"""
