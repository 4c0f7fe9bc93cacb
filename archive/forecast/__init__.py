"""How many bytes footage will come to, and whether the store has room for that.

Promise: nothing is allowed that would, as it stands, be more than the store can hold; that is said before, with the
figures. Where the store is full all the same, recording stops loudly: nothing is ever destroyed early for room (P6).
"""
