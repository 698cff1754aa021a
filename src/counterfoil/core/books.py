"""What we hold: our own subjects, as the rules see them. Plain values; a rule returns changed copies.

Amounts are minor units of the subject's currency; quantities are scaled units of the wallet's service unit; times are
aware UTC. The subjects of credits stand in `promises` and are named here with the others. Ids only: names, addresses
and raw bodies live in tables of their own that can be erased.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from counterfoil.core.agreed import AutoTopup
from counterfoil.core.bought import Collector, PendingLine, Purchase
from counterfoil.core.contested import Dispute
from counterfoil.core.facts import ActionKind
from counterfoil.core.ids import (
    AccountId,
    CaseId,
    CustomerId,
    GrantId,
    InvoiceId,
    LegId,
    LineId,
    MethodId,
    PaymentId,
    ProviderRef,
    PurchaseId,
    SalesOrderId,
    WalletId,
)
from counterfoil.core.lifecycle import (
    CaseStatus,
    InvoiceStatus,
    LegStatus,
    PaymentStatus,
)
from counterfoil.core.money import Money
from counterfoil.core.ordered import SalesOrder
from counterfoil.core.orders import Order
from counterfoil.core.paid_out import Payout
from counterfoil.core.promises import FREE_SOURCES as FREE_SOURCES
from counterfoil.core.promises import Grant as Grant
from counterfoil.core.promises import GrantSource as GrantSource
from counterfoil.core.promises import Hold as Hold
from counterfoil.core.promises import Wallet as Wallet
from counterfoil.core.refunded import CreditNote, Refund
from counterfoil.core.tax import Tax
from counterfoil.core.terms import UNDECLARED, ClaimStatus, CollectionPolicy


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays. `provider_ref` is its id at the provider account, None until one was made or named.

    `erased_at` is when its personal data were erased; they never come back. `currency` is the one that the provider
    bills in, once it has billed this customer anything. The application says of it that its address is its
    own (`email_verified`) and, where there is one, why nothing is to be sold to it (`risk`).
    """

    id: CustomerId
    account: AccountId
    created_at: datetime
    external_id: str | None = None
    provider_ref: ProviderRef | None = None
    paused: bool = False
    deleted_at_provider: bool = False
    erased_at: datetime | None = None
    currency: str | None = None
    email_verified: bool = False
    risk: str | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A saved way to pay. A detached one stays on record and can't be charged."""

    id: MethodId
    customer: CustomerId
    account: AccountId
    provider_ref: ProviderRef
    kind: str
    created_at: datetime
    brand: str | None = None
    last4: str | None = None
    expires: str | None = None
    fingerprint: str | None = None
    country: str | None = None
    is_default: bool = False
    attached: bool = True


class LineKind(StrEnum):
    """What an invoice line is for; it decides which account earns it."""

    FLAT_FEE = "flat_fee"
    GOODS = "goods"
    FEE = "fee"
    CREDIT_PURCHASE = "credit_purchase"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice: net plus tax, in minor units. Tax is given, never computed here."""

    id: LineId
    invoice: InvoiceId
    position: int
    kind: LineKind
    description: str
    net_minor: int
    tax_minor: int = 0
    purchase: PurchaseId | None = None
    """The purchase that this line bills, or whose fee it is."""
    returned_net_minor: int = 0  # what of its price, and of its tax, refunds and credit notes gave back
    returned_tax_minor: int = 0
    taxes: tuple[Tax, ...] = ()
    """What `tax_minor` is made of, where that was said."""

    @property
    def gross_minor(self) -> int:
        """What the customer owes for this line."""
        return self.net_minor + self.tax_minor


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a customer owes. `paid_minor` is what settled legs paid; due = total − paid, never below zero.

    `collect_at_due` asks the scheduler to launch the payment when `due_at` comes. One that the provider collects
    mirrors its invoice `provider_ref`: its number is the provider's, and the provider's coupons took `discount_minor`
    off its lines; total = lines − discount. `void_asked_at`: it is void as soon as its last collector has ended.
    `credited_minor` of the debt came off by credit notes.
    """

    id: InvoiceId
    customer: CustomerId
    account: AccountId
    currency: str
    status: InvoiceStatus
    payment_status: PaymentStatus
    created_at: datetime
    total_minor: int = 0
    paid_minor: int = 0
    number: str | None = None
    description: str = ""
    due_at: datetime | None = None
    collect_at_due: bool = False
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    paid_with: str | None = None
    voided_at: datetime | None = None
    collector: Collector = Collector.OURS
    provider_ref: ProviderRef | None = None
    discount_minor: int = 0
    void_asked_at: datetime | None = None
    credited_minor: int = 0
    sales_order: SalesOrderId | None = None
    """The order that sells what it bills."""

    @property
    def due_minor(self) -> int:
        """What is still owed. A draft and a void invoice owe nothing."""
        if self.status in (InvoiceStatus.DRAFT, InvoiceStatus.VOID):
            return 0
        return self.total_minor - self.credited_minor - self.paid_minor

    @property
    def due(self) -> Money:
        """What is still owed, as money."""
        return Money(self.due_minor, self.currency)


