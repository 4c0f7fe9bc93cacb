"""Revocation: what this process knows about withdrawals, in memory, and how fresh that knowledge is (promise P8).

A yes is only as good as our hearing: who has heard nothing for 1 s starts nothing new, after 10 s nothing goes on.
Guarded by tests/properties/test_revocation.py. Words: docs/glossary.md, "revocation", "heartbeat".
"""
