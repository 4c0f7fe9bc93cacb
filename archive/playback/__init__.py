"""Showing what was recorded: a time range becomes segments, fragments and chunks.

Promises P4 and P8: a picture is shown only while it is readable and inside what the token allows, judged again for
every fragment; what has expired answers 410 from its very second.
"""
