"""What was used while Counterfoil could not be reached: kept in order, bounded, told of, and sent later.

It lives in the memory of the process. An application that has to survive its own death as well keeps what its callback
hears, and hands it in again with the same keys: nothing is booked twice.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from counterfoil.client.errors import CounterfoilError, Refused
from counterfoil.client.verbs import SpendRequest

log = logging.getLogger("counterfoil.client")

BACKLOG_MAX: Final = 10_000


class Fate(StrEnum):
    """What became of a spend that could not be booked at once."""

    WAITING = "waiting"
    BOOKED = "booked"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Unbooked:
    """A spend that happened and is not booked yet. `hold` is the hold that it settles, when one was opened.

    `error` says why it waits, was refused, or is lost.
    """

    key: str
    customer: str
    unit: str
    amount: str
    feature: str | None
    occurred_at: datetime
    hold: str | None
    fate: Fate
    error: CounterfoilError
    pools: tuple[str, ...] = ()

    @property
    def request(self) -> SpendRequest:
        """Give it as a spend without its hold."""
        return SpendRequest(self.customer, self.unit, self.amount, self.feature, self.key, self.occurred_at, self.pools)

    def without_hold(self) -> "Unbooked":
        """Give it as a spend of its own, because its hold ran out before it could be settled."""
        return replace(self, hold=None, key=f"{self.key}:late")


Told = Callable[[Unbooked], None]
"""Hears of every spend that is not booked, and of what became of it. It must not block and not raise."""


class Backlog:
    """A bounded queue of unbooked spends. Safe to use from several threads."""

    def __init__(self, limit: int = BACKLOG_MAX, tell: Told | None = None) -> None:
        self._limit, self._tell = limit, tell or log_fate
        self._waiting: deque[Unbooked] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> tuple[Unbooked, ...]:
        """Give what waits, the oldest first."""
        with self._lock:
            return tuple(self._waiting)

    def keep(self, spend: Unbooked) -> Unbooked:
        """Keep a spend until it can be sent, and tell. When there is no room it is lost, which is told too."""
        with self._lock:
            fits = len(self._waiting) < self._limit
            if fits:
                self._waiting.append(spend)
        return self.tell(spend, Fate.WAITING if fits else Fate.LOST)

    def take(self, most: int) -> tuple[Unbooked, ...]:
        """Take the oldest out, to be sent."""
        with self._lock:
            return tuple(self._waiting.popleft() for _ in range(min(most, len(self._waiting))))

    def give_back(self, spends: Sequence[Unbooked]) -> None:
        """Put back what could not be sent, where it was. Room was made for it when it came."""
        with self._lock:
            self._waiting.extendleft(reversed(spends))

    def lose_all(self) -> None:
        """Say of everything that still waits that it is lost: nobody will send it."""
        for each in self.take(len(self)):
            self.tell(each, Fate.LOST)

    def tell(self, spend: Unbooked, fate: Fate, error: Refused | None = None) -> Unbooked:
        """Say what became of a spend."""
        told = replace(spend, fate=fate, error=error or spend.error)
        self._tell(told)
        return told


def log_fate(spend: Unbooked) -> None:
    """Write to the log `counterfoil.client` what became of a spend. Used when no callback was given."""
    level = {Fate.BOOKED: logging.INFO, Fate.WAITING: logging.WARNING}.get(spend.fate, logging.ERROR)
    log.log(level, "spend %s of %s %s is %s: %s", spend.key, spend.amount, spend.unit, spend.fate, spend.error)
