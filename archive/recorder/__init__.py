"""The recorder: from fragments to sealed segments, and only with a permit.

Promises P1 and P3: it cannot be called without a `RecordingPermit`, which the consent ledger alone makes; nothing that
arrived before the opt-in or after its withdrawal is written; what is written is ciphertext from its first byte.
"""
