"""Use that did not happen after all: a spend is taken back, whole or in part, the way it came.

What was drawn last comes back first: what was given away is gone, what was owed is owed no more, and lots get their
share back. A lot that has ended since keeps nothing: its share ends with it, so that breakage stays breakage. The spend
itself stays in the journal as it was written; the correction is a new entry that names it, and all corrections of a
spend together are never more than the spend.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import journal
from counterfoil.core.books import Books, Grant, Wallet, with_changes
from counterfoil.core.credits import settle_debt
from counterfoil.core.effects import Act, Change, Decision, Effect, Notify, Post, Reason, Refuse, Why, changes_of
from counterfoil.core.ids import GrantId, SpendId, WalletId
from counterfoil.core.journal import Returned
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.core.money import plain
from counterfoil.core.recognition import catch_up
from counterfoil.core.wallets import end_lot

CORRECT: Final = "correct-spend@1"
LOT: Final = "grant:"


@dataclass(frozen=True, slots=True)
class Spent:
    """A spend as the journal holds it: so much of each account in draw order, and what was taken back of it so far.

    `covers` are the lots that paid for what the wallet owed, the latest first, each with how much.
    """

    id: SpendId
    wallet: WalletId
    draws: tuple[tuple[str, int], ...]
    corrected: int = 0
    corrections: int = 0
    covers: tuple[tuple[GrantId, int], ...] = ()

    @property
    def left(self) -> int:
        """What can still be taken back."""
        return sum(amount for _, amount in self.draws) - self.corrected


def going_back(draws: Iterable[tuple[str, int]], before: int, quantity: int) -> list[tuple[str, int]]:
    """Give what comes back of each account, the last drawn first, after `before` of the spend came back already."""
    back = []
    for account, amount in reversed(tuple(draws)):
        gone = min(before, amount)
        part = min(amount - gone, quantity)
        before, quantity = before - gone, quantity - part
        if part:
            back.append((account, part))
    return back


def decide_correct(books: Books, spent: Spent, quantity: int | None, now: datetime) -> Decision:
    """Take `quantity` scaled units of a spend back, None for all that is left of it."""
    wallet = next(each for each in books.wallets if each.id == spent.wallet)
    wanted = spent.left if quantity is None else quantity
    refusal = _refusal(wallet, spent, wanted)
    if refusal:
        return refusal
    back = going_back(spent.draws, spent.corrected, wanted)
    returned = _return(wallet, spent, back)
    changed = _after(books, wallet, returned, now)
    owner, amount = books.customer.id, f"{plain(wanted, wallet.unit.scale)} {wallet.unit.code}"
    data: dict[str, str | int] = {"wallet": wallet.id, "amount": wanted, "unit": wallet.unit.code}
    key = f"spend.corrected:{spent.id}:{spent.corrections + 1}"
    why = Why(CORRECT, Reason.SPEND_CORRECTED, f"{amount} of the spend were taken back.", (spent.id, wallet.id, owner))
    posted = Post(journal.spend_corrected(spent.id, spent.corrections + 1, wallet, returned, now))
    return Act(why, (posted, *changed, Notify(key, "spend.corrected", owner, spent.id, data)))


def _refusal(wallet: Wallet, spent: Spent, wanted: int) -> Refuse | None:
    about = (spent.id, wallet.id)
    if spent.left == 0:
        return Refuse(Why(CORRECT, Reason.SPEND_TAKEN_BACK, "All of this spend was taken back before.", about))
    if wallet.status is WalletStatus.CLOSED:
        return Refuse(Why(CORRECT, Reason.WALLET_NOT_ACTIVE, "The wallet is closed.", about), "spend")
    if not 0 < wanted <= spent.left:
        left = f"{plain(spent.left, wallet.unit.scale)} {wallet.unit.code}"
        sentence = f"At most {left} of this spend can be taken back, and more than nothing."
        return Refuse(Why(CORRECT, Reason.INVALID_REQUEST, sentence, about), "amount")
    return None


def _return(wallet: Wallet, spent: Spent, back: list[tuple[str, int]]) -> Returned:
    """Say where each part goes: what is owed is owed no more, and what lots paid of a debt since goes back to them."""
    lots = tuple((GrantId(account[len(LOT) :]), amount) for account, amount in back if account.startswith(LOT))
    given = sum(amount for account, amount in back if account == str(journal.WRITTEN_OFF))
    owed = sum(amount for _, amount in back) - given - sum(amount for _, amount in lots)
    forgiven = min(owed, wallet.debt)
    uncovered, left = [], owed - forgiven
    for lot, amount in spent.covers:
        part = min(left, amount)
        if part:
            uncovered.append((lot, part))
        left -= part
    return Returned(lots, forgiven, tuple(uncovered), given, left)


def _after(books: Books, wallet: Wallet, returned: Returned, now: datetime) -> tuple[Effect, ...]:
    """Give the wallet and the lots what came back and let end what has ended; what is free then covers what is owed."""
    after = replace(wallet, debt=wallet.debt - returned.owed)
    effects: tuple[Effect, ...] = (Change(wallet, after),) if returned.owed else ()
    books = with_changes(books, (after,))
    for identity, quantity in (*returned.lots, *returned.uncovered):
        lot = next(each for each in books.grants if each.id == identity)
        step = _put_back(lot, after, quantity, now)
        effects += step
        books = with_changes(books, changes_of(step))
    return (*effects, *settle_debt(books, wallet.id, now))


def _put_back(lot: Grant, wallet: Wallet, quantity: int, now: datetime) -> tuple[Effect, ...]:
    back = replace(lot, remaining=lot.remaining + quantity)
    caught_up, recognised = catch_up(back, now)
    ended = end_lot(caught_up, caught_up, wallet, now) if back.over_at(now) else ()
    return (Change(lot, back), *recognised, *ended)
