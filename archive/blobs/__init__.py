"""Where sealed bytes lie. A blob's name is opaque, random and used once, ever.

Promise: what a store is given is ciphertext already, and `erase` never says "gone" without knowing it.
One contract suite, tests/contracts/test_blob_store.py, runs on every implementation: a folder (folder_store.py), a
bucket of an S3 store (s3_store.py; minio_store.py is the only door to the library), and memory. Which bucket may be a
store, and which region has one, is in rules.py; router.py makes one of all stores. Words: docs/glossary.md, "store",
"region".
"""
