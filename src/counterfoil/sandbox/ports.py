"""What the sandbox takes from outside: time and identity. The core reads neither a wall clock nor a random source of
its own.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol, TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch, UTC. The sandbox adds its own movable offset to it."""

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Ids(Protocol):
    """A source of id texts."""

    def token(self, serial: int, length: int) -> str:
        """`length` letters and digits; `serial` never repeats within one state."""
        ...


@dataclass(frozen=True, slots=True)
class SeededIds:
    """The same seed and serial give the same token, so that a seeded world is repeatable across snapshots."""

    seed: int

    def token(self, serial: int, length: int) -> str:
        return digest_token(f"{self.seed}:{serial}", length)


class SteppingClock:
    """A clock that only its owner moves, for tests and seeded worlds."""

    def __init__(self, start: float = 1_781_409_600.0) -> None:
        self.seconds = start

    def __call__(self) -> float:
        return self.seconds

    def step(self, seconds: float) -> None:
        self.seconds += seconds


def digest_token(text: str, length: int) -> str:
    """Letters and digits that depend on the text alone (up to 40 of them)."""
    number = int.from_bytes(blake2b(text.encode(), digest_size=32).digest(), "big")
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)
