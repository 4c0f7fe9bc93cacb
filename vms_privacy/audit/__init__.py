"""The audit: what was looked at, refused, changed and deleted, in a chain that shows every later change.

Promise P9. Ids, never names; no footage, secrets or clear addresses. Format: docs/formats/audit-chain-v1.md.
"""
