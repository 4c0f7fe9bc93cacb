"""Keys outside the database: roots, bucket keys, signing keys, credentials. Words: docs/glossary.md, "keyring".

Promise: a key that was destroyed here cannot be had again from here, and no key ever reaches a log or a row in clear.
"""
