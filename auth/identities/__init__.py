"""People: their log-ins, passwords and the codes with which they set them.

Promise: a password is kept only as a salted Argon2id digest, nobody but its owner ever sets it, and an unknown log-in
costs exactly what a known one does. Guarded by tests/auth/identities/. Words: docs/glossary.md, "person", "log-in".
"""
