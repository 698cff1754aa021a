"""Commands about purchases that the provider collects by its own invoices."""

from dataclasses import dataclass

from counterfoil.core import given_up, topups
from counterfoil.core.books import Books
from counterfoil.core.bought import Collector, Purchase, Settlement
from counterfoil.core.effects import Decision
from counterfoil.core.ids import MethodId, PurchaseId, WalletId
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.engine import looks
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked, no_books, owner_of
from counterfoil.store import subjects
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain


@dataclass(frozen=True, slots=True)
class TopUp:
    """Credits as they are asked for: scaled units of the wallet, and minor units of the currency."""

    wallet: str
    quantity: int
    currency: str
    net_minor: int
    fee_minor: int = 0
    method: str | None = None
    description: str = ""


def top_up(asked: Asked, customer: str, wanted: TopUp) -> Result:
    """Buy credits by an invoice of the provider's own."""
    identity = PurchaseId(asked.house.new_id("purchase"))

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return no_books("customer", customer)
        about = subjects.orders(tx, [customer])
        return topups.decide_top_up(books, _purchase(books, identity, wanted, moment), about, moment.now, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(202, plain(looks.purchase(tx, identity)))

    return run(asked.house, asked.tenant, asked.request, Plan(customer, Scope(), decide, answer, awaits=_nothing))


def give_up(asked: Asked, purchase: str) -> Result:
    """Give a purchase up that is not paid; what the provider made for it is taken back."""
    customer = owner_of(asked, "purchase", purchase)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return no_books("purchase", purchase)
        return given_up.decide_give_up(books, PurchaseId(purchase), moment.now, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(202, plain(looks.purchase(tx, purchase)))

    plan = Plan(customer, Scope(purchases=(purchase,)), decide, answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


def _purchase(books: Books, identity: PurchaseId, wanted: TopUp, moment: Moment) -> Purchase:
    return Purchase(
        id=identity,
        customer=books.customer.id,
        account=books.customer.account,
        wallet=WalletId(wanted.wallet),
        settlement=Settlement.INVOICE,
        collector=Collector.PROVIDER,
        status=PurchaseStatus.PENDING,
        quantity=wanted.quantity,
        currency=wanted.currency,
        net_minor=wanted.net_minor,
        fee_minor=wanted.fee_minor,
        method=MethodId(wanted.method) if wanted.method else None,
        description=wanted.description,
        created_at=moment.now,
    )


def _nothing(applied: Applied) -> None:
    return None
