"""Accounting for everything: each second of an opted-in camera, each row, each blob, each bucket key.

Promises P1, P4, P5 and P12, looked at from outside of the parts that keep them: what is missing, what is there too
much, and what is overdue is named. It changes nothing, decrypts nothing, and works beside a running service.
"""

from archive.check.rules import Depth, Finding, Kind
from archive.check.service import Checker, CheckReport

__all__ = ["CheckReport", "Checker", "Depth", "Finding", "Kind"]
