"""The sums of a story."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sums:
    """What is paid with what, in minor units of USD."""

    credits: int
    card: int

    @property
    def total(self) -> int:
        """What the invoice bills."""
        return self.credits + self.card
