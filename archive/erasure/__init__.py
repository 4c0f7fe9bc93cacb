"""Destroying footage: one numbered procedure, resumable from its row, with evidence of every step.

Promises P4, P5 and P12: never early, never in silence late; a failure is counted, retried and shown as deletion debt.
The steps are `rules.Step`; a crash between any two of them is resumed.
"""
