"""What is true at the provider, as one observation saw it.

A fact is the provider's current object, parsed once at the door, whatever API version rendered it. Facts of one object
are ordered by their observation number alone: the provider's own timestamps have a grain of one second.
Words that the provider may add tomorrow (statuses, codes) stay text; the rules treat an unknown word as no news.
Metadata is looked at for our own marks and never stored: whoever else writes into it may write what is personal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from counterfoil.core.ids import LegId, ProviderRef
from counterfoil.core.money import Money

REFUND_MARK: Final = "counterfoil_refund"
"""Metadata key under which the id of our refund travels on the provider's."""
LEG_MARK: Final = "counterfoil_leg"
"""Metadata key under which our own leg id travels on every provider object that we create."""
INVOICE_MARK: Final = "counterfoil_invoice"
"""Metadata key under which the id of our invoice travels on the provider's invoice that mirrors it."""
ORDER_MARK: Final = "counterfoil_order"
"""Metadata key under which the id of our order travels on what is set up for it."""
LINE_MARK: Final = "counterfoil_line"
"""Metadata key under which the id of our line travels on the provider's line that mirrors it."""


class IntentStatus(StrEnum):
    """The statuses of a PaymentIntent that mean something to a rule. Anything else reads as OTHER."""

    NEEDS_METHOD = "requires_payment_method"
    NEEDS_CONFIRMATION = "requires_confirmation"
    NEEDS_ACTION = "requires_action"
    NEEDS_CAPTURE = "requires_capture"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the provider refused one try. `code` and `decline_code` are the provider's words; `try_ref` its charge."""

    code: str
    decline_code: str | None = None
    message: str = ""
    try_ref: ProviderRef | None = None


@dataclass(frozen=True, slots=True)
class ChargeFee:
    """What the provider kept of one charge. `ref` is its balance transaction; the amount is in minor units."""

    ref: ProviderRef
    fee: Money


class ActionKind(StrEnum):
    """What a payment that waits for the customer asks of them."""

    CONFIRM = "confirm"
    PAY = "pay"
    """On a hosted page that was made for it."""
    VERIFY_BANK = "verify_bank"
    """A code of a small deposit that appears on the account's statement in a day or two."""


@dataclass(frozen=True, slots=True)
class IntentFact:
    """A payment at the provider. `received` is what it has collected so far; zero until it succeeds."""

    ref: ProviderRef
    status: IntentStatus
    amount: Money
    received: Money
    customer_ref: ProviderRef | None = None
    method_ref: ProviderRef | None = None
    charge_ref: ProviderRef | None = None
    charge_fee: ChargeFee | None = None
    refusal: Refusal | None = None
    action_url: str | None = None
    action: ActionKind | None = None
    client_secret: str | None = field(default=None, repr=False)
    pays_provider_invoice: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    session_ref: ProviderRef | None = None
    """The hosted checkout session that the news was about, when it was about one."""
    session_status: str | None = None
    """How that session stands: open, complete or expired."""
    means: str | None = None
    """What the newest charge was taken from, in words: `visa 4242`."""
    invoice_ref: ProviderRef | None = None
    """The provider's invoice that it pays, where that is known. A payment may pay several: this is one of them."""


@dataclass(frozen=True, slots=True)
class SessionFact:
    """A hosted checkout that has no payment yet (open, expired, or completed without one).

    `url` is its page while it is open. `amount` is None for one that only sets up a way to pay.
    """

    ref: ProviderRef
    status: str
    payment_status: str
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str | None = None
    amount: Money | None = None
    customer_ref: ProviderRef | None = None


@dataclass(frozen=True, slots=True)
class SetupFact:
    """A way to pay that is being saved without collecting anything. `status` is the provider's word.

    `session_ref` is its hosted page, and `session_status` how that stands, when it was seen through it.
    """

    ref: ProviderRef
    status: str
    customer_ref: ProviderRef | None = None
    method_ref: ProviderRef | None = None
    refusal: Refusal | None = None
    action: ActionKind | None = None
    action_url: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    session_ref: ProviderRef | None = None
    session_status: str | None = None


