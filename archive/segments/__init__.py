"""The index of what was recorded: one row per sealed file, written before the file's first byte.

Promise: a row exists for every sealed file, rests on an active opt-in, and never overlaps another of its camera.
The life of a row is `rules.NEXT`; words are in docs/glossary.md, "segment".
"""
