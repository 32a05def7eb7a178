"""Logging: structlog to standard error, readable on a terminal, JSON lines elsewhere. Secrets are never logged."""

from __future__ import annotations

import logging
import sys

import structlog


def set_up(level: int = logging.INFO) -> None:
    """Configure logging for a process that serves or polls."""
    tty = sys.stderr.isatty()
    # the default formatter of a terminal prints local variables, and keys may be among them
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if tty else [structlog.processors.format_exc_info]),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if tty
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    # httpx logs every request's URL at INFO; the query is ours, but a log of 300 lines an hour helps nobody
    logging.getLogger("httpx").setLevel(logging.WARNING)
