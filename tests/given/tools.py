"""What happens when something that a test needs is not installed."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip with the reason on a laptop; fail where CI=true, because there nothing may be skipped."""
    reason = f"not installed: {what}"
    if os.environ.get("CI") == "true":  # noqa: TID251 the tests' own switch is no setting of the service
        pytest.fail(reason)
    pytest.skip(reason)
