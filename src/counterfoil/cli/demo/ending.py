"""How a story about credits ended: what was done, what it survived, and why the numbers are what they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from counterfoil.cli.demo import either_first

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Ending:
    """The ending, read from the API and the provider's journal. `reasons` says why it did not end well, if so.

    `facts` are told to programs; `done` and `survived` to people, in this order. `about` is what is explained.
    """

    scenario: str
    seed: int
    facts: Mapping[str, Any]
    done: tuple[str, ...]
    survived: tuple[str, ...]
    about: str
    pages: tuple[str, ...]
    journal_balanced: bool
    reasons: tuple[str, ...] = ()
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Say whether the story ended as it has to."""
        return not self.reasons

    def as_json(self) -> str:
        """Say it to a machine, in one line."""
        told = {"scenario": self.scenario, "seed": self.seed, "ok": self.ok, **self.facts}
        return json.dumps(told | {"journal_balanced": self.journal_balanced}, ensure_ascii=False)


def ended(
    stage: "Stage",
    scenario: str,
    seed: int,
    *,
    facts: Mapping[str, Any],
    done: tuple[str, ...],
    survived: tuple[str, ...],
    about: str,
    pages: tuple[str, ...],
    checks: Mapping[str, bool],
) -> Ending:
    """Read the books, and judge. `checks` names what would be wrong, and says of each whether it is as it has to be."""
    from counterfoil.engine import explain

    trial, breaches = either_first.books(stage)
    balanced = bool(trial) and all(row["debit"] == row["credit"] for row in either_first.totals(trial)) and not breaches
    wrong = tuple(what for what, holds in checks.items() if not holds)
    return Ending(
        scenario=scenario,
        seed=seed,
        facts=facts,
        done=done,
        survived=survived,
        about=about,
        pages=pages,
        journal_balanced=balanced,
        reasons=(*wrong, *(() if balanced else ("the journal does not balance",)), *breaches),
        shown={"explanation": explain.explain(stage.house, stage.tenant, about), "trial": trial},
    )
