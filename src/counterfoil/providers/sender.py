"""The sender port: how what happened leaves for the applications of our users.

One call, one result: no retries, a time-out of its own, no redirects. Whatever goes wrong is a result, never an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from counterfoil.core.deliveries import TryResult


@dataclass(frozen=True, slots=True)
class Parcel:
    """One request on its way. `may_stay_here` lets it go to this very machine, which only test mode allows."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    may_stay_here: bool = False


class Sender(Protocol):
    """Posts parcels."""

    def post(self, parcel: Parcel) -> TryResult:
        """Post a parcel and give what was answered, within ten seconds."""
