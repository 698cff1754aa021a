"""The log, written as in production and thrown away: its cost belongs to what is measured, its text does not."""

import logging
import os

import structlog


def keep_quiet() -> None:
    """Write every line as JSON to nowhere."""
    nowhere = open(os.devnull, "w")  # noqa: SIM115 - open for as long as the process is
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(nowhere),
        cache_logger_on_first_use=False,
    )
