"""What a seed decides: which trouble the provider's news meets, and where the process is killed.

The same tape can be played against anybody who charges an account: only the path of the charging request differs.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Rule = Mapping[str, Any]

LATE_S: Final = 600.0
"""How late an answer is that nobody is to live to see: it ends with the fault that caused it."""
OVERTAKEN_S: Final = 1.5
"""How long a held-back event waits when too few others come to overtake it."""
SUCCEEDED: Final = "payment_intent.succeeded"
REORDERED: Final = ("payment_intent.created", "charge.succeeded", SUCCEEDED)


class Kill(StrEnum):
    """Where the process dies: always after the provider has charged, and before anybody has booked it."""

    REPLY_UNDER_WAY = "while the reply to the charge was under way"
    REPLY_LOST = "after the reply to the charge was lost"
    REPLY_BROKEN = "after the reply to the charge broke off in the middle"


@dataclass(frozen=True, slots=True)
class Tape:
    """One order of events."""

    seed: int
    kill: Kill
    copies: int
    late: str
    behind: int

    def notices(self, account: str) -> tuple[Rule, ...]:
        """Give the rules for the provider's events: the same one again, a second one of the same, a wrong order."""
        succeeded = {"event": SUCCEEDED, "account": account}
        late = {"event": self.late, "account": account}
        return (
            {"match": succeeded, "do": "duplicate", "copies": self.copies, "times": 1},
            {"match": succeeded, "do": "duplicate_as_new", "times": 1},
            {"match": late, "do": "reorder", "window": self.behind, "delay_s": OVERTAKEN_S, "times": 1},
        )

    def charge(self, account: str, path: str) -> tuple[Rule, ...]:
        """Give the rules that let the charge happen and keep everybody from hearing of it.

        Nobody else may book it before the kill either: looking the payment up takes as long.
        """
        match = {"method": "POST", "path": path, "account": account}
        looks = {"method": "GET", "path": "/v1/payment_intents*", "account": account}
        trouble: dict[Kill, dict[str, Any]] = {
            Kill.REPLY_UNDER_WAY: {"do": "slow", "delay_s": LATE_S},
            Kill.REPLY_LOST: {"do": "timeout_after"},
            Kill.REPLY_BROKEN: {"do": "reset"},
        }
        slow_look = {"match": looks, "do": "slow", "delay_s": LATE_S}
        return ({"match": match, **trouble[self.kill], "times": 1}, slow_look)


def tape_of(seed: int) -> Tape:
    """Give the tape of a seed."""
    chance = random.Random(f"tape {seed}")  # noqa: S311 -- a story to be told again, no secret
    return Tape(
        seed=seed,
        kill=chance.choice(list(Kill)),
        copies=chance.randint(1, 3),
        late=chance.choice(REORDERED),
        behind=chance.randint(1, 2),
    )