class LegKind(StrEnum):
    """What a leg pays with."""

    CREDIT = "credit"
    PROVIDER = "provider"
    BALANCE = "balance"
    """The customer's balance: ours pays our invoices, the one at the provider its own, which it applies itself."""
    EXTERNAL = "external"
    """Money that somebody else took, of which we, or the provider, were only told."""


class Confirmation(StrEnum):
    """Who confirms the provider's payment: our worker, or the customer's browser with the client secret."""

    SERVER = "server"
    CLIENT = "client"
    HOSTED = "hosted"
    """The customer, on a hosted page of the provider that we made for it."""
    HOST = "host"
    """The host application made the provider's object and confirms it itself; we only watch."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a payment: so much of one or several invoices, by one means.

    A credit leg names its wallet and draws `quantity` units. A provider leg names the method and, once known, the
    provider's object; `received_minor` is what the provider collected, `charge_ref` proves it and `means` says in words
    from what, which need not be the method that was asked for. `claim` is None for an object that we made ourselves.
    `reference` names money that somebody else took, as the bank or the cashier names it.
    """

    id: LegId
    payment: PaymentId
    kind: LegKind
    status: LegStatus
    amount_minor: int
    currency: str
    created_at: datetime
    position: int = 0
    wallet: WalletId | None = None
    quantity: int = 0
    account: AccountId | None = None
    method: MethodId | None = None
    provider_ref: ProviderRef | None = None
    charge_ref: ProviderRef | None = None
    received_minor: int = 0
    refusal_code: str | None = None
    refusal_text: str | None = None
    action_url: str | None = None
    action: ActionKind | None = None
    """What the customer has to do while the leg waits for them, None where that is up to a browser."""
    settled_at: datetime | None = None
    means: str | None = None
    claim: ClaimStatus | None = None
    reference: str | None = None
    refunded_minor: int = 0  # of what was received: what goes back, or went
    session_ref: ProviderRef | None = None
    """The hosted checkout that we made for it. Its payment is `provider_ref`, once the customer has begun to pay."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """How much of one invoice a leg is to pay."""

    leg: LegId
    invoice: InvoiceId
    minor: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Our attempt to collect one or several invoices of one customer. Tries are legs of the same payment."""

    id: PaymentId
    customer: CustomerId
    account: AccountId
    status: PaymentStatus
    amount_minor: int
    currency: str
    created_at: datetime
    confirmation: Confirmation = Confirmation.SERVER
    method: MethodId | None = None
    settled_at: datetime | None = None
    return_url: str | None = None
    """Where the provider's page sends the customer back to."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question for a person."""

    id: CaseId
    question: str
    subject: str
    detail: str
    opened_at: datetime
    status: CaseStatus = CaseStatus.OPEN
    customer: CustomerId | None = None
    resolved_at: datetime | None = None
    resolution: str | None = None


