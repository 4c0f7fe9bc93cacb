"""Requests of people about footage: to erase, to restrict, to see it, to object; and withdrawals that erase.

Promise P11: each has a clock that runs from its true receipt, and none is closed without an outcome and an answer, past
the service either: the database refuses it. What is destroyed takes two people, by a mandate (`archive/mandates`); what
is closed to everybody is an order (`archive/orders`). Who asks stands here sealed, for as long as it is needed, and
nowhere else. Page: docs/operate/requests.md, decision 0043. Guarded by tests/properties/test_subject_requests.py.
Words: docs/glossary.md, "request", "promised date", "answer date".
"""
