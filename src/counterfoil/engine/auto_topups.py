"""Commands about auto top-up, and what it looks like: where it stands, and what it is waiting for."""

from collections.abc import Callable
from datetime import datetime

from counterfoil.core import agreements
from counterfoil.core.agreed import AutoTopup, Terms, Trigger, month_of
from counterfoil.core.attempts import spent
from counterfoil.core.books import Books, Wallet
from counterfoil.core.effects import Decision
from counterfoil.core.ids import WalletId
from counterfoil.core.money import ServiceUnit
from counterfoil.core.money import plain as written
from counterfoil.engine import topping_up
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.operations import Asked, no_books, owner_of
from counterfoil.engine.views import View, instant, money
from counterfoil.store import auto_topups, subjects
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain


def set_auto_topup(asked: Asked, wallet: str, terms_in: Callable[[ServiceUnit], Terms]) -> Result:
    """Switch a wallet's auto top-up on, or change its terms, which count in the wallet's unit."""

    def rule(tx: Tx, books: Books, moment: Moment) -> Decision:
        return topping_up.decide_set(tx, books, wallet, terms_in, moment.now, moment.new_id)

    return _on_wallet(asked, wallet, rule)


def stop_auto_topup(asked: Asked, wallet: str) -> Result:
    """Switch a wallet's auto top-up off."""

    def rule(tx: Tx, books: Books, moment: Moment) -> Decision:
        return agreements.decide_off(books, WalletId(wallet), moment.now, moment.new_id)

    return _on_wallet(asked, wallet, rule)


def _on_wallet(asked: Asked, wallet: str, rule: Callable[[Tx, Books, Moment], Decision]) -> Result:
    customer = owner_of(asked, "wallet", wallet)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return rule(tx, books, moment) if books else no_books("wallet", wallet)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(show(tx, wallet, asked.house.clock.now())))

    scope = topping_up.scope(wallet, asked.house.clock.now())
    return run(asked.house, asked.tenant, asked.request, Plan(customer, scope, decide, answer, awaits=lambda _: None))


# --- what it looks like ---


def show(tx: Tx, wallet: str, now: datetime) -> View | None:
    """Show a wallet's auto top-up, None when it never had one."""
    return next(iter(show_all(tx, [wallet], now)), None)


def show_all(tx: Tx, wallets: list[str], now: datetime) -> list[View]:
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
