"""What a refund or a lost dispute takes back of the credits that were bought: in proportion, once, and never twice.

Of a lot, granted × refunded ÷ gross is to be taken back in all; each refund takes the difference to what was taken
before, so that partial refunds add up to the lot and the last one takes the rest. The unspent part of that lot goes
first. What was spent is owed by the wallet, or forgiven, as its terms say; what expired before is gone already, and is
neither. Every lot that a purchase brought is taken back by itself, so that a bonus goes in proportion too.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from counterfoil.core import journal
from counterfoil.core.books import Books, Grant, Wallet, with_changes
from counterfoil.core.credits import settle_debt
from counterfoil.core.effects import Change, Effect, Post
from counterfoil.core.journal import Account, Clawed
from counterfoil.core.money import share
from counterfoil.core.recognition import catch_up, owed_no_more
from counterfoil.core.terms import Shortfall


def quantity_due(granted: int, gross_minor: int, refunded_minor: int, clawed: int) -> int:
    """Give how much of a lot is still to be taken back, in scaled units.

    `refunded_minor` is all that was refunded of the `gross_minor` that was paid, this refund included; `clawed` is what
    earlier refunds took of the lot. Taxes and fees are paid and refunded with the rest, so the share is of the gross.
    """
    return share(granted, min(refunded_minor, gross_minor), gross_minor) - clawed


def net_due(net_minor: int, gross_minor: int, refunded_minor: int, returned_minor: int) -> int:
    """Give how much of the price of the goods this refund gives back, in minor units: the same share of the net."""
    return share(net_minor, min(refunded_minor, gross_minor), gross_minor) - returned_minor


@dataclass(frozen=True, slots=True)
class Cause:
    """Where the price of what is taken back goes, and which account bears what was earned of it already.

    A refund: to `refund_due`, borne by `revenue`. A lost dispute: to `disputed`, borne by `dispute_losses`.
    """

    to: Account
    borne_by: Account


REFUND = Cause(journal.REFUND_DUE, journal.REVENUE)
DISPUTE_LOST = Cause(journal.DISPUTED, journal.DISPUTE_LOSSES)


def claw_back(lot: Grant, wallet: Wallet, quantity: int) -> Clawed:
    """Take `quantity` of a lot back: the lot and the wallet after it, and where it came from. The lot is recognised."""
    taken = min(quantity, lot.free)
    # What was used and corrected since is unspent again.
    spent = min(quantity - taken, max(0, lot.used + lot.held - lot.clawed))
    after = replace(
        lot, remaining=lot.remaining - taken, gone=lot.gone + taken, clawed=lot.clawed + spent, steps=lot.steps + 1
    )
    price = owed_no_more(after) - after.released_minor
    owed = _owed(wallet, spent)
    return Clawed(
        lot=replace(after, released_minor=after.released_minor + price),
        wallet=replace(wallet, debt=wallet.debt + owed),
        taken=taken,
        owed=owed,
        forgiven=spent - owed,
        lapsed=quantity - taken - spent,
        price_minor=price,
    )


def _owed(wallet: Wallet, spent: int) -> int:
    match wallet.shortfall:
        case Shortfall.DEBT:
            return spent
        case Shortfall.FORGIVE:
            return 0
        case _:
            assert_never(wallet.shortfall)


def clawed(
    books: Books, lot: Grant, quantity: int, net_minor: int, cause: Cause, at: datetime
) -> tuple[Clawed, tuple[Effect, ...]]:
    """Take a lot back for a refund or a dispute that gives `net_minor` of its price back: what became of it, and what
    to write. For a free lot (a bonus) `net_minor` is 0.

    What is owed then is covered by the wallet's other lots as far as they go. Nothing of it depends on when the money
    moves: post that beside it, out of `cause.to`.
    """
    wallet = next(each for each in books.wallets if each.id == lot.wallet)
    recognised, effects = catch_up(lot, at)
    step = claw_back(recognised, wallet, quantity)
    entry = journal.clawed(step, net_minor, cause.to, cause.borne_by, at)
    if entry is None:
        return step, effects
    owing: tuple[Effect, ...] = (Change(wallet, step.wallet),) if step.owed else ()
    after = with_changes(books, (step.lot, step.wallet))
    covering = settle_debt(after, wallet.id, at) if step.owed else ()
    return step, (*effects, Change(recognised, step.lot), *owing, Post(entry), *covering)
