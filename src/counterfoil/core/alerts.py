"""Somebody is told when a wallet runs low: once for each threshold, until it is filled again.

Thresholds are data of the wallet: shares of the last top-up, in percent, and levels in its unit. A purchase or an
allowance begins a new cycle; in one cycle a threshold tells once, however often the balance crosses it. `alert_at` is
the highest one that has not told yet, so that the spend door needs one comparison to know that there is nothing to do.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core.books import Books, Grant, GrantSource, Wallet
from counterfoil.core.credits import is_live, lots_of
from counterfoil.core.effects import Act, Change, Decision, Notify, Reason, Skip, Why
from counterfoil.core.ids import WalletId
from counterfoil.core.money import plain, share

ALERT: Final = "low-balance@1"
ALERT_TIMER: Final = "low-balance"
TOP_UPS: Final = frozenset({GrantSource.PURCHASE, GrantSource.ALLOWANCE})
"""Lots that fill a wallet. A gift is none: what it is a share of would say nothing."""


def thresholds(wallet: Wallet) -> tuple[tuple[int, str], ...]:
    """Give the balances below which somebody is told, each with its name, the highest first."""
    shares = [(share(wallet.last_topup, each, 100), f"{each}%") for each in wallet.alert_percents if wallet.last_topup]
    levels = [(each, plain(each, wallet.unit.scale)) for each in wallet.alert_levels]
    return tuple(sorted({*shares, *levels}, reverse=True))


def armed(wallet: Wallet, balance: int) -> Wallet:
    """Watch for the highest threshold that the balance has not crossed."""
    ahead = (level for level, _ in thresholds(wallet) if 0 < level <= balance)
    return replace(wallet, alert_at=max(ahead, default=None))


def topped_up(wallet: Wallet, grant: Grant, others: Iterable[Grant], now: datetime) -> Wallet:
    """Begin a new cycle when a lot fills the wallet. `others` are the lots that it had before."""
    if grant.source not in TOP_UPS:
        return wallet
    filled = replace(wallet, last_topup=grant.amount, topups=wallet.topups + 1)
    return armed(filled, balance_of(filled, (*others, grant), now))


def balance_of(wallet: Wallet, lots: Iterable[Grant], now: datetime) -> int:
    """Give what a wallet's live lots hold, less what it owes."""
    return sum(each.remaining for each in lots if is_live(each, now)) - wallet.debt


def decide_alert(books: Books, wallet: WalletId, now: datetime) -> Decision:
    """Tell of every threshold that the balance has crossed, once in a cycle, and watch for the next."""
    held = next((each for each in books.wallets if each.id == wallet), None)
    if held is None:
        return Skip(Why(ALERT, Reason.TIMER_OBSOLETE, f"There is no wallet {wallet}.", (wallet,)))
    about, balance = (wallet, books.customer.id), balance_of(held, lots_of(books, wallet), now)
    crossed = [(level, name) for level, name in thresholds(held) if balance < level <= (held.alert_at or 0)]
    if not crossed:
        return Skip(Why(ALERT, Reason.ALREADY_KNOWN, "The wallet has crossed nothing that was not told.", about))
    told = tuple(_told(held, level, name, balance) for level, name in crossed)
    left = f"{plain(balance, held.unit.scale)} {held.unit.code}"
    sentence = f"{left} are left, below {' and '.join(name for _, name in crossed)}."
    return Act(Why(ALERT, Reason.LOW_BALANCE, sentence, about), (Change(held, armed(held, balance)), *told))


def _told(wallet: Wallet, level: int, name: str, balance: int) -> Notify:
    data: dict[str, str | int] = {
        "unit": wallet.unit.code,
        "balance": balance,
        "threshold": level,
        "below": name,
        "last_topup": wallet.last_topup,
    }
    key = f"wallet.low:{wallet.id}:{wallet.topups}:{name}"
    return Notify(key, "wallet.low_balance", wallet.customer, wallet.id, data)
