"""What keeps an ordinary run short: a slice that changes with the commit, and no logs of a thousand worlds."""

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

ROOT = Path(__file__).parents[1]


def commit() -> str:
    """The commit that is tested, or its version when there is no repository."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no commit"


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing: what went wrong is told by the story."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