Subject: TypeAlias = (
    Customer
    | Method
    | Wallet
    | Grant
    | Hold
    | Line
    | Invoice
    | Payment
    | Leg
    | Case
    | Order
    | Purchase
    | PendingLine
    | AutoTopup
    | Refund
    | CreditNote
    | SalesOrder
    | Dispute
    | Payout
)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything of one customer that a rule may look at, read under that customer's lock.

    The tuples are ordered by id. `method_by_ref` and friends are answered by the small functions below, so that a rule
    never depends on the order in which rows were read.
    """

    customer: Customer
    methods: tuple[Method, ...] = ()
    wallets: tuple[Wallet, ...] = ()
    grants: tuple[Grant, ...] = ()
    holds: tuple[Hold, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    lines: tuple[Line, ...] = ()
    payments: tuple[Payment, ...] = ()
    legs: tuple[Leg, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    orders: tuple[Order, ...] = ()
    purchases: tuple[Purchase, ...] = ()
    topups: tuple[AutoTopup, ...] = ()
    """The policies that bought these purchases, or that the news is about."""
    pending_lines: tuple[PendingLine, ...] = ()
    """Lines that wait for their invoice date, where they were asked for."""
    refunds: tuple[Refund, ...] = ()
    """Those of the legs and purchases, where they were asked for."""
    sales_orders: tuple[SalesOrder, ...] = ()
    """The orders that sell what these invoices bill, or that were asked for."""
    disputes: tuple[Dispute, ...] = ()  # those of the legs, where they were asked for
    paid: tuple[tuple[LegId, int], ...] = ()
    """What of the money of these legs paid invoices, in minor units, where their refunds were asked for."""
    covers: tuple[tuple[GrantId, int], ...] = ()
    """Lots that paid for what wallets owed, the latest first, and how much, where refunds were asked for."""
    suspense: tuple[tuple[ProviderRef, int], ...] = ()
    """Provider objects whose money waits in suspense, and how much of it, in minor units."""
    questions: frozenset[tuple[str, str]] = frozenset()
    """Questions that were put to a person before, each with its subject."""
    cases: tuple[Case, ...] = ()
    """Those that are open and are about money in suspense, or about these disputes."""
    charged: frozenset[ProviderRef] = frozenset()
    """Balance transactions whose fee is already booked."""
    balances: tuple[tuple[str, int], ...] = ()
    """Money kept for the customer that nothing reserves, per currency, where it was asked for."""
    policy: CollectionPolicy = UNDECLARED


def invoice_of(books: Books, invoice: InvoiceId) -> Invoice | None:
    """Find an invoice of this customer."""
    return next((each for each in books.invoices if each.id == invoice), None)


def payment_of(books: Books, payment: PaymentId) -> Payment | None:
    """Find a payment of this customer."""
    return next((each for each in books.payments if each.id == payment), None)


def legs_of(books: Books, payment: PaymentId) -> tuple[Leg, ...]:
    """Give a payment's legs in the order they were made."""
    own = (leg for leg in books.legs if leg.payment == payment)
    return tuple(sorted(own, key=lambda leg: (leg.position, leg.id)))


def leg_by_id(books: Books, leg: LegId) -> Leg | None:
    """Find a leg."""
    return next((each for each in books.legs if each.id == leg), None)


def leg_by_ref(books: Books, ref: ProviderRef) -> Leg | None:
    """Find the leg whose handle at the provider this is."""
    return next((leg for leg in books.legs if ref in (leg.provider_ref, leg.session_ref)), None)


def allocations_of(books: Books, leg: LegId) -> tuple[Allocation, ...]:
    """Give what a leg is to pay, in invoice order."""
    return tuple(each for each in books.allocations if each.leg == leg)


def purchase_of(books: Books, purchase: PurchaseId) -> Purchase | None:
    """Find a purchase of this customer."""
    return next((each for each in books.purchases if each.id == purchase), None)


def payments_for(books: Books, invoice: InvoiceId) -> tuple[Payment, ...]:
    """Give the payments that have a leg for this invoice."""
    legs = {each.leg for each in books.allocations if each.invoice == invoice}
    payments = {leg.payment for leg in books.legs if leg.id in legs}
    return tuple(each for each in books.payments if each.id in payments)


def default_method(books: Books) -> Method | None:
    """Give the method to charge when none was named: the default one, else the oldest that is still attached."""
    attached = [method for method in books.methods if method.attached]
    return min(attached, key=lambda method: (not method.is_default, method.created_at, method.id), default=None)


def with_changes(books: Books, changes: Iterable[Subject]) -> Books:
    """Give the books as they would be after these changes, so that one rule can build on another's result."""
    for after in changes:
        if isinstance(after, Customer):
            books = replace(books, customer=after)
        elif shelf := SHELVES.get(type(after)):
            kept = [each for each in getattr(books, shelf) if each.id != after.id]
            shelved: dict[str, Any] = {shelf: tuple(sorted([*kept, after], key=lambda each: each.id))}
            books = replace(books, **shelved)
    return books


SHELVES: Final[dict[type, str]] = {
    Method: "methods",
    Wallet: "wallets",
    Grant: "grants",
    Hold: "holds",
    Line: "lines",
    Invoice: "invoices",
    Payment: "payments",
    Leg: "legs",
    Order: "orders",
    Purchase: "purchases",
    AutoTopup: "topups",
    PendingLine: "pending_lines",
    Refund: "refunds",
    SalesOrder: "sales_orders",
    Dispute: "disputes",
}
