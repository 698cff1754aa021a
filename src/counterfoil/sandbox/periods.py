"""Billing periods: calendar steps from an anchor, so that a month's end stays a month's end. All times are UTC."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime

from counterfoil.sandbox.documents import Doc

DAY_S = 86_400
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often something is billed: each `count` intervals."""

    interval: str
    count: int

    def step(self, anchor: int, steps: int) -> int:
        """The time `steps` whole periods after the anchor, or before it where negative.

        Months keep the anchor's day; where they have no such day it is their last one.
        """
        if self.interval in _DAYS:
            return anchor + steps * self.count * _DAYS[self.interval] * DAY_S
        return _add_months(anchor, steps * self.count * _MONTHS[self.interval])

    def around(self, anchor: int, time: int) -> tuple[int, int]:
        """The period that contains a time: its start, which is inside, and its end, which is not."""
        steps = self._steps_at_most(anchor, time)
        while self.step(anchor, steps + 1) <= time:
            steps += 1
        return self.step(anchor, steps), self.step(anchor, steps + 1)

    def _steps_at_most(self, anchor: int, time: int) -> int:
        """A number of steps that does not lead beyond `time`, and nearly reaches it."""
        if self.interval in _DAYS:
            return (time - anchor) // (self.count * _DAYS[self.interval] * DAY_S)
        days = self.count * _MONTHS[self.interval] * (31 if time >= anchor else 28)
        return (time - anchor) // (days * DAY_S) - 1


def rhythm_of(price: Doc) -> Rhythm:
    """How often a recurring price is billed."""
    recurring = price["recurring"]
    return Rhythm(recurring["interval"], recurring["interval_count"])


def shown_day(time: int) -> str:
    """A day as lines of invoices name it: 15 Jan 2026."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment.day:02} {calendar.month_abbr[moment.month]} {moment.year}"


def _add_months(time: int, months: int) -> int:
    moment = datetime.fromtimestamp(time, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp())
