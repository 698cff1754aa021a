"""The real world's clocks and chance, for a client inside an application. Nothing else in this room reads either."""

import random
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Ambient(Protocol):
    """What the client needs from around it. Tests give one whose times and numbers they know."""

    def elapsed_s(self) -> float:
        """Give seconds that only grow, from some moment on."""

    def now(self) -> datetime:
        """Give the time of day, for saying when something was used."""

    def new_key(self) -> str:
        """Give a key that nobody gave before."""

    def between(self, low: float, high: float) -> float:
        """Give a number by chance."""


class RealAmbient:
    """The machine's own."""

    def __init__(self) -> None:
        self._chance = random.SystemRandom()

    def elapsed_s(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_key(self) -> str:
        return f"cfc-{uuid.uuid4().hex}"

    def between(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)
