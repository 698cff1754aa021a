"""What a payer contests: the dispute of one payment, and where it stands for us."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.core.ids import AccountId, CustomerId, DisputeId, LegId, PaymentId, ProviderRef
from counterfoil.core.lifecycle import DisputeStatus
from counterfoil.core.money import Money


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment that its payer contests, one for each of the provider's. Amounts are minor units of its currency.

    `provider_status` is the provider's word as it is said there. `withdrawn_minor` is what the provider took and has
    not given back, `fee_minor` what it keeps for itself, and `lost_minor` what was booked as gone for good. While it is
    open it holds the unspent share of the credits that the payment bought; `blocks` says that the wallets it reaches
    may not be spent from at all. `evidence_due_at` is until when the provider takes an answer.
    """

    id: DisputeId
    customer: CustomerId
    account: AccountId
    payment: PaymentId
    leg: LegId
    provider_ref: ProviderRef
    provider_status: str
    status: DisputeStatus
    amount_minor: int
    currency: str
    opened_at: datetime
    reason: str = ""
    withdrawn_minor: int = 0
    fee_minor: int = 0
    lost_minor: int = 0
    blocks: bool = False
    evidence_due_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def amount(self) -> Money:
        """What is contested, as money."""
        return Money(self.amount_minor, self.currency)

    @property
    def is_pending(self) -> bool:
        """Say whether it has no end yet."""
        return self.status in PENDING


PENDING: Final = frozenset({DisputeStatus.INQUIRY, DisputeStatus.OPEN})
ENDS: Final = {
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "warning_closed": DisputeStatus.CLOSED,
    "prevented": DisputeStatus.CLOSED,
}
"""The provider's words for an end. Every other word, also one that it adds tomorrow, is none."""
ANSWERABLE: Final = frozenset({"needs_response", "warning_needs_response"})
"""The provider's words for a dispute that waits for our evidence."""


def status_of(word: str) -> DisputeStatus:
    """Read where a dispute stands from the provider's word. A warning is a question: no money is taken yet."""
    inquiry = DisputeStatus.INQUIRY if word.startswith("warning") else DisputeStatus.OPEN
    return ENDS.get(word, inquiry)