@dataclass(frozen=True, slots=True)
class CustomerFact:
    """A customer at the provider. A deleted one keeps its id and nothing else."""

    ref: ProviderRef
    deleted: bool = False
    default_method_ref: ProviderRef | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_source_ref: ProviderRef | None = None
    """The default of the time before payment methods, which the provider still charges when there is no other."""
    currency: str | None = None
    """The one currency that its invoices are in, once there was one."""
    balance_minor: int = 0
    """The provider's own balance, in that currency: below zero the customer has credit, above it owes."""


@dataclass(frozen=True, slots=True)
class MethodFact:
    """A saved way to pay. `fingerprint` is equal for the same card or account, whatever its id."""

    ref: ProviderRef
    kind: str
    customer_ref: ProviderRef | None
    brand: str | None = None
    last4: str | None = None
    expires: str | None = None
    fingerprint: str | None = None
    country: str | None = None
    """Where a card was issued, in two letters (ISO 3166-1)."""


@dataclass(frozen=True, slots=True)
class InvoiceLineFact:
    """One line of a provider's invoice, in minor units; a credit is below zero. `mark` names our line, if it is one."""

    ref: ProviderRef
    minor: int
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class InvoicePaymentFact:
    """So much of one payment pays, or is to pay, one invoice. `minor` is what it has paid of it, zero while it is open.

    `intent` is the payment as it stands; it may have collected more than this invoice took.
    """

    ref: ProviderRef
    status: str
    minor: int
    intent: IntentFact | None = None


