"""What a measurement is, and how a run of them is made: interleaved rounds, medians, ratios."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Protocol

CLIENTS: Final = (8, 16)
"""How many clients pgbench is run with; the best of them is what we are compared with."""


class Measurement(Protocol):
    """One thing that is measured once per round. It checks itself that everything happened exactly once."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    def once(self) -> float:
        """Measure, and give how many per second. Raises AssertionError when something was lost or doubled."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. A quick run shows that everything works; its figures mean little."""

    rounds: int = 5
    pgbench_s: int = 10
    webhooks: int = 20_000
    posted: int = 10_000
    payments: int = 3_000
    jobs: int = 10_000
    starts: int = 5


QUICK: Final = Scale(rounds=2, pgbench_s=2, webhooks=2_000, posted=1_000, payments=200, jobs=1_000, starts=2)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One of ours over the best of theirs. `target` and `stretch` are what we aim at."""

    id: str
    name: str
    ours: str
    theirs: tuple[str, ...]
    target: float
    stretch: float


@dataclass(slots=True)
class Results:
    """Rates per second of every round, by name."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, rate: float) -> None:
        """Note one round's rate."""
        self.rates.setdefault(name, []).append(rate)

    def medians(self) -> Mapping[str, float]:
        """Give the median rate of each measurement."""
        return {name: median(rates) for name, rates in self.rates.items()}

    def ratio(self, wanted: Ratio) -> float | None:
        """Compare the medians; None where one of the two was not measured."""
        medians = self.medians()
        theirs = max((medians[name] for name in wanted.theirs if name in medians), default=0.0)
        return medians[wanted.ours] / theirs if theirs and wanted.ours in medians else None


def run(measurements: Sequence[Measurement], rounds: int, say: Callable[[str], None]) -> Results:
    """Measure everything once per round, so that a machine that changes its mind changes it for all of them."""
    results = Results()
    for number in range(1, rounds + 1):
        for each in measurements:
            rate = each.once()
            results.add(each.name, rate)
            say(f"round {number}/{rounds}  {each.name:<44} {rate:>10,.0f}/s")
    return results
