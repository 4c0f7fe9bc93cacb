"""Mandates: what two people decided to have destroyed before its time, standing until nothing of it is left.

Promises P5, P6 and P12: from the commit on nobody reads it in the ordinary way, every moment of it is destroyed, what
lies beside it in the same files is kept under new keys, and what an order or the operator's minimum keeps is destroyed
once that ends. Design: docs/design/archive-lifecycle.md. Guarded by tests/archive/test_mandates.py and
tests/properties/test_mandates.py. Words: docs/glossary.md, "mandate", "kept part".
"""
