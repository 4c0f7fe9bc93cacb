"""Grants: which person may do what, with which cameras, from when until when.

Promises P7 and P8: something is allowed if and only if a grant in force says so; a withdrawn or expired grant never
allows; a grant of another operator never makes anything visible; platform admins hold none. Nobody gives away more
than they hold. Guarded by tests/properties/test_grants.py. Words: docs/glossary.md, "grant", "right", "role", "scope".
"""
