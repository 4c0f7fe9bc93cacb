"""What the promises say in one line each: the measure that rules are held against."""


def is_readable(captured_us: int, keep_us: int, now_us: int) -> bool:
    """P4: a picture may be read until `captured + keep`, and not at that very microsecond."""
    return now_us < captured_us + keep_us
