"""When the price of a lot is earned: as the lot is used, floor(cost × used ÷ amount), and neither sooner nor twice.

What was sold is owed as service until then. The use itself posts no money; what it has earned is posted as the
difference to what was posted before, every hour and always before a lot is paid with, ends, or is taken back. So the
parts of a lot's price (earned, breakage, due back, still owed) add up to it at any moment, and its last unit takes the
rest.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from counterfoil.core import journal
from counterfoil.core.books import Books, Grant, with_changes
from counterfoil.core.effects import Change, Effect, Post
from counterfoil.core.ids import GrantId
from counterfoil.core.journal import Recognised
from counterfoil.core.money import share

NOTHING: Final[Mapping[GrantId, int]] = MappingProxyType({})


def owed_no_more(grant: Grant) -> int:
    """Give how much of a lot's price stands for what has left the lot: used, expired or taken back. Minor units."""
    return share(grant.cost_minor, grant.amount - grant.remaining, grant.amount)


def recognise(grant: Grant, later: int = 0) -> Recognised | None:
    """Bring what was posted of a lot's price up to its use. None when it is.

    When use was taken back it is less than was posted: then revenue gives the difference back, in an entry of its own.
    With `later`, what left the lot after an instant, it is brought up to that instant; what was posted since stays.
    """
    minor = share(grant.cost_minor, max(0, grant.amount - grant.remaining - later), grant.amount) - grant.released_minor
    if minor == 0 or (later and minor < 0):
        return None
    return Recognised(replace(grant, released_minor=grant.released_minor + minor, steps=grant.steps + 1), minor)


def catch_up(grant: Grant, at: datetime, later: int = 0) -> tuple[Grant, tuple[Effect, ...]]:
    """Recognise a lot before something else is done with it: the lot after it, and what to write."""
    recognised = recognise(grant, later)
    if recognised is None:
        return grant, ()
    return recognised.lot, (Change(grant, recognised.lot), Post(journal.recognised(recognised, at)))


def catch_up_all(
    books: Books, lots: Collection[str], at: datetime, later: Mapping[GrantId, int] = NOTHING
) -> tuple[Books, tuple[Effect, ...]]:
    """Recognise some lots of the books: the books after it, and what to write. `later` is what left them after `at`."""
    effects: tuple[Effect, ...] = ()
    for grant in books.grants:
        if grant.id in lots:
            after, step = catch_up(grant, at, later.get(grant.id, 0))
            effects += step
            books = with_changes(books, (after,))
    return books, effects
