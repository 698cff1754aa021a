"""Terms that are data: what a wallet's say about use that no lot covers and about spent credits whose price is given
back, and what a tenant's collecting is held to."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Overdraft(StrEnum):
    """What happens to use that no lot covers."""

    REFUSE = "refuse"
    DEBT = "debt"
    """It is owed, up to the wallet's limit; lots that come later cover it first."""
    WRITE_OFF = "write_off"
    """It is given away, and never taken out of a later lot."""


class Shortfall(StrEnum):
    """What happens to spent credits whose price is refunded or lost in a dispute."""

    DEBT = "debt"
    """They are owed, whatever the limit of debt: the balance goes below zero, which blocks spending until covered."""
    FORGIVE = "forgive"


class Surplus(StrEnum):
    """What becomes of money that came and that no invoice owes."""

    BALANCE = "balance"
    """It is kept for the customer, and pays what is owed next."""
    REFUND = "refund"
    """It goes back to where it came from."""


@dataclass(frozen=True, slots=True)
class CollectionPolicy:
    """What a tenant's collecting is held to. `version` 0 is what holds before anything was declared.

    `overpayment` says what becomes of more than was owed, `double_payment` of what one of our own payments collects of
    an invoice that another of them has paid. `uses_balance` lets money that is kept for a customer pay before the
    provider is asked. `credits_kept_for` is how long credits stay reserved after a definite refusal.
    """

    version: int = 0
    overpayment: Surplus = Surplus.BALANCE
    double_payment: Surplus = Surplus.REFUND
    uses_balance: bool = True
    credits_kept_for_s: int = 24 * 3600

    @property
    def credits_kept_for(self) -> timedelta:
        """How long credits stay reserved after a definite refusal."""
        return timedelta(seconds=self.credits_kept_for_s)


UNDECLARED: Final = CollectionPolicy()
"""What holds while a tenant has declared nothing."""


class ClaimStatus(StrEnum):
    """How far the claim of a provider object that the host application made has come."""

    UNCHECKED = "unchecked"
    """Nobody has looked at the object yet: it may be somebody else's, so nothing is done to it at the provider."""
    CHECKED = "checked"
    """It was seen to fit: currency and customer are those of the invoice."""
