"""The stories that explain and the pages are tested with, played through the real house."""

from dataclasses import dataclass
from datetime import timedelta

from counterfoil.core.books import GrantSource, LineKind
from counterfoil.core.ids import InvoiceId, WalletId
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.core.wallets import Issue
from counterfoil.engine import operations
from houses import ONE_CREDIT, World, body_of


@dataclass(frozen=True, slots=True)
class EitherFirst:
    """Ids of the story: $100, 30 of it by credits and 70 by card, told twice and in the wrong order."""

    customer: str
    wallet: str
    invoice: str
    payment: str


def either_first(world: World) -> EitherFirst:
    """Play it: every webhook of the payment comes twice, the newest first."""
    customer = a_customer(world, "Dana")
    wallet = funded(world, customer, 30)
    world.clock.step(timedelta(minutes=1))
    invoice = billed(world, customer, 10_000)
    world.clock.step(timedelta(minutes=1))
    launched = operations.pay(world.ask("POST /v1/payments", "checkout-1"), Launch((InvoiceId(invoice),)))
    while world.work():
        world.clock.step(timedelta(seconds=1))
    for _ in range(2):
        hear_backwards(world)
    world.pump()
    assert launched.awaits is not None
    return EitherFirst(customer, wallet, invoice, launched.awaits)


def a_customer(world: World, name: str, token: str = "pm_card_visa") -> str:
    """A customer with a saved card, who is known at the provider."""
    wanted = operations.NewCustomer(external_id=name.lower(), name=name, email=f"{name.lower()}@example.com")
    customer: str = body_of(operations.create_customer(world.ask("POST /v1/customers"), wanted))["id"]
    route = "POST /v1/customers/{customer}/payment-methods"
    operations.add_method(world.ask(route), customer, token, make_default=True)
    world.pump()
    return customer


def funded(world: World, customer: str, whole: int) -> str:
    """A wallet with one lot, bought at its face value."""
    wallet: str = body_of(operations.open_wallet(world.ask("POST /v1/wallets"), customer, "usd-credit"))["id"]
    issue = Issue(WalletId(wallet), GrantSource.PURCHASE, whole * ONE_CREDIT, whole * 100, None, world.clock.now())
    body_of(operations.issue_grant(world.ask("POST /v1/wallets/{wallet}/grants"), customer, issue))
    return wallet


def billed(world: World, customer: str, minor: int, what: str = "Pro plan, June") -> str:
    """A finalized invoice of one line."""
    lines = (NewLine(LineKind.FLAT_FEE, what, minor),)
    wanted = operations.NewInvoice(customer, "USD", lines)
    invoice: str = body_of(operations.create_invoice(world.ask("POST /v1/invoices"), wanted))["id"]
    body_of(operations.finalize_invoice(world.ask("POST /v1/invoices/{invoice}/finalize"), invoice))
    return invoice


def hear_backwards(world: World) -> None:
    """Hand in what the provider has to tell, newest first and each twice, and let it be decided."""
    told = world.sandbox.due_deliveries()
    for attempt in reversed(told):
        world.clock.step(timedelta(seconds=1))
        assert world.hand_in(attempt)
        assert world.hand_in(attempt)
        world.sandbox.record_attempt(attempt.delivery, 200)
        world.work()
