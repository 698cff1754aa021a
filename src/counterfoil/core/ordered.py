"""What one checkout sells: an order of one or several invoices, which starts once, by payment or by setup."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from counterfoil.core.ids import AccountId, CustomerId, MethodId, ProviderRef, SalesOrderId
from counterfoil.core.lifecycle import SalesOrderStatus
from counterfoil.core.money import Money


class Collect(StrEnum):
    """How an order is to start."""

    CHECKOUT = "checkout"
    """The customer pays on the provider's hosted page."""
    PAYMENT = "payment"
    """The customer pays in the host's own page, or a saved method is charged."""
    SETUP = "setup"
    """The customer saves a way to pay, and nothing is collected yet."""


class StartedBy(StrEnum):
    """What started an order."""

    PAYMENT = "payment"
    SETUP = "setup"


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """The catalogue items of one checkout. Its invoices name it; it is started once, for ever.

    An order that starts by setup has a setup at the provider (`setup_ref`), or a hosted page of one (`session_ref`);
    `method` is what was saved by it. `action_url` is the page where the customer goes on, `return_url` where that
    page sends the customer back to.
    """

    id: SalesOrderId
    customer: CustomerId
    account: AccountId
    status: SalesOrderStatus
    collect: Collect
    currency: str
    total_minor: int
    created_at: datetime
    description: str = ""
    external_id: str | None = None
    return_url: str | None = None
    setup_ref: ProviderRef | None = None
    session_ref: ProviderRef | None = None
    action_url: str | None = None
    method: MethodId | None = None
    started_at: datetime | None = None
    started_by: StartedBy | None = None
    canceled_at: datetime | None = None
    refusal_code: str | None = None

    @property
    def total(self) -> Money:
        """What its invoices came to when it was made."""
        return Money(self.total_minor, self.currency)
