"""Why an auto top-up is where it is: what it would buy, what a month may still cost, and what it is waiting for."""

from datetime import datetime
from typing import Final

from counterfoil.core.agreed import AutoTopup, Trigger
from counterfoil.core.books import Wallet
from counterfoil.core.equation import Equation, Explanation, Term, amount_text
from counterfoil.core.lifecycle import AutoTopupStatus
from counterfoil.core.money import exponent


def explain_topup(policy: AutoTopup, wallet: Wallet, spent_minor: int, now: datetime) -> Explanation:
    """Explain an auto top-up: the month's cap = what was spent of it + what is left."""
    own = (str(policy.id),)
    cap = Term("cap", "allowed in this month", policy.month_max_minor, own)
    used = Term("spent", "bought by itself", spent_minor, own)
    left = Term("left", "still allowed", policy.month_max_minor - spent_minor, own)
    month = Equation("This month", policy.currency, exponent(policy.currency), cap, (used, left))
    return Explanation(f"{_when(policy, wallet)}; {_waits(policy, now)}.", (month,))


def _when(policy: AutoTopup, wallet: Wallet) -> str:
    if policy.status is AutoTopupStatus.OFF:
        return "Auto top-up is off"
    if policy.status is AutoTopupStatus.SUSPENDED:
        return f"Auto top-up was switched off after a week of failure ({policy.failure_code})"
    if policy.trigger is Trigger.INTERVAL:
        return f"Credits are bought every {policy.every_s} seconds"
    scale, unit = wallet.unit.scale, wallet.unit.code
    up_to = f", up to {amount_text(policy.target, scale)} {unit}" if policy.target else ""
    return f"Credits are bought when less than {amount_text(policy.below or 0, scale)} {unit} can be spent{up_to}"


def _waits(policy: AutoTopup, now: datetime) -> str:
    if policy.attempt and policy.action_by:
        return f"{policy.attempt} waits until {policy.action_by:{TIME}} UTC for the customer to confirm it"
    if policy.attempt:
        return f"{policy.attempt} is under way"
    if not policy.is_on:
        return "a person can switch it on again"
    if policy.retry_at and now < policy.retry_at:
        failed = f"after failure {policy.failures} ({policy.failure_code})"
        why = failed if policy.failing_since else "in the next month"
        return f"it is tried again {why}, at {policy.retry_at:{TIME}} UTC"
    return "nothing is under way"


TIME: Final = "%Y-%m-%d %H:%M"
