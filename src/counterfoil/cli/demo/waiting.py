"""Waiting for something to be so, with a limit and a name for what it was."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from counterfoil.cli.troubles import Exit, Trouble

T = TypeVar("T")

LOOK_S: Final = 0.02
WAIT_MAX_S: Final = 60.0


class DemoStuck(Trouble):
    """The story did not go on."""

    code = "demo_stuck"
    remedy = "Look at the logs in the data directory, and please report the seed"
    exit_code = Exit.FINDINGS


def until(look: Callable[[], T | None], what: str, limit_s: float = WAIT_MAX_S) -> T:
    """Look until there is something to see, and give it. Raises DemoStuck, naming what was waited for."""
    pause = threading.Event()
    for _ in range(round(limit_s / LOOK_S)):
        found = look()
        if found:
            return found
        pause.wait(LOOK_S)
    raise DemoStuck(f"after {limit_s:g} s still waiting until {what}")
