"""Starting a purchase that the provider collects by an invoice of its own.

Everything that can be refused is refused before any object exists at the provider. The purchase, its invoice and its
lines are on the books before the provider is asked for anything.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core import provider_invoices
from counterfoil.core.books import Books, Customer, Invoice, Line, LineKind, default_method
from counterfoil.core.bought import Collector, Purchase
from counterfoil.core.effects import Act, Change, Decision, Effect, Instruct, Notify, Reason, Refuse, Why
from counterfoil.core.ids import InvoiceId, LineId, NewId, OrderId
from counterfoil.core.lifecycle import InvoiceStatus, OrderStatus, PaymentStatus, WalletStatus
from counterfoil.core.orders import CreateCustomer, Order

RULE: Final = "start-top-up@1"


def decide_top_up(
    books: Books, purchase: Purchase, about: Iterable[Order], now: datetime, new_id: NewId, *, may_create: bool = True
) -> Decision:
    """Start a purchase, or say why it can't be. `about` are the orders about the customer itself.

    `may_create` says whether a customer without an id at the provider gets one.
    """
    orders = tuple(about)
    refusal = _refusal(books, purchase, may_create=may_create or bool(books.customer.provider_ref))
    if refusal:
        return refusal
    effects = (*_customer(books.customer, purchase, orders, now, new_id), *start(purchase, now, new_id))
    bought = purchase.gross
    sentence = f"A purchase for {bought} was written down; the provider is asked for an invoice of its own."
    inputs: dict[str, str | int | bool | None] = {"price_minor": bought.minor, "currency": bought.currency}
    return Act(Why(RULE, Reason.PURCHASE_MADE, sentence, (purchase.id, purchase.customer), inputs), effects)


def _refusal(books: Books, purchase: Purchase, *, may_create: bool) -> Refuse | None:
    customer = books.customer
    if customer.paused:
        return _no(Reason.CUSTOMER_PAUSED, "This customer is paused by a person; nothing is collected until resumed.")
    if customer.deleted_at_provider or not may_create:
        sentence = "This customer has no id at the provider that could be charged; create the customer there first."
        return _no(Reason.STRIPE_CUSTOMER_NOT_CONFIGURED, sentence, "customer")
    if customer.currency not in (None, purchase.currency):
        sentence = f"The provider bills this customer in {customer.currency} only, for ever; buy in that currency."
        return _no(Reason.CURRENCIES_DIFFER, sentence, "currency")
    wallet = next((each for each in books.wallets if each.id == purchase.wallet), None)
    if wallet is None or wallet.status is not WalletStatus.ACTIVE:
        return _no(Reason.WALLET_NOT_ACTIVE, "Credits are bought into an active wallet of the customer.", "wallet")
    return _method_refusal(books, purchase)


def _method_refusal(books: Books, purchase: Purchase) -> Refuse | None:
    if purchase.method is None:
        sentence = "This customer has no saved payment method; add one first."
        return None if default_method(books) else _no(Reason.NO_PAYMENT_METHOD, sentence, "payment_method")
    named = next((each for each in books.methods if each.id == purchase.method), None)
    if named is None or not named.attached:
        sentence = f"Payment method {purchase.method} is not saved for this customer; choose another."
        return _no(Reason.METHOD_NOT_USABLE, sentence, "payment_method")
    return None


def _customer(
    customer: Customer, purchase: Purchase, orders: tuple[Order, ...], now: datetime, new_id: NewId
) -> tuple[Effect, ...]:
    """Fix the customer's currency, and have the customer made at the provider where that is not under way."""
    effects: tuple[Effect, ...] = ()
    if customer.currency is None:
        effects += (Change(customer, replace(customer, currency=purchase.currency)),)
    is_being_made = any(each.open and isinstance(each.instruction, CreateCustomer) for each in orders)
    if customer.provider_ref is None and not is_being_made:
        create = CreateCustomer(customer.id)
        identity = OrderId(new_id("order"))
        order = Order(identity, customer.account, customer.id, customer.id, create, OrderStatus.QUEUED, now)
        effects += (Instruct(order),)
    return effects


def start(purchase: Purchase, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Write a purchase down, with the invoice that mirrors the provider's and its lines, and order the draft."""
    invoice = Invoice(
        id=InvoiceId(new_id("invoice")),
        customer=purchase.customer,
        account=purchase.account,
        currency=purchase.currency,
        status=InvoiceStatus.DRAFT,
        payment_status=PaymentStatus.PENDING,
        created_at=now,
        total_minor=purchase.gross_minor,
        description=purchase.description,
        collector=Collector.PROVIDER,
    )
    lines = _lines(purchase, invoice, new_id)
    billed = replace(purchase, collector=Collector.PROVIDER, invoice=invoice.id, line=lines[0].id)
    data: dict[str, str | int] = {"total_minor": purchase.gross_minor, "currency": purchase.currency}
    return (
        Change(None, billed),
        Change(None, invoice),
        *(Change(None, line) for line in lines),
        Notify(f"purchase.initiated:{billed.id}", "purchase.initiated", billed.customer, billed.id, data),
        *provider_invoices.begin(billed, invoice, lines[0], now, new_id),
    )


def _lines(purchase: Purchase, invoice: Invoice, new_id: NewId) -> tuple[Line, ...]:
    words = purchase.description or "Credits"
    bought = Line(
        id=LineId(new_id("line")),
        invoice=invoice.id,
        position=0,
        kind=LineKind.CREDIT_PURCHASE,
        description=words,
        net_minor=purchase.net_minor,
        tax_minor=purchase.tax_minor,
        taxes=purchase.taxes,
        purchase=purchase.id,
    )
    if not purchase.fee_minor:
        return (bought,)
    fee = replace(
        bought,
        id=LineId(new_id("line")),
        position=1,
        kind=LineKind.FEE,
        description=f"Fee for {words}",
        net_minor=purchase.fee_minor,
        tax_minor=0,
    )
    return (bought, fee)


def _no(reason: Reason, sentence: str, param: str | None = None) -> Refuse:
    return Refuse(Why(RULE, reason, sentence), param)
