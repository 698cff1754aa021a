"""What an auto top-up looks at in the books: what can be spent, what is coming, and whether an attempt is still wanted.

It is asked when an attempt begins and once more right before the provider is told to charge.
"""

from datetime import datetime
from typing import Final

from counterfoil.core.agreed import AutoTopup, Trigger
from counterfoil.core.books import Books, Invoice, Leg, Method, Wallet, allocations_of, default_method
from counterfoil.core.bought import Purchase
from counterfoil.core.credits import is_live, lots_of
from counterfoil.core.effects import Timer
from counterfoil.core.ids import WalletId
from counterfoil.core.lifecycle import PaymentStatus, PurchaseStatus, WalletStatus

WATCH_TIMER: Final = "auto-topup"
COMING: Final = frozenset({PurchaseStatus.SCHEDULED, PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED})
"""A purchase whose credits are on their way, unless they were given before they were paid."""
COUNTED: Final = COMING | {PurchaseStatus.SETTLED, PurchaseStatus.FAILED, PurchaseStatus.HELD}
"""A purchase that counts towards the month's cap: it was paid, or may be yet. One that was paid back stays counted."""


def spendable(books: Books, wallet: Wallet, now: datetime) -> int:
    """Give what any use could draw now, less what is owed. Lots kept for some features are not for any use."""
    lots = (each for each in lots_of(books, wallet.id) if is_live(each, now) and not each.is_kept_apart)
    return sum(each.free for each in lots) - wallet.debt


def coming(books: Books, wallet: WalletId) -> int:
    """Give what was bought for a wallet and has not come yet."""
    awaited = (each for each in books.purchases if each.wallet == wallet and each.status in COMING)
    return sum(each.quantity for each in awaited if each.grant is None)


def wallet_of(books: Books, policy: AutoTopup) -> Wallet:
    """Give the wallet that a policy fills."""
    return next(each for each in books.wallets if each.id == policy.wallet)


def method_of(books: Books, policy: AutoTopup) -> Method | None:
    """Give the method to charge, as it is now: the agreed one, else the default. None when it can't be charged."""
    if policy.method is None:
        return default_method(books)
    return next((each for each in books.methods if each.id == policy.method and each.attached), None)


def is_due(books: Books, policy: AutoTopup, now: datetime) -> bool:
    """Say whether credits are to be bought now."""
    wallet = wallet_of(books, policy)
    return policy.is_due(spendable(books, wallet, now), coming(books, wallet.id), now)


def bought_by(books: Books, leg: Leg) -> Purchase | None:
    """Give the purchase of an auto top-up that a leg is to pay."""
    invoices = {each.invoice for each in allocations_of(books, leg.id)}
    return next((each for each in books.purchases if each.auto_topup and each.invoice in invoices), None)


def withdrawn(books: Books, leg: Leg, now: datetime) -> str | None:
    """Say why a charge of an auto top-up is not wanted any more, in the instant before it would be made.

    Consent, the wallet, the method and the balance are those of now. None when it is wanted, or is no auto top-up's.
    """
    purchase = bought_by(books, leg)
    if purchase is None:
        return None
    policy = next((each for each in books.topups if each.id == purchase.auto_topup), None)
    if policy is None or not policy.is_on or policy.attempt != purchase.id:
        return "its auto top-up was switched off"
    wallet = wallet_of(books, policy)
    if wallet.status is not WalletStatus.ACTIVE:
        return f"its wallet is {wallet.status}"
    method = next((each for each in books.methods if each.id == leg.method), None)
    if method is None or not method.attached or method.customer != purchase.customer:
        return "its payment method is not the customer's any more"
    is_watching = policy.trigger is not Trigger.INTERVAL and policy.below is not None
    if is_watching and spendable(books, wallet, now) >= (policy.below or 0):
        return "enough credits came meanwhile"
    return None


def wake(purchase: Purchase, invoice: Invoice, now: datetime) -> tuple[Timer, ...]:
    """Have the auto top-up that bought this look at it, whenever its payment has come to rest or waits for somebody."""
    if purchase.auto_topup is None or invoice.payment_status is PaymentStatus.PROCESSING:
        return ()
    nth = f"{purchase.id}:{purchase.status}:{invoice.payment_status}:{purchase.failures}"
    return (Timer(WATCH_TIMER, purchase.auto_topup, purchase.customer, now, nth),)
