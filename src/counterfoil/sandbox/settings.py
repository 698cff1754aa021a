"""What an operator may choose about a sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from counterfoil.sandbox.versions import NEWEST


@dataclass(slots=True)
class Settings:
    """Choices that hold for all accounts; the control plane may change them while the sandbox runs."""

    default_api_version: str = NEWEST
    """Of accounts made by first use; each account can have its own."""

    retry_delays_s: tuple[float, ...] = (300.0, 3_600.0, 10_800.0)
    """Pauses before the second, third … attempt of a delivery in test mode; after the last one it is given up."""

    live_retry_delays_s: tuple[float, ...] = (300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, *(43_200.0,) * 4)
    """The same in live mode, where Stripe tries for three days."""

    retry_compression: float = 60.0
    """Divides the pauses: a developer does not wait hours. 1 gives Stripe's own pace."""

    delivery_timeout_s: float = 10.0
    """An endpoint that answers later than this has not answered."""

    bank_debit_settles_s: int = 4 * 86_400
    """How long a bank debit stays in processing, by the sandbox's clock."""

    refund_settles_s: int = 3_600
    """How long until a refund that is pending, or that will fail, changes its status."""

    test_clock_advances_s: float = 0.5
    """How long a test clock takes to advance, whatever the distance."""

    dunning_delays_s: tuple[float, ...] = (3 * 86_400.0, 5 * 86_400.0, 7 * 86_400.0)
    """Pauses before a subscription's invoice that was refused is tried again; after the last try it is given up."""

    dunning_ends: str = "canceled"
    """What a subscription becomes then: canceled, unpaid or past_due. An account may have its own."""

    overdue_ends_after_days: int = 30
    """How many days after its due date a sent invoice ends its subscription in the same way."""

    upcoming_days: int = 7
    """How many days before a renewal its invoice is told as upcoming."""

    due_reminder_days: int = 3
    """How many days before its due date a sent invoice is told as being due soon."""

    search_lag_s: int = 0
    """How far search results are behind the objects (Stripe: up to a minute)."""

    public_url: str = "https://hooks.stripe.com"
    """Where the sandbox's hosted pages are reached."""

    rate_limit_per_s: float = 0.0
    """How many reads, and how many writes, an account may make in a second; 0: as many as it likes."""

    rate_limit_should_retry: bool = False
    """Whether a refusal for that reason asks the client's library to try again."""

    idempotency_lifetime_s: int = 86_400
