"""Instructions to the provider: committed before the call, sent after it, each under a key of its own.

The key is (order, try). `try_no` grows only after evidence that the try before had no effect or was refused; every
other repeat is a replay with the same key.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from counterfoil.core.facts import (
    INVOICE_MARK,
    Fact,
    IntentFact,
    IntentStatus,
    MissingFact,
    ProviderInvoiceFact,
    SessionFact,
    SetupFact,
)
from counterfoil.core.ids import (
    AccountId,
    CustomerId,
    InvoiceId,
    LegId,
    LineId,
    MethodId,
    OrderId,
    ProviderRef,
    RefundId,
    SalesOrderId,
)
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.money import Money


@dataclass(frozen=True, slots=True)
class CreateCustomer:
    """Make the customer at the provider."""

    customer: CustomerId


@dataclass(frozen=True, slots=True)
class UpdateCustomer:
    """Make the provider's copy of a customer's name and e-mail like ours.

    It carries neither: both are read when it is sent, so that they are kept in one place, and what is erased there is
    erased here. Setting them again does no harm, so every try has a fresh key.
    """

    customer: CustomerId


@dataclass(frozen=True, slots=True)
class AttachMethod:
    """Save a payment method for the customer. `token` is the provider's id or test token of the method."""

    customer: CustomerId
    token: str
    make_default: bool


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """Make an unconfirmed payment, so that the money effect has a handle before it can happen."""

    leg: LegId
    customer: CustomerId
    amount: Money
    method: MethodId | None
    description: str


@dataclass(frozen=True, slots=True)
class ConfirmIntent:
    """Let the provider collect a payment whose id we hold."""

    leg: LegId
    ref: ProviderRef
    method: MethodId


@dataclass(frozen=True, slots=True)
class CancelIntent:
    """Give a payment up, so that no two of our objects can capture at once."""

    leg: LegId
    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class CreateCheckout:
    """Make a hosted page on which the customer pays. Nothing can happen before its id is stored: only we know it."""

    leg: LegId
    customer: CustomerId
    amount: Money
    description: str
    return_url: str


@dataclass(frozen=True, slots=True)
class ExpireCheckout:
    """Close a hosted page, so that no two of our objects can capture. That it can't be closed is evidence of payment.

    `subject` is the leg that it collects for, or the order that it sets up.
    """

    subject: LegId | SalesOrderId
    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class CreateSetup:
    """Make what saves a way to pay without collecting anything; with `return_url`, a hosted page of the provider."""

    sales_order: SalesOrderId
    customer: CustomerId
    currency: str
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class CancelSetup:
    """Give a setup up."""

    sales_order: SalesOrderId
    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class SetDefaultMethod:
    """Have the provider charge a saved method unless another is named."""

    customer: CustomerId
    method: MethodId


@dataclass(frozen=True, slots=True)
class CreateInvoice:
    """Make an empty draft that does not advance by itself, so that its id is stored before it can cost anything."""

    invoice: InvoiceId
    customer: CustomerId
    currency: str
    description: str


@dataclass(frozen=True, slots=True)
class AddInvoiceLine:
    """Put our line on the draft."""

    invoice: InvoiceId
    ref: ProviderRef
    line: LineId
    amount: Money
    description: str


@dataclass(frozen=True, slots=True)
class FinalizeInvoice:
    """Close the draft. The provider applies the customer's balance; with nothing left to pay it is paid at once."""

    invoice: InvoiceId
    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class PayInvoice:
    """Collect what remains of an open invoice from a saved method."""

    invoice: InvoiceId
    ref: ProviderRef
    method: MethodId


@dataclass(frozen=True, slots=True)
class VoidInvoice:
    """Take a finalized invoice back; the provider returns what it took of the customer's balance."""

    invoice: InvoiceId
    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class DeleteDraft:
    """Drop a draft that nobody wants any more."""

    invoice: InvoiceId
    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """Give money of a collected payment back, whose id we hold. It carries our refund's id as a mark."""

    refund: RefundId
    leg: LegId
    ref: ProviderRef
    amount: Money
    reason: str | None


OnInvoice: TypeAlias = AddInvoiceLine | FinalizeInvoice | PayInvoice | VoidInvoice | DeleteDraft
"""What is done to an invoice of the provider whose id we hold."""
Instruction: TypeAlias = (
    CreateCustomer
    | UpdateCustomer
    | AttachMethod
    | SetDefaultMethod
    | CreateIntent
    | ConfirmIntent
    | CancelIntent
    | CreateCheckout
    | ExpireCheckout
    | CreateSetup
    | CancelSetup
    | CreateInvoice
    | OnInvoice
    | CreateRefund
)

IN_FLIGHT_MAX: Final = timedelta(seconds=90)
"""How long a request without a reply may still be on its way; longer than any time-out of ours."""
KEY_WINDOW: Final = timedelta(hours=23)
"""How long a key surely replays. Stripe keeps keys for at least 24 hours (docs.stripe.com/api/idempotent_requests)."""

STORED_ERROR: Final = "stored_error"
"""`Order.why` after a 5xx: the provider stored that reply under the key, so a replay only repeats it."""


