"""What collecting is held to and what is kept for customers, as the outside sees them."""

from counterfoil.core.terms import CollectionPolicy
from counterfoil.engine.views import View, money
from counterfoil.store import collecting
from counterfoil.store.database import Tx


def policy_view(policy: CollectionPolicy) -> View:
    """Show what collecting is held to."""
    return {
        "object": "collection_policy",
        "version": policy.version,
        "overpayment": policy.overpayment,
        "double_payment": policy.double_payment,
        "use_balance": policy.uses_balance,
        "credits_kept_for_s": policy.credits_kept_for_s,
    }


def balances(tx: Tx, customer: str) -> list[View]:
    """Show the money that is kept for a customer, per currency, and what of it is reserved for open payments."""
    return [
        {
            "object": "customer_balance",
            "balance": money(row["minor"], row["currency"]),
            "reserved": money(row["reserved"], row["currency"]),
            "available": money(row["minor"] - row["reserved"], row["currency"]),
        }
        for row in collecting.balances(tx, (customer,))
    ]