@dataclass(frozen=True, slots=True)
class ProviderInvoiceFact:
    """An invoice of the provider's own. `status` is its word: draft, open, paid, void, uncollectible, or deleted.

    Amounts are minor units of its currency. The customer's balance at the provider is negative while it is credit:
    `starting_balance` is what it was when the invoice was finalized, `ending_balance` what it left, None in a draft.
    `discount_minor` is what coupons took off, `tax_minor` what was added to the lines; total = lines − discount + tax.
    """

    ref: ProviderRef
    status: str
    currency: str
    subtotal_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    total_minor: int = 0
    due_minor: int = 0
    paid_minor: int = 0
    remaining_minor: int = 0
    starting_balance: int = 0
    ending_balance: int | None = None
    customer_ref: ProviderRef | None = None
    number: str | None = None
    url: str | None = None
    lines: tuple[InvoiceLineFact, ...] = ()
    payments: tuple[InvoicePaymentFact, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def applied_minor(self) -> int:
        """What the customer's balance paid of it. Below zero: what the customer owed before was added to it."""
        return 0 if self.ending_balance is None else self.ending_balance - self.starting_balance


@dataclass(frozen=True, slots=True)
class BalanceMoveFact:
    """One movement of a customer's balance at the provider, in minor units: below zero the customer got credit."""

    ref: ProviderRef
    kind: str
    minor: int
    currency: str
    invoice_ref: ProviderRef | None = None


@dataclass(frozen=True, slots=True)
class BalanceFact:
    """Every movement of a customer's balance at the provider, oldest first."""

    ref: ProviderRef
    customer_ref: ProviderRef
    moves: tuple[BalanceMoveFact, ...] = ()


@dataclass(frozen=True, slots=True)
class RefundFact:
    """Money that the provider gives back of a payment. `status` is its word: pending, succeeded, failed, canceled.

    `mark` names our refund, if it is one; `failure` is the provider's word for why it failed.
    """

    ref: ProviderRef
    status: str
    minor: int
    currency: str
    mark: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeMoveFact:
    """What a step of a dispute did to our money at the provider: below zero it was taken. The fee is beside it."""

    ref: ProviderRef
    minor: int
    fee_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class DisputeFact:
    """A payment that its payer contests. `status` is the provider's word: won and lost are its ends."""

    ref: ProviderRef
    status: str
    minor: int
    currency: str
    moves: tuple[DisputeMoveFact, ...] = ()
    reason: str = ""
    due_at: datetime | None = None
    """Until when evidence is taken."""


@dataclass(frozen=True, slots=True)
class MoneyBackFact:
    """Everything that went back, or may, of one payment: all of its refunds and disputes, oldest first."""

    ref: ProviderRef
    intent_ref: ProviderRef
    refunds: tuple[RefundFact, ...] = ()
    disputes: tuple[DisputeFact, ...] = ()


@dataclass(frozen=True, slots=True)
class MovementFact:
    """One movement of our money at the provider: a balance transaction, in minor units. Net is amount less fee.

    `kind` is the provider's word, `source` the object that caused it and `intent_ref` the payment it is of, where there
    is one. `presented` is what a payer was asked for or given back, where that was in another currency.
    """

    ref: ProviderRef
    kind: str
    amount_minor: int
    fee_minor: int
    currency: str
    occurred_at: datetime
    available_at: datetime
    source: ProviderRef | None = None
    intent_ref: ProviderRef | None = None
    presented: Money | None = None

    @property
    def net_minor(self) -> int:
        """What it moved our money by."""
        return self.amount_minor - self.fee_minor


@dataclass(frozen=True, slots=True)
class PayoutFact:
    """A payout as it stands. `items` are the balance transactions that it paid out, where the provider says so."""

    ref: ProviderRef
    status: str
    minor: int
    currency: str
    automatic: bool
    created_at: datetime
    arrives_at: datetime | None = None
    failure_code: str | None = None
    items: tuple[ProviderRef, ...] = ()


def money_back_ref(intent_ref: ProviderRef) -> ProviderRef:
    """Name what went back of a payment, which has no id of its own."""
    return ProviderRef(f"{intent_ref}:back")


def balance_ref(customer_ref: ProviderRef) -> ProviderRef:
    """Name the balance of a provider's customer, which has no id of its own."""
    return ProviderRef(f"{customer_ref}:balance")


@dataclass(frozen=True, slots=True)
class MarkedFact:
    """Every payment of a customer at the provider that carries the mark of one leg of ours, oldest first."""

    ref: ProviderRef
    found: tuple[IntentFact, ...] = ()


def marked_ref(customer_ref: ProviderRef, leg: LegId) -> ProviderRef:
    """Name what carries a leg's mark among a customer's payments, which has no id of its own."""
    return ProviderRef(f"{customer_ref}:{leg}")


@dataclass(frozen=True, slots=True)
class ChangedFact:
    """The provider did what was asked with this object. What it is now has to be looked at."""

    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class MissingFact:
    """The provider knows no such object. Never proof that a payment failed: a create may still be on its way."""

    ref: ProviderRef


@dataclass(frozen=True, slots=True)
class UnreadableFact:
    """The provider's object has a shape or a value that we can't book; `why` says which."""

    ref: ProviderRef
    why: str


Fact: TypeAlias = (
    IntentFact
    | SessionFact
    | SetupFact
    | CustomerFact
    | MethodFact
    | ProviderInvoiceFact
    | BalanceFact
    | MoneyBackFact
    | MarkedFact
    | PayoutFact
    | RefundFact
    | ChangedFact
    | MissingFact
    | UnreadableFact
)


class Source(StrEnum):
    """What brought a piece of news."""

    WEBHOOK = "webhook"
    REPLY = "reply"
    POLL = "poll"
    API = "api"
    TIMER = "timer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a provider sent: a hint that something happened, never the truth about it.

    `subject_kind` and `subject_ref` name the object whose current state is fetched (for a charge, its intent).
    `api_version` is the version that rendered the payload. `provider_event` is the provider's id of the event.
    """

    provider_event: ProviderRef
    kind: str
    subject_kind: str
    subject_ref: ProviderRef
    occurred_at: datetime
    livemode: bool
    connected_account: str | None
    api_version: str
    object_ref: ProviderRef
    customer_ref: ProviderRef | None = None
    """The provider's customer that the payload names, so that what was kept of it can be erased."""


@dataclass(frozen=True, slots=True)
class Done:
    """The provider did it. `fact` is the object that came back."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused, and said so. `fact` is the object in its error, when it sent one."""

    refusal: Refusal
    fact: Fact | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The provider asks for the same call again later: busy, rate limited, the key in use. It had no effect.

    `after_s` is what it asked us to wait, in seconds.
    """

    why: str
    after_s: int = 1


@dataclass(frozen=True, slots=True)
class Unknown:
    """No usable reply. It may have had its effect; only a fetch or a replay with the same key can tell."""

    why: str


Outcome: TypeAlias = Done | Refused | Unfinished | Unknown
