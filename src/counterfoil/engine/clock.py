"""The clock port. It has two readings that are never mixed.

`now` is business time: due dates, expiry, timers. In test mode it can be moved. `wall` is the time on the wall:
signature tolerance, leases, time-outs. No command moves it.
"""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Both readings are aware UTC."""

    def now(self) -> datetime:
        """Business time."""

    def wall(self) -> datetime:
        """Wall time."""


class SystemClock:
    """The machine's clock, with business time shifted by an offset that test mode may grow."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """Business time: wall time plus the offset."""
        return self.wall() + self.offset

    def wall(self) -> datetime:
        """Wall time."""
        return datetime.now(UTC)
