"""When a camera is recorded within its opt-in: a versioned weekly plan per camera, by the clock on its wall.

Promise: outside its times a camera is not recorded, whatever it sends; a plan that nobody can read allows nothing. The
ledger asks for it whenever it makes a permit, so that what needs a permit cannot be done outside of the plan.
"""
