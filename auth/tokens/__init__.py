"""Stream tokens: one camera, named actions, one person, one time window, briefly (promise P8).

Two forms of one grant: a signed JWT and a short handle; every place takes both. A token says who was given what under
which version of which grant; whether it still holds is asked anew whenever that version moved. Format:
docs/formats/stream-token-v1.md. Guarded by tests/properties/test_tokens.py. Words: docs/glossary.md, "stream token".
"""
