"""A host application in a seeded world: it takes our webhooks, in trouble too, and remembers what it was told."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from counterfoil.core.deliveries import Answered, TryResult, Unanswered
from counterfoil.providers.sender import Parcel

URL: Final = "https://host.test/hooks"
TROUBLES: Final = ("lost", "unanswered", "twice", "broken", "busy")
"""What may happen to a parcel: it never arrives, its answer never does, it arrives twice, or is turned away."""


@dataclass(slots=True)
class Host:
    """Takes parcels. `strike` says what goes wrong with the next one, None for nothing; `answer` answers in its place,
    unless it gives None."""

    strike: Callable[[], str | None] = lambda: None
    answer: Callable[[Parcel], TryResult | None] = lambda parcel: None
    parcels: list[Parcel] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Every event that it was told of, by `webhook-id`: what comes again changes nothing."""
    repeats: int = 0

    def post(self, parcel: Parcel) -> TryResult:
        """Take a parcel, or not."""
        answered = self.answer(parcel)
        if answered is not None:
            return answered
        trouble = self.strike()
        if trouble == "lost":
            return Unanswered("connection_failed", 3, is_sent=False)
        if trouble == "broken":
            return Answered(500, 12, b"Internal Server Error")
        if trouble == "busy":
            return Answered(429, 2, retry_after_s=90)
        self.take(parcel)
        if trouble == "twice":
            self.take(parcel)
        if trouble == "unanswered":
            return Unanswered("timeout", 10_000, is_sent=True)
        return Answered(204, 8)

    def take(self, parcel: Parcel) -> None:
        """Remember what a parcel says, once."""
        self.parcels.append(parcel)
        event = parcel.headers["webhook-id"]
        self.repeats += event in self.told
        self.told.setdefault(event, json.loads(parcel.body))

    def gaps(self) -> Iterator[str]:
        """Name the customers whose events it was not all told of."""
        numbers: dict[str | None, list[int]] = defaultdict(list)
        for each in self.told.values():
            numbers[each["customer"]].append(each["sequence"])
        for customer, seen in numbers.items():
            if sorted(seen) != list(range(1, len(seen) + 1)):
                yield f"{customer} {sorted(seen)}"
