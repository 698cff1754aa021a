"""What the provider pays out: a payout from our money there to our bank, as its own object says."""

from dataclasses import dataclass
from datetime import datetime

from counterfoil.core.ids import AccountId, PayoutId, ProviderRef
from counterfoil.core.money import Money


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to our bank, in minor units; below zero it is fetched back from there.

    `status` is the provider's word. `bank_minor` is what of it is booked as being at the bank: all of it or nothing.
    `automatic` ones are made by the provider by its schedule, the others were asked for.
    """

    id: PayoutId
    account: AccountId
    provider_ref: ProviderRef
    status: str
    amount_minor: int
    currency: str
    automatic: bool
    created_at: datetime
    arrives_at: datetime | None = None
    failure_code: str | None = None
    bank_minor: int = 0

    @property
    def amount(self) -> Money:
        """What is paid out, as money."""
        return Money(self.amount_minor, self.currency)
