"""Services with one broken part each: a subclass of the real one, put in its place by a subclass of the assembly.

A part is no more broken than it must be to show in one step and no other; how it is limited stands beside it.
"""
