"""The ports of a simulated house: time that only its owner moves, and ids that a seed gives."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count

from counterfoil.core.ids import PREFIXES, typeid

START = datetime(2026, 6, 14, 4, 4, tzinfo=UTC)
TIME_BITS = 80


class VirtualClock:
    """Business time and wall time, moving together unless business time is moved ahead."""

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Business time."""
        return self._wall + self._ahead

    def wall(self) -> datetime:
        """Wall time."""
        return self._wall

    def seconds(self) -> float:
        """Wall time as the sandbox takes it."""
        return self._wall.timestamp()

    def step(self, by: timedelta) -> None:
        """Let time pass."""
        self._wall += by

    def jump(self, by: timedelta) -> None:
        """Move business time ahead of the wall, as a command in test mode does."""
        self._ahead += by


class SeededIds:
    """TypeIDs that are the same in every run of a seed. Later ones sort after earlier ones."""

    def __init__(self, seed: int, clock: VirtualClock, first: int = 1) -> None:
        self._seed = seed
        self._clock = clock
        self._numbers = count(first)

    def new(self, noun: str) -> str:
        """Give the next id of a noun."""
        milliseconds = int(self._clock.wall().timestamp() * 1000)
        return typeid(PREFIXES[noun], milliseconds << TIME_BITS | next(self._numbers))

    def secret(self) -> str:
        """Give the next secret; only a seed keeps it."""
        return blake2b(f"{self._seed}:{next(self._numbers)}".encode(), digest_size=16).hexdigest()
