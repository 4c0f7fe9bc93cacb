"""Operators: the customers who own cameras and footage.

Promise P7: an operator's name is in URLs, everything else refers to its id, and nothing here says to one operator
that another exists. Guarded by tests/auth/operators/. Words: docs/glossary.md, "operator".
"""
