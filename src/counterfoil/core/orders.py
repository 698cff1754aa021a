"""Instructions to the provider: committed before the call, sent after it, each under a key of its own.

The key is (order, try). `try_no` grows only after evidence that the try before had no effect or was refused; every
other repeat is a replay with the same key.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from counterfoil.core.facts import Fact, IntentFact, IntentStatus
from counterfoil.core.ids import AccountId, CustomerId, LegId, MethodId, OrderId, ProviderRef
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


Instruction: TypeAlias = CreateCustomer | UpdateCustomer | AttachMethod | CreateIntent | ConfirmIntent | CancelIntent

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


def confirmed_by(order: Order, fact: Fact) -> bool:
    """Say whether a fact proves that an open order has had its effect at the provider."""
    if not isinstance(fact, IntentFact) or not order.open:
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


def _untried(fact: IntentFact) -> bool:
    """Say whether nothing shows that the payment was ever tried."""
    if fact.status is IntentStatus.NEEDS_METHOD:
        return fact.refusal is None
    return fact.status in (IntentStatus.NEEDS_CONFIRMATION, IntentStatus.OTHER)
