"""The key of every sealed file: made for one file, wrapped under its bucket's key, destroyed for good.

Promises P1, P5 and P7: no segment key is made without a recording permit, none is opened without a decrypt permit, and
a wrap opens nowhere but in its own place. Design: docs/design/keys.md. Guarded by tests/archive/test_keys.py,
tests/archive/test_bucket_keys.py and tests/properties/test_segment_keys.py. Words: docs/glossary.md, "segment key",
"bucket key", "re-key".
"""
