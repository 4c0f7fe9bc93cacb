"""Cameras and the pictures coming from them now. Promise P2: nothing in here writes a media byte to a disk."""
