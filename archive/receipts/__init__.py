"""Receipts of destruction: what was destroyed, when and why, signed so that anyone can verify it offline.

Promise P5. A receipt also says what it cannot prove. Format: docs/formats/receipt-v1.md.
"""
