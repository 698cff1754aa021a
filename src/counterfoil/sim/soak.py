"""Runs many worlds, tells how it goes, and stops at the first that breaks: with its seed and its shortest tape."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from counterfoil.sim.marks import Mark
from counterfoil.sim.shrink import shrink, without_end
from counterfoil.sim.world import STEPS, Outcome, play
from counterfoil.store.database import Database

LINES_SHOWN: Final = 60


@dataclass(slots=True)
class Soak:
    """Worlds played so far. Tenants are numbered on, so that no two worlds of a database meet."""

    database: Database
    steps: int = STEPS
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    worlds: int = 0
    lines: int = 0
    marks: Counter[Mark] = field(default_factory=Counter)

    def play(self, seed: int, tape: Sequence[int] | None = None) -> Outcome:
        """Play one world."""
        outcome = play(self.database, next(self.numbers), seed, tape, self.steps)
        self.worlds += 1
        self.lines += len(outcome.lines)
        self.marks += outcome.marks
        return outcome

    def run(self, seeds: Iterator[int], go_on: Callable[["Soak"], bool]) -> Outcome | None:
        """Play seed after seed while told to go on, and give the first world that broke."""
        for seed in seeds:
            outcome = self.play(seed)
            if outcome.breaches:
                return outcome
            if not go_on(self):
                break
        return None

    def shortest(self, broken: Outcome) -> Outcome:
        """Give the shortest world found that breaks the same promise."""
        promises = {each.invariant for each in broken.breaches}
        best = broken

        def breaks(tape: Sequence[int]) -> bool:
            nonlocal best
            outcome = self.play(broken.seed, tape)
            if promises & {each.invariant for each in outcome.breaches}:
                best = outcome
                return True
            return False

        shrink(broken.tape, breaks)
        return best

    @property
    def missing(self) -> list[Mark]:
        """Give the marks that were never hit."""
        return [each for each in Mark if not self.marks[each]]


def report(outcome: Outcome) -> str:
    """Tell how a world broke, and how to see it again."""
    breaches = "\n".join(f"  {each.invariant} {each.subject} {each.detail}" for each in outcome.breaches)
    story = "\n".join(f"  {each}" for each in outcome.lines[-LINES_SHOWN:])
    tape = " ".join(str(each) for each in without_end(outcome.tape))
    return f"seed {outcome.seed} broke\n{breaches}\nstory ({len(outcome.lines)} lines)\n{story}\ntape {tape}"


def table(marks: Counter[Mark]) -> str:
    """Show how often each mark was hit."""
    return "\n".join(f"  {marks[each]:>7}  {each}" for each in Mark)
