"""How long footage is kept: a versioned policy per camera, and the sweep that keeps its word.

Promises P4 and P10: unreadable from the very second of expiry, destroyed within a sweep, never early, never late in
silence; shorter applies at once to what is there, longer only to what is yet to come.
"""
