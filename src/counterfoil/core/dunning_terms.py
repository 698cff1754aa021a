"""The schedule by which refused payments of our own invoices are tried again, as data of the tenant."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise


class LastStep(StrEnum):
    """What happens when the last try of the schedule was refused."""

    LEAVE_OPEN = "leave_open"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """When a refused payment is tried again: so many hours after the first try, the first of which is 0.

    The default is the days 0, 3, 5 and 7. `then` is what follows when all of them were refused.
    """

    version: int = 0
    hours: tuple[int, ...] = (0, 72, 120, 168)
    then: LastStep = LastStep.LEAVE_OPEN

    def next_try(self, tries: int, first_at: datetime, now: datetime) -> datetime | None:
        """Give when to try again after so many refused tries, None when the schedule is over.

        What was missed is not made up for: a try that is late moves no other.
        """
        slots = (first_at + timedelta(hours=each) for each in self.hours[tries:])
        return next((each for each in slots if each > now), None)


HOURS_MAX = 24 * 90
TRIES_MAX = 12


def refusal_of_terms(hours: tuple[int, ...]) -> str | None:
    """Say what is wrong with a schedule, None when nothing is."""
    if not hours or hours[0] != 0:
        return "The first hour is 0: it is the first try itself."
    if any(later <= earlier for earlier, later in pairwise(hours)):
        return "Each hour is later than the one before."
    if hours[-1] > HOURS_MAX or len(hours) > TRIES_MAX:
        return f"At most {TRIES_MAX} tries, within {HOURS_MAX} hours."
    return None
