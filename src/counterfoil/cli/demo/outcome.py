"""What came of a story, read from the database and the provider's journal."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of the payment. The amount is in minor units."""

    kind: str
    amount: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ending. Notices, decisions and their outcomes are those about the story's payment, as the provider sent them.

    `reasons` says why a story did not end well; there are none when it did. `shown` is what people are told beside.
    """

    scenario: str
    seed: int
    provider_charges: int
    invoice_status: str
    amount_due: int
    legs: tuple[Leg, ...]
    notices: int
    decisions: int
    applied: int
    no_effect: int
    restarts: int
    journal_balanced: bool
    reasons: tuple[str, ...] = ()
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Say whether the story ended as it has to."""
        return not self.reasons

    def as_json(self) -> str:
        """Say it to a machine, in one line."""
        told = {
            "scenario": self.scenario,
            "seed": self.seed,
            "ok": self.ok,
            "provider_charges": self.provider_charges,
            "invoice": {"status": self.invoice_status, "amount_due": self.amount_due},
            "legs": [{"kind": leg.kind, "amount": leg.amount} for leg in self.legs],
            "notices": self.notices,
            "decisions": self.decisions,
            "applied": self.applied,
            "no_effect": self.no_effect,
            "restarts": self.restarts,
            "journal_balanced": self.journal_balanced,
        }
        return json.dumps(told)
