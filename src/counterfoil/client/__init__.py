"""What applications import: `Billing` and `AsyncBilling`, their values and their errors.

from counterfoil.client import Billing, InsufficientCredits

billing = Billing("cfk_test_…", "http://127.0.0.1:4747")
with billing.spend("ext:dana", "credits", estimate="2.5", feature="chat") as spend:
    tokens = answer()
    spend.settle(price(tokens))
"""

from counterfoil.client.aio import AsyncBilling, AsyncSpend
from counterfoil.client.backlog import Fate, Unbooked
from counterfoil.client.billing import Billing, Spend
from counterfoil.client.errors import (
    BatchUnavailable,
    CounterfoilError,
    CounterfoilUnavailable,
    CustomerRestricted,
    HoldExceeded,
    HoldNotOpen,
    InsufficientCredits,
    InvalidRequest,
    KeyReused,
    NotAllowed,
    NotFound,
    Refused,
    SpendClosed,
    WalletInDebt,
    WalletNotActive,
)
from counterfoil.client.exchange import Patience
from counterfoil.client.values import Balance, CustomerState, Draw, Hold, Method, Purchase, Spent, Wallet
from counterfoil.client.verbs import SpendRequest, SpendResult
from counterfoil.client.webhooks import WebhookEvent, WebhookRefused, verify_webhook

__all__ = [
    "AsyncBilling",
    "AsyncSpend",
    "Balance",
    "BatchUnavailable",
    "Billing",
    "CounterfoilError",
    "CounterfoilUnavailable",
    "CustomerRestricted",
    "CustomerState",
    "Draw",
    "Fate",
    "Hold",
    "HoldExceeded",
    "HoldNotOpen",
    "InsufficientCredits",
    "InvalidRequest",
    "KeyReused",
    "Method",
    "NotAllowed",
    "NotFound",
    "Patience",
    "Purchase",
    "Refused",
    "Spend",
    "SpendClosed",
    "SpendRequest",
    "SpendResult",
    "Spent",
    "Unbooked",
    "Wallet",
    "WalletInDebt",
    "WalletNotActive",
    "WebhookEvent",
    "WebhookRefused",
    "verify_webhook",
]
