"""Where the log goes: standard error, so that standard output holds what a command was asked for and nothing else."""

import sys

import structlog


def log_to_standard_error() -> None:
    """Write the log as lines for people where a person looks, and as one JSON object a line for programs."""
    is_watched = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if is_watched else structlog.processors.JSONRenderer(sort_keys=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
