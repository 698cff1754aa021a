"""What is looked at before a subscription begins or changes, so that a refusal leaves nothing half done."""

from __future__ import annotations

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.errors import invalid, parameter_missing
from counterfoil.sandbox.params import Given
from counterfoil.sandbox.periods import DAY_S

_LONGEST_TRIAL_S = 730 * DAY_S


def check_early(call: Call) -> None:
    """Refuse what would be found wrong only after something else was stored."""
    given = call.given
    if given.get("cancel_at") is not None and given.get("cancel_at_period_end"):
        raise invalid("You may only specify one of these parameters: cancel_at, cancel_at_period_end.", "cancel_at")
    if isinstance(given.get("cancel_at"), int) and given["cancel_at"] <= call.now:
        raise invalid("`cancel_at` must be in the future.", "cancel_at")
    for position, extra in enumerate(given.get("add_invoice_items") or []):
        _check_extra(call, extra, f"add_invoice_items[{position}][price]")


def check_trial_end(call: Call, end: int) -> None:
    """A trial ends in the future, but not in the far one."""
    if end <= call.now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", "trial_end")
    if end > call.now + _LONGEST_TRIAL_S:
        raise invalid("Invalid timestamp: trial_end can be at most two years in the future.", "trial_end")


def _check_extra(call: Call, extra: Given, path: str) -> None:
    if not extra.get("price") and not extra.get("price_data"):
        raise parameter_missing(path)
    if extra.get("price") and call.referred("price", extra["price"], path)["type"] != "one_time":
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
            path,
        )
