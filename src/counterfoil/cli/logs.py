"""Structured logs: one JSON line each, on standard error, so that standard output stays the command's own."""

import logging
import sys

QUIET = logging.CRITICAL
"""Nothing but what ends the process: for commands that show what happened themselves."""


def configure(level: int = logging.INFO) -> None:
    """Write the product's log and the libraries' from `level` on."""
    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
