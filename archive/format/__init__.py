"""Sealed files: how one segment's media lies on disk. The layout is docs/formats/sealed-file-v1.md.

Promise: no byte is released that was not authenticated in its place, and no nonce is used for two plaintexts.
Held by the vectors in tests/vectors/sealed_file_v1, which a second reader opens alike, and by
tests/properties/test_sealed_file.py. Words: docs/glossary.md, "sealed file", "chunk".
"""
