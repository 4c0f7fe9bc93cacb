"""Off-boarding: an operator leaves with a signed list of all its footage, and the rest is destroyed, keys and all.

Promises P1, P5, P6 and P12: from its beginning nothing is recorded, from its confirmation nothing is shown but to
people of a case, what an order keeps keeps it open, and no older database brings the operator back. Two people begin
it, two confirm it, and the database refuses it otherwise. Page: docs/operate/off-boarding.md, decision 0047. Guarded by
tests/vms_privacy/off_boarding and tests/properties/test_off_boarding.py. Words: docs/glossary.md, "off-boarding",
"manifest", "leaving".
"""
