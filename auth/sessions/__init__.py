"""Log-in sessions: from a password to an access token of minutes, renewed by refresh tokens that rotate.

Promise: what is stored opens nothing (digests only); a refresh token works once, and using a rotated one ends its
family at once; nobody is locked out for good. Guarded by tests/auth/sessions/ and
tests/properties/test_login_sessions.py. Words: docs/glossary.md, "log-in session", "family". Terms are those of
RFC 6749.
"""
