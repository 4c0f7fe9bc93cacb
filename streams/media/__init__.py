"""The doors to pictures: the relay (the only socket to a camera), libav, and the media formats.

`av` is imported only in here; its errors spell out the camera's password, so they are translated at the door.
"""
