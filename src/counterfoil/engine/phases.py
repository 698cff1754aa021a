"""A flow is a row of phases. Each phase is one database transaction or one provider call, and gives the next.

So a process can die between any two of them and nothing is lost: what a phase needs is in the database before it
starts. The worker runs the phases of a claim one after the other; the simulated world runs the same phases in any
order, and drops a flow wherever it likes.
"""

from dataclasses import dataclass
from typing import Protocol

from counterfoil.engine.house import House


class Phase(Protocol):
    """One step of a flow."""

    @property
    def name(self) -> str:
        """What the step is called in logs and tapes."""

    def run(self, house: House) -> "Phase | None":
        """Take the step and give the next one, None at the end of the flow."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One step that was taken, for whoever watches."""

    phase: str
    subject: str


def run(house: House, phase: Phase | None) -> None:
    """Run a flow to its end."""
    while phase is not None:
        phase = phase.run(house)
