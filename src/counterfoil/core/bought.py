"""What a customer buys in credits: the purchase, its settlement, and the terms that its lot will have."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from counterfoil.core.ids import (
    AccountId,
    AutoTopupId,
    CustomerId,
    GrantId,
    InvoiceId,
    LineId,
    MethodId,
    PendingLineId,
    ProviderRef,
    PurchaseId,
    WalletId,
)
from counterfoil.core.lifecycle import PendingLineStatus, PurchaseStatus
from counterfoil.core.money import Money
from counterfoil.core.tax import Tax


class Settlement(StrEnum):
    """How a purchase is paid."""

    INVOICE = "invoice"
    """A line of an invoice bills it."""
    EXTERNAL = "external"
    """Somebody else collects, and tells us of it step by step."""
    PROMOTIONAL = "promotional"
    """Nobody pays."""


class Collector(StrEnum):
    """Whose invoice collects a purchase."""

    OURS = "ours"
    PROVIDER = "provider"


class GrantTiming(StrEnum):
    """When the credits are given: once paid, or at once and taken back if nobody pays."""

    AFTER_PAID = "after_paid"
    AT_PURCHASE = "at_purchase"


@dataclass(frozen=True, slots=True)
class Purchase:
    """The intent to buy credits, on the books before anybody is asked for money.

    `quantity` is in scaled units of the wallet; net, fee and tax are minor units and what the customer pays together;
    only net buys credits. Three facts are kept apart: `authorized_at` (the money is promised), `settled_at` (it is
    there) and `fulfilled_at` (the credits were given, as the lot `grant`). `invoice` and `line` are what bills it.
    `failures` counts refused tries. `clawed` is the quantity that was taken back, `refunded_minor` what was paid back.
    What was paid is made of balance, card and external parts; the provider's coupons took `discount_minor` off. The
    balance part is below zero when what the customer owed there before was collected with it. `given_up_at` is when it
    was given up: its invoice is taken back at the provider, and only then it is over.
    """

    id: PurchaseId
    customer: CustomerId
    account: AccountId
    wallet: WalletId
    settlement: Settlement
    status: PurchaseStatus
    quantity: int
    currency: str
    net_minor: int
    created_at: datetime
    fee_minor: int = 0
    tax_minor: int = 0
    collector: Collector | None = None
    pack: str | None = None
    pack_version: int | None = None
    expires_after_s: int | None = None
    priority: int = 50
    features: tuple[str, ...] = ()
    grant_timing: GrantTiming = GrantTiming.AFTER_PAID
    invoice: InvoiceId | None = None
    line: LineId | None = None
    invoice_at: datetime | None = None
    method: MethodId | None = None
    balance_minor: int = 0
    card_minor: int = 0
    external_minor: int = 0
    discount_minor: int = 0
    provider_ref: ProviderRef | None = None
    grant: GrantId | None = None
    authorized_at: datetime | None = None
    settled_at: datetime | None = None
    fulfilled_at: datetime | None = None
    canceled_at: datetime | None = None
    voided_at: datetime | None = None
    failure_code: str | None = None
    failure_text: str | None = None
    failures: int = 0
    refunded_minor: int = 0
    clawed: int = 0
    description: str = ""
    external_id: str | None = None
    given_up_at: datetime | None = None
    auto_topup: AutoTopupId | None = None
    """The policy that bought it by itself."""
    taxes: tuple[Tax, ...] = ()
    """What `tax_minor` is made of, where that was said."""

    @property
    def gross_minor(self) -> int:
        """What the customer pays in all."""
        return self.net_minor + self.fee_minor + self.tax_minor

    @property
    def gross(self) -> Money:
        """What the customer pays in all, as money."""
        return Money(self.gross_minor, self.currency)

    @property
    def paid_minor(self) -> int:
        """What was paid in all: the provider's coupons took the rest off. A refund is a share of this."""
        return self.gross_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class PendingLine:
    """A line that waits for its invoice date, durable from the moment it was asked for.

    `net_minor`, `fee_minor` and `tax_minor` are minor units; a purchase's are those of the purchase. `about` is what
    its invoice is to say of itself, the caller's words. `invoice` and `line` are what it became.
    """

    id: PendingLineId
    customer: CustomerId
    account: AccountId
    status: PendingLineStatus
    description: str
    currency: str
    net_minor: int
    tax_minor: int
    invoice_at: datetime
    created_at: datetime
    fee_minor: int = 0
    about: str = ""
    purchase: PurchaseId | None = None
    invoice: InvoiceId | None = None
    line: LineId | None = None
    taxes: tuple[Tax, ...] = ()

    @property
    def gross_minor(self) -> int:
        """What the customer will owe for it."""
        return self.net_minor + self.fee_minor + self.tax_minor
