"""Auto top-up at work: the books that its rule looks at, the price of the day, and the commands that switch it.

What wakes it stands elsewhere (`apply` for decisions, the spend door for uses, `reconcile` for what was lost) and may
wake it too often: the rule says what there is to do.
"""

from collections.abc import Callable
from datetime import datetime

from counterfoil.core import agreements, auto_topup
from counterfoil.core.agreed import AutoTopup, NoPrice, Price, Step, Terms, month_of
from counterfoil.core.books import Books
from counterfoil.core.catalogue import NotOnSale, Wanted, offer
from counterfoil.core.effects import Decision
from counterfoil.core.ids import AutoTopupId, NewId, WalletId
from counterfoil.core.money import ServiceUnit
from counterfoil.core.papers import PaperKind
from counterfoil.engine.limits import read_limits
from counterfoil.engine.load import Scope, Topups, load_books
from counterfoil.store import auto_topups, catalogue, numbers
from counterfoil.store.database import Tx


def scope(wallet: str, now: datetime) -> Scope:
    """Say what of a customer's books an auto top-up looks at."""
    return Scope(topups=Topups((wallet,), month_of(now)))


def decide_look(tx: Tx, customer: str, topup: str, now: datetime, new_id: NewId) -> Decision:
    """Ask the rule, by the books as they are now."""
    (policy,) = auto_topups.by_id(tx, (topup,))
    books = load_books(tx, customer, scope(policy.wallet, now))
    assert books is not None, "an auto top-up whose customer is gone"
    # As they are under the lock: the terms may have changed before it was taken.
    (policy,) = (each for each in books.topups if each.id == topup)
    price = price_of(tx, books, policy.wallet, _step(policy), policy.currency)

    def number() -> str:
        return numbers.take(tx, PaperKind.INVOICE)

    limits = read_limits(tx, customer, catalogue.policy(tx), policy.currency, now)
    return auto_topup.decide_look(books, AutoTopupId(topup), price, number, now, new_id, limits)


def _step(policy: AutoTopup) -> Step:
    return Step(policy.pack, policy.quantity, policy.price_minor)


def decide_set(
    tx: Tx, books: Books, wallet: str, terms_in: Callable[[ServiceUnit], Terms], now: datetime, new_id: NewId
) -> Decision:
    """Ask the rule about new terms, which count in the wallet's unit."""
    unit = next(each.unit for each in books.wallets if each.id == wallet)
    terms = terms_in(unit)
    price = price_of(tx, books, wallet, terms.step, terms.currency)
    return agreements.decide_set(books, WalletId(wallet), terms, price, now, new_id)


def price_of(tx: Tx, books: Books, wallet: str, step: Step, currency: str) -> Price | NoPrice:
    """Give what a step is today, or why it can't be bought."""
    if step.quantity is not None and step.price_minor is not None:
        return Price(step.quantity, step.price_minor)
    unit = next(each.unit for each in books.wallets if each.id == wallet)
    sold = offer(catalogue.read(tx), unit, Wanted(pack=step.pack, currency=currency))
    if isinstance(sold, NotOnSale):
        return NoPrice(sold.code, sold.sentence)
    return Price(
        quantity=sold.quantity,
        net_minor=sold.net.minor,
        fee_minor=sold.fee_minor,
        pack=sold.pack,
        pack_version=sold.pack_version,
        expires_after_s=sold.expires_after_s,
        priority=sold.priority,
        features=sold.features,
    )
