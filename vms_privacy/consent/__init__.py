"""The opt-in ledger: recording, live audio and recorded audio are off until a person of the operator says otherwise.

Promise P1. Entries are only ever added; `RecordingPermit` is made in `rules.py` and nowhere else. Guarded by
tests/properties/test_consent.py and tests/guards/test_permits.py. Page: docs/design/consent.md.
"""
