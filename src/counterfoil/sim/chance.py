"""All chance of a world: drawn from a seed and written down, or read back from a tape."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Makes choices. A tape that has run out, or was shortened, chooses the first: the quietest one."""

    def __init__(self, seed: int, tape: Sequence[int] | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  # repeatable, and nothing secret
        self._tape = tape
        self.taken: list[int] = []

    def below(self, bound: int) -> int:
        """Choose one of 0 … bound − 1."""
        if self._tape is None:
            chosen = self._random.randrange(bound)
        else:
            chosen = min(self._tape[len(self.taken)], bound - 1) if len(self.taken) < len(self._tape) else 0
        self.taken.append(chosen)
        return chosen

    def pick(self, options: Sequence[T]) -> T:
        """Choose one of these."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """Say yes this often. The quiet answer is no."""
        return self.below(100) >= 100 - percent

    def weighted(self, options: Sequence[tuple[int, T]]) -> T:
        """Choose by weight, the first being the quietest."""
        left = self.below(sum(weight for weight, _ in options))
        for weight, option in options:
            left -= weight
            if left < 0:
                return option
        raise AssertionError("unreachable")
