"""What a measurement is, and how a run of them is made: interleaved rounds, medians, ratios."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Protocol

CLIENTS: Final = (8, 16)
"""How many clients pgbench is run with; the best of them is what we are compared with."""
ALONE_TOO: Final = (1, *CLIENTS)
"""The same where clients stand in each other's way, and one alone may be the best of them."""


class Measurement(Protocol):
    """One thing that is measured once per round. It checks itself that everything happened exactly once."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    def once(self) -> float | Mapping[str, float]:
        """Measure, and give how many per second, or several figures by name.

        Raises AssertionError when something was lost or doubled.
        """


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. A quick run shows that everything works; its figures mean little."""

    rounds: int = 5
    pgbench_s: int = 10
    rivals_s: int = 5
    webhooks: int = 20_000
    posted: int = 10_000
    payments: int = 3_000
    jobs: int = 10_000
    spends: int = 60_000
    spends_posted: int = 20_000
    pages: int = 200
    entries: int = 2_000_000
    starts: int = 5


QUICK: Final = Scale(
    rounds=2,
    pgbench_s=2,
    rivals_s=1,
    webhooks=2_000,
    posted=1_000,
    payments=200,
    jobs=1_000,
    spends=4_000,
    spends_posted=2_000,
    pages=20,
    entries=100_000,
    starts=2,
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The best of some figures over the best of others. `target` and `stretch` are what we aim at.

    `at_most` says that less is better, as with latencies.
    """

    id: str
    name: str
    over: tuple[str, ...]
    under: tuple[str, ...]
    target: float
    stretch: float | None = None
    at_most: bool = False

    def is_met(self, ratio: float) -> bool:
        """Say whether a ratio reaches the target."""
        return ratio <= self.target if self.at_most else ratio >= self.target


@dataclass(slots=True)
class Results:
    """Figures of every round, by name: rates per second, and where the name says so microseconds or counts."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, rate: float) -> None:
        """Note one round's figure."""
        self.rates.setdefault(name, []).append(rate)

    def medians(self) -> Mapping[str, float]:
        """Give the median of each measurement."""
        return {name: median(rates) for name, rates in self.rates.items()}

    def ratio(self, wanted: Ratio) -> float | None:
        """Compare the medians; None where one of the two was not measured."""
        medians = self.medians()
        over = max((medians[name] for name in wanted.over if name in medians), default=0.0)
        under = max((medians[name] for name in wanted.under if name in medians), default=0.0)
        return over / under if over and under else None


def run(measurements: Sequence[Measurement], rounds: int, say: Callable[[str], None]) -> Results:
    """Measure everything once per round, so that a machine that changes its mind changes it for all of them."""
    results = Results()
    for number in range(1, rounds + 1):
        for each in measurements:
            measured = each.once()
            for name, figure in measured.items() if isinstance(measured, Mapping) else [(each.name, measured)]:
                results.add(name, figure)
                say(f"round {number}/{rounds}  {name:<58} {figure:>10,.0f}")
    return results
