"""Where sealed bytes lie. A blob's name is opaque, random and used once, ever.

Promise: what a store is given is ciphertext already, and `erase` never says "gone" without knowing it.
One contract suite, tests/contracts/test_blob_store.py, runs on every implementation.
"""
