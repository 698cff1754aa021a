"""What an auto top-up looks like: what was agreed to, where it stands, and what it is waiting for."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.agreed import AutoTopup, Trigger, month_of
from counterfoil.core.attempts import spent
from counterfoil.core.books import Wallet
from counterfoil.core.money import ServiceUnit
from counterfoil.core.money import plain as written
from counterfoil.engine.views import View, instant, money
from counterfoil.store import auto_topups, subjects
from counterfoil.store.database import Tx


def show(tx: Tx, wallet: str, now: datetime) -> View | None:
    """Show a wallet's auto top-up, None when it never had one."""
    return next(iter(show_all(tx, [wallet], now)), None)


def show_all(tx: Tx, wallets: Iterable[str], now: datetime) -> list[View]:
    """Show the auto top-ups of wallets."""
    held = auto_topups.of_wallets(tx, wallets)
    if not held:
        return []
    purchases = auto_topups.bought(tx, [each.wallet for each in held], month_of(now))
    found = {each.id: each for each in subjects.wallets_of(tx, {each.customer for each in held})}
    return [_view(each, found[each.wallet], spent(purchases, each, now), now) for each in held]


def _view(policy: AutoTopup, wallet: Wallet, spent_minor: int, now: datetime) -> View:
    code, currency = policy.failure_code, policy.currency
    return {
        "object": "auto_topup",
        "id": policy.id,
        "wallet": policy.wallet,
        "customer": policy.customer,
        "status": policy.status,
        "trigger": _trigger(policy, wallet.unit),
        "buy": _step(policy, wallet.unit),
        "limits": {
            "per_attempt": money(policy.attempt_max_minor, currency),
            "per_month": money(policy.month_max_minor, currency),
        },
        "payment_method": policy.method,
        "consent": {
            "given_by": policy.consent_by,
            "given_at": instant(policy.consent_at),
            "text_version": policy.consent_text,
        },
        "spent_this_month": money(spent_minor, currency),
        "waiting_for": waits_for(policy, now),
        "attempt": policy.attempt,
        "action_by": instant(policy.action_by),
        "failures": policy.failures,
        "failing_since": instant(policy.failing_since),
        "last_failure": code,
        "retry_at": instant(policy.retry_at),
        "created_at": instant(policy.created_at),
    }


def _trigger(policy: AutoTopup, unit: ServiceUnit) -> View:
    return {
        "kind": policy.trigger,
        "below": plain_units(policy.below, unit),
        "target": plain_units(policy.target, unit),
        "every_s": policy.every_s,
        "next_at": instant(policy.due_at),
    }


def _step(policy: AutoTopup, unit: ServiceUnit) -> View:
    price = money(policy.price_minor, policy.currency) if policy.price_minor else None
    return {"pack": policy.pack, "amount": plain_units(policy.quantity, unit), "price": price}


def plain_units(units: int | None, unit: ServiceUnit) -> str | None:
    """Write scaled units as a decimal string."""
    return None if units is None else written(units, unit.scale)


def waits_for(policy: AutoTopup, now: datetime) -> str | None:
    """Say in a word what it is waiting for. None when nothing is to be bought by it."""
    if policy.attempt:
        return "customer" if policy.action_by else "payment"
    if not policy.is_on:
        return None
    if policy.retry_at and now < policy.retry_at:
        return "retry" if policy.failing_since else "next_month"
    return "interval" if policy.trigger is Trigger.INTERVAL else "threshold"
