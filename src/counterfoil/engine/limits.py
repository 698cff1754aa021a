"""What purchases are held to: the tenant's policy, and what a customer has bought before."""

from datetime import datetime

from counterfoil.core.buying import Limits
from counterfoil.core.catalogue import CAP_WINDOW, PurchasePolicy
from counterfoil.store import purchases
from counterfoil.store.database import Tx


def read_limits(tx: Tx, customer: str, policy: PurchasePolicy, currency: str, now: datetime) -> Limits:
    """Read what a purchase is held to. The customer is locked, so what it bought can't grow meanwhile."""
    cap = policy.cap_in(currency)
    return Limits(
        bought_minor=purchases.bought_since(tx, customer, currency, now - CAP_WINDOW) if cap else 0,
        cap=cap,
        needs_provider_customer=policy.needs_provider_customer,
        stopped=policy.stopped,
        needs_verified_email=policy.needs_verified_email,
        gives_up_after=policy.gives_up_after,
    )
