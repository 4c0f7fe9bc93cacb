"""Why: of any camera and moment what is there, why it still is or why it is gone, and what happens next and when.

Promise: the answer is computed from the same rules that act, and tells each asker what they may know and no more: that
something is held is told to those alone who may know of holds (P6), to everybody else it is as gone as what expired.
"""
