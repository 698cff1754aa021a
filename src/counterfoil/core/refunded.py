"""What goes back of what was paid, and what reduces a debt: refunds, and credit notes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from counterfoil.core.ids import (
    AccountId,
    CreditNoteId,
    CustomerId,
    GrantId,
    InvoiceId,
    LegId,
    LineId,
    PaymentId,
    ProviderRef,
    PurchaseId,
    RefundId,
    WalletId,
)
from counterfoil.core.lifecycle import RefundStatus
from counterfoil.core.money import Money


class Destination(StrEnum):
    """Where a refund goes."""

    SOURCE = "source"
    """Where it came from: the charge at the provider, or the lots of the wallet."""
    BALANCE = "balance"
    """The customer's balance with us."""
    WALLET = "wallet"
    """Credits, as a lot of their own in a wallet that is pegged to the currency."""
    MANUAL = "manual"
    """Somebody pays it outside, and says so."""


class MadeBy(StrEnum):
    """Who made a refund."""

    US = "us"
    PROVIDER = "provider"
    """It was made at the provider, by a person or another program, and is on our books since we saw it there."""


@dataclass(frozen=True, slots=True)
class LineBack:
    """What of an invoice's line was given back, in minor units: of its price, and of its tax."""

    line: LineId
    net_minor: int
    tax_minor: int


@dataclass(frozen=True, slots=True)
class InvoiceBack:
    """What had paid an invoice that is still open, in minor units: it is owed again."""

    invoice: InvoiceId
    minor: int


@dataclass(frozen=True, slots=True)
class LotBack:
    """What was taken back of a lot that was bought: `taken` unspent, `owed` and `forgiven` of what was spent, `lapsed`
    of what had expired; scaled units. `net_minor` is the price that it gave back.
    """

    purchase: PurchaseId
    grant: GrantId
    net_minor: int
    taken: int = 0
    owed: int = 0
    forgiven: int = 0
    lapsed: int = 0

    @property
    def quantity(self) -> int:
        """What was taken back in all."""
        return self.taken + self.owed + self.forgiven + self.lapsed


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a refund is made of, so that one which comes back can be undone exactly. Minor units.

    `kept_minor` was the customer's balance: it had paid nothing. `lost_minor` was ours by nothing that we know, such as
    what a dispute had taken before.
    """

    lines: tuple[LineBack, ...] = ()
    lots: tuple[LotBack, ...] = ()
    reopened: tuple[InvoiceBack, ...] = ()
    kept_minor: int = 0
    lost_minor: int = 0

    @property
    def tax_minor(self) -> int:
        """The taxes in it."""
        return sum(each.tax_minor for each in self.lines)


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back of one leg, or of a purchase that somebody else collected (then it has no leg).

    What it gives back is booked with its row; `provider_ref` is its id at the provider once that is known. `grant` is
    the lot that a refund to a wallet became.
    """

    id: RefundId
    customer: CustomerId
    account: AccountId
    destination: Destination
    made_by: MadeBy
    status: RefundStatus
    amount_minor: int
    currency: str
    created_at: datetime
    given: GivenBack
    payment: PaymentId | None = None
    leg: LegId | None = None
    purchase: PurchaseId | None = None
    reason: str | None = None
    provider_ref: ProviderRef | None = None
    wallet: WalletId | None = None
    grant: GrantId | None = None
    together: RefundId | None = None
    """The first of those that one command asked for."""
    succeeded_at: datetime | None = None
    ended_at: datetime | None = None
    failure_code: str | None = None
    failure_text: str | None = None

    @property
    def money(self) -> Money:
        """What goes back."""
        return Money(self.amount_minor, self.currency)

    @property
    def counts(self) -> bool:
        """Say whether it takes part in what was given back: it went, or may still go."""
        return self.status in COUNTING


COUNTING = frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED})
"""Where a refund stands that limits what can still be refunded."""


@dataclass(frozen=True, slots=True)
class CreditNote:
    """A document that reduces what an invoice bills: so much of its lines, net and tax, in minor units.

    `reduced_minor` of it came off a debt, `balance_minor` had been paid and is the customer's balance.
    """

    id: CreditNoteId
    customer: CustomerId
    invoice: InvoiceId
    number: str
    currency: str
    total_minor: int
    tax_minor: int
    created_at: datetime
    lines: tuple[LineBack, ...] = ()
    reduced_minor: int = 0
    balance_minor: int = 0
    reason: str = ""
