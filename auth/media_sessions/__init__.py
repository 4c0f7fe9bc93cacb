"""Media sessions: one person looking at one camera for one purpose, from the first request to the end (promise P8).

Opened by a token, listed, limited, judged again, cut by abort, and in the audit as a whole. A session ends with its
`ses`, with its client's silence, or with a withdrawal, and then alone: nobody else loses a fragment. How a cut works:
docs/design/cutting-a-session.md. Guarded by tests/properties/test_media_sessions.py and
tests/stories/test_a_withdrawn_viewer_is_cut_alone.py. Words: docs/glossary.md, "media session".
"""
