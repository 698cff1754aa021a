"""When the price of a lot is earned: as the lot is used, floor(cost × used ÷ amount), and neither sooner nor twice.

What was sold is owed as service until then. The use itself posts no money; what it has earned is posted as the
difference to what was posted before, every hour and always before a lot is paid with, ends, or is taken back. So the
parts of a lot's price (earned, breakage, due back, still owed) add up to it at any moment, and its last unit takes the
rest.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from counterfoil.core import journal
from counterfoil.core.books import Books, Grant, with_changes
from counterfoil.core.effects import Change, Effect, Post
from counterfoil.core.journal import Recognised
from counterfoil.core.money import share


def owed_no_more(grant: Grant) -> int:
    """Give how much of a lot's price stands for what has left the lot: used, expired or taken back. Minor units."""
    return share(grant.cost_minor, grant.amount - grant.remaining, grant.amount)


def recognise(grant: Grant) -> Recognised | None:
    """Bring what was posted of a lot's price up to its use. None when it is.

    When use was taken back it is less than was posted: then revenue gives the difference back, in an entry of its own.
    """
    minor = owed_no_more(grant) - grant.released_minor
    if minor == 0:
        return None
    return Recognised(replace(grant, released_minor=grant.released_minor + minor, steps=grant.steps + 1), minor)


def catch_up(grant: Grant, at: datetime) -> tuple[Grant, tuple[Effect, ...]]:
    """Recognise a lot before something else is done with it: the lot after it, and what to write."""
    recognised = recognise(grant)
    if recognised is None:
        return grant, ()
    return recognised.lot, (Change(grant, recognised.lot), Post(journal.recognised(recognised, at)))


def catch_up_all(books: Books, lots: Collection[str], at: datetime) -> tuple[Books, tuple[Effect, ...]]:
    """Recognise some lots of the books: the books after it, and what to write."""
    effects: tuple[Effect, ...] = ()
    for grant in books.grants:
        if grant.id in lots:
            after, step = catch_up(grant, at)
            effects += step
            books = with_changes(books, (after,))
    return books, effects