@dataclass(frozen=True, slots=True)
class Order:
    """One instruction and what became of it. `subject` is the leg, customer or method token it is about.

    `why` says what is unknown. `sent_at` is when the newest try left; None before the first.
    """

    id: OrderId
    account: AccountId
    customer: CustomerId
    subject: str
    instruction: Instruction
    status: OrderStatus
    queued_at: datetime
    try_no: int = 1
    sent_at: datetime | None = None
    why: str | None = None

    @property
    def key(self) -> str:
        """The idempotency key of the newest try."""
        return f"{self.id}:{self.try_no}"

    @property
    def open(self) -> bool:
        """Say whether its outcome is still to come."""
        return self.status in (OrderStatus.QUEUED, OrderStatus.SENT, OrderStatus.UNKNOWN)


def handle_of(instruction: Instruction) -> tuple[str, ProviderRef] | None:
    """Give the kind and the id of the provider's object that an instruction is about, None while it has none."""
    match instruction:
        case ConfirmIntent(ref=ref) | CancelIntent(ref=ref):
            return "payment_intent", ref
        case ExpireCheckout(ref=ref):
            return "checkout.session", ref
        case CancelSetup(ref=ref):
            return "setup_intent", ref
        case AddInvoiceLine() | FinalizeInvoice() | PayInvoice() | VoidInvoice() | DeleteDraft():
            return "invoice", instruction.ref
        case _:
            return None


def next_try(order: Order) -> Order:
    """Give the order with a fresh key. Only after evidence that the try before had no effect."""
    return replace(order, status=OrderStatus.SENT, try_no=order.try_no + 1, why=None)


def must_ask_first(order: Order, now: datetime) -> bool:
    """Say whether an order without a usable reply has to be looked up before it may be sent again.

    A reply that was lost is settled by a replay while the key lives. A stored 5xx, or a key past its window, is not.
    """
    if order.sent_at is None or not order.open or isinstance(order.instruction, UpdateCustomer):
        return False
    return order.why == STORED_ERROR or now - order.sent_at > KEY_WINDOW


def is_sure(order: Order, now: datetime) -> bool:
    """Say whether finding nothing of an order proves that its newest try had no effect: it is long enough ago."""
    return order.sent_at is None or now - order.sent_at > IN_FLIGHT_MAX


def confirmed_by(order: Order, fact: Fact) -> bool:
    """Say whether a fact proves that an open order has had its effect at the provider."""
    if not order.open:
        return False
    if isinstance(order.instruction, CreateInvoice | OnInvoice):
        return _invoice_shows(order.instruction, fact)
    if isinstance(order.instruction, CreateCheckout | ExpireCheckout | CreateSetup | CancelSetup):
        return _page_shows(order.instruction, fact)
    if not isinstance(fact, IntentFact):
        return False
    match order.instruction:
        case CreateIntent():
            return True
        case ConfirmIntent(ref=ref):
            return fact.ref == ref and not _untried(fact)
        case CancelIntent(ref=ref):
            return fact.ref == ref and fact.status in (IntentStatus.CANCELED, IntentStatus.SUCCEEDED)
        case _:
            return False


def _page_shows(instruction: CreateCheckout | ExpireCheckout | CreateSetup | CancelSetup, fact: Fact) -> bool:
    """Say whether what the customer sees at the provider shows that an instruction about it has had its effect."""
    match instruction:
        case CreateCheckout():
            return isinstance(fact, SessionFact | IntentFact)
        case CreateSetup():
            return isinstance(fact, SessionFact | SetupFact)
        case ExpireCheckout(ref=ref) if isinstance(fact, SessionFact):
            return fact.ref == ref and fact.status != "open"
        case ExpireCheckout(ref=ref) if isinstance(fact, IntentFact | SetupFact):
            return fact.session_ref == ref and fact.session_status not in (None, "open")
        case CancelSetup(ref=ref) if isinstance(fact, SetupFact):
            return fact.ref == ref and fact.status in ("canceled", "succeeded")
        case _:
            return False


def _invoice_shows(instruction: CreateInvoice | OnInvoice, fact: Fact) -> bool:
    """Say whether the provider's invoice, as it stands, shows that an instruction about it has had its effect."""
    if isinstance(fact, MissingFact):
        return isinstance(instruction, DeleteDraft) and fact.ref == instruction.ref
    if not isinstance(fact, ProviderInvoiceFact):
        return False
    if isinstance(instruction, CreateInvoice):
        return fact.metadata.get(INVOICE_MARK) == instruction.invoice
    if fact.ref != instruction.ref:
        return False
    match instruction:
        case AddInvoiceLine(line=line):
            return any(each.mark == line for each in fact.lines)
        case FinalizeInvoice() | DeleteDraft():
            return fact.status != "draft"
        case PayInvoice():
            return fact.status not in ("draft", "open") or is_tried(fact)
        case VoidInvoice():
            return fact.status in ("void", "paid", "deleted")


def is_tried(fact: ProviderInvoiceFact) -> bool:
    """Say whether somebody has tried to pay an open invoice: refused, on its way, or waiting for the customer."""
    intents = [each.intent for each in fact.payments if each.status == "open" and each.intent]
    return any(not _untried(each) for each in intents)


def _untried(fact: IntentFact) -> bool:
    """Say whether nothing shows that the payment was ever tried."""
    if fact.status is IntentStatus.NEEDS_METHOD:
        return fact.refusal is None
    return fact.status in (IntentStatus.NEEDS_CONFIRMATION, IntentStatus.OTHER)
