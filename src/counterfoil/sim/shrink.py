"""Makes a tape that breaks something shorter, by leaving choices out as long as the same thing still breaks."""

from collections.abc import Callable, Sequence
from typing import Final

TRIES_MAX: Final = 120


def shrink(tape: Sequence[int], breaks: Callable[[Sequence[int]], bool], tries: int = TRIES_MAX) -> tuple[int, ...]:
    """Give a shorter tape that still breaks, found greedily in at most `tries` runs.

    First the end is cut off by halves, then ever smaller pieces are left out.
    """
    shortest = without_end(tape)
    size = len(shortest) // 2
    while size and tries:
        start = len(shortest) - size
        while start >= 0 and tries:
            tries -= 1
            without = shortest[:start] + shortest[start + size :]
            if breaks(without):
                shortest = without_end(without)
            start -= size
        size //= 2
    return shortest


def without_end(tape: Sequence[int]) -> tuple[int, ...]:
    """Leave the zeros at the end out: a tape that has run out gives the same."""
    last = max((index for index, choice in enumerate(tape) if choice), default=-1)
    return tuple(tape[: last + 1])
