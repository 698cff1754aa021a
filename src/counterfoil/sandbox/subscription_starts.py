"""How a subscription begins: its items, its first period, and its first invoice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from counterfoil.sandbox import (
    invoice_collecting,
    invoice_fields,
    invoice_items,
    renewals,
    setup_intents,
    subscription_checks,
    subscription_invoices,
    subscription_items,
    subscription_lines,
    subscription_states,
    subscription_terms,
)
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.params import Given
from counterfoil.sandbox.payment_methods import not_of_customer
from counterfoil.sandbox.periods import DAY_S, Rhythm
from counterfoil.sandbox.shadows import shadow_of
from counterfoil.sandbox.subscription_fields import blank_subscription, not_covered
from counterfoil.sandbox.subscription_invoices import Bill


def start(call: Call, given: Given, owner: Doc | None = None) -> Doc:
    """Create a subscription as the parameters say; `owner` are fields by which another object has it for its own.

    `error_if_incomplete`, and what redeems coupons, is tried on a copy first, so that a refusal leaves nothing behind.
    """
    own = replace(call, given=given)
    behavior = given.get("payment_behavior") or "allow_incomplete"
    if behavior == "pending_if_incomplete":
        raise invalid("`pending_if_incomplete` can only be used when a subscription is updated.", "payment_behavior")
    if behavior == "error_if_incomplete":
        _, error = _begin(shadow_of(own, given["customer"]), owner or {})
        if error is not None:
            raise error
    elif subscription_terms.redeems(given):
        opened(shadow_of(own, given["customer"]), owner)
    subscription, _ = _begin(own, owner or {})
    return subscription


def opened(call: Call, owner: Doc | None = None) -> tuple[Doc, Doc | None]:
    """A subscription with its items, and the draft of its first invoice; neither is told yet."""
    given = call.given
    subscription_checks.check_early(call)
    customer = call.referred("customer", given["customer"], "customer")
    priced = [
        (subscription_items.price_of(call, item, f"items[{position}]"), item)
        for position, item in enumerate(given.get("items") or [])
    ]
    rhythm = subscription_items.check_fit([price for price, _ in priced])
    currency = _currency(call, customer, priced[0][0])
    subscription = blank_subscription(call, customer, currency) | (owner or {})
    apply_plain(call, subscription)
    _set_times(call, subscription, rhythm)
    items = [subscription_items.new_item(call, subscription, price, item) for price, item in priced]
    for place, (item, (_, entry)) in enumerate(zip(items, priced, strict=True)):
        subscription_terms.apply_to_item(call, subscription, item, entry, f"items[{place}]")
    apply_end(call, subscription)
    _check_payable(call, subscription, items)
    subscription_items.show_items(call, subscription, items)
    call.shelf.save(subscription)
    _set_currency(call, customer, currency)
    return subscription, _first_draft(call, subscription)


def apply_plain(call: Call, subscription: Doc) -> None:
    """Set what a caller may choose at any time and what bills nothing."""
    given = call.given
    if (given.get("automatic_tax") or {}).get("enabled"):
        raise not_covered("automatic tax", "automatic_tax[enabled]")
    if given.get("trial_from_plan"):
        raise not_covered("trials of plans", "trial_from_plan")
    _apply_collection(call, subscription)
    subscription_terms.apply(call, subscription)
    if "default_payment_method" in given:
        subscription["default_payment_method"] = _own_method(call, subscription)
    apply_given(subscription, given, ("description", "metadata"))
    for name in ("invoice_settings", "payment_settings"):
        subscription[name] = subscription[name] | (given.get(name) or {})
    if given.get("trial_settings"):
        subscription["trial_settings"] = given["trial_settings"]


def apply_end(call: Call, subscription: Doc) -> None:
    """When a subscription is to end: with its period, or at a time."""
    given = call.given
    end = subscription["current_period_end"]
    if "cancel_at_period_end" in given:
        subscription["cancel_at_period_end"] = given["cancel_at_period_end"]
        _set_end(call, subscription, end if given["cancel_at_period_end"] else None)
    if "cancel_at" in given:
        asked = given["cancel_at"]
        asked = end if isinstance(asked, str) else asked
        subscription["cancel_at_period_end"] = False
        _set_end(call, subscription, asked)


def _set_end(call: Call, subscription: Doc, time: int | None) -> None:
    is_set = time is not None
    subscription |= {"cancel_at": time, "canceled_at": call.now if is_set else None}
    subscription["cancellation_details"]["reason"] = "cancellation_requested" if is_set else None


def _begin(call: Call, owner: Doc) -> tuple[Doc, StripeError | None]:
    """Open a subscription and bill it; returns why its first invoice could not be collected, None where it could."""
    subscription, invoice = opened(call, owner)
    call.note("subscription", subscription)
    behavior = call.chosen("payment_behavior", "allow_incomplete")
    if subscription["collection_method"] == "send_invoice" and subscription["status"] == "incomplete":
        subscription["status"] = "active"
    error = None
    if invoice is None:
        if subscription["status"] == "incomplete":
            subscription["status"] = "active"
    else:
        subscription_invoices.issue(call, subscription, invoice)
        error = subscription_invoices.collect_now(call, invoice, behavior)
    _expect_method(call, subscription, invoice)
    _tell(call, subscription)
    return subscription, error


def _tell(call: Call, subscription: Doc) -> None:
    """Tell the new subscription as it is after the first try to collect, and set its timers."""
    subscription["_told"] = True
    call.shelf.save(subscription)
    call.emit("customer.subscription.created", subscription)
    if subscription["status"] == "incomplete":
        call.schedule(call.now + subscription_states.INCOMPLETE_S, "expire_incomplete", subscription)
    renewals.plan(call, subscription)


def _first_draft(call: Call, subscription: Doc) -> Doc | None:
    """The first invoice; None where nothing is billed until the billing cycle begins."""
    given, now = call.given, call.now
    items = subscription_items.items_of(call, subscription)
    span = (now, subscription["current_period_end"])
    lines: list[Doc] = []
    if subscription["status"] == "trialing":
        lines = [subscription_lines.trial_line(call, subscription, item, span) for item in reversed(items)]
    elif subscription["billing_cycle_anchor"] == now:
        lines = renewals.period_lines(call, subscription)
    elif given.get("proration_behavior") != "none":
        lines = renewals.partial_lines(call, subscription, span)
    if not lines and not given.get("add_invoice_items"):
        return None
    invoice = subscription_invoices.draft(call, subscription, Bill("subscription_create", lines, (now, now)))
    add_extra_items(call, subscription, invoice)
    return invoice


def add_extra_items(call: Call, subscription: Doc, invoice: Doc) -> None:
    """Put one-off items on a draft that is not stored yet."""
    customer = call.shelf.find("customer", subscription["customer"], "customer", 400)
    for extra in call.given.get("add_invoice_items") or []:
        item = invoice_items.add_item(call, extra, customer, invoice)
        item["subscription"] = subscription["id"]
        invoice_items.take_up(call, invoice, [item])
    invoice_fields.recount(invoice, customer)


def _set_times(call: Call, subscription: Doc, rhythm: Rhythm) -> None:
    """The first period: a trial, the time until a chosen anchor, or a whole one from now on."""
    now, trial_end, anchor = call.now, _trial_end(call), call.given.get("billing_cycle_anchor")
    if trial_end is not None and anchor is not None and anchor != trial_end:
        raise not_covered("a billing cycle anchor together with a trial", "billing_cycle_anchor")
    if trial_end is not None:
        subscription |= {"status": "trialing", "trial_start": now, "trial_end": trial_end}
        subscription |= {"billing_cycle_anchor": trial_end, "current_period_end": trial_end}
        return
    if anchor is None:
        subscription["current_period_end"] = rhythm.step(now, 1)
        return
    if not now < anchor <= rhythm.step(now, 1):
        raise invalid(
            "billing_cycle_anchor must be in the future, and no later than the next natural billing date "
            f"({rhythm.step(now, 1)}) of the subscription.",
            "billing_cycle_anchor",
        )
    subscription |= {"billing_cycle_anchor": anchor, "current_period_end": anchor}


def _trial_end(call: Call) -> int | None:
    given = call.given
    asked, days = given.get("trial_end"), given.get("trial_period_days")
    if asked is not None and days is not None:
        raise invalid("You may only specify one of these parameters: trial_end, trial_period_days.", "trial_end")
    if asked == "now" or (asked is None and not days):
        return None
    end = call.now + (days or 0) * DAY_S if asked is None else asked
    subscription_checks.check_trial_end(call, end)
    return int(end)


def _apply_collection(call: Call, subscription: Doc) -> None:
    given = call.given
    collection = given.get("collection_method") or subscription["collection_method"]
    days = given.get("days_until_due", subscription["days_until_due"])
    if collection == "send_invoice" and days is None:
        raise invalid("You must pass `days_until_due` with collection_method 'send_invoice'.", "days_until_due")
    if collection == "charge_automatically" and given.get("days_until_due") is not None:
        raise invalid(
            "You can only set `days_until_due` if the subscription's collection method is 'send_invoice'.",
            "days_until_due",
        )
    customer = call.shelf.get("customer", subscription["customer"]) or {}
    if collection == "send_invoice" and not customer.get("email"):
        raise invalid(
            "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid "
            "email.",
            "collection_method",
        )
    subscription |= {
        "collection_method": collection,
        "days_until_due": days if collection == "send_invoice" else None,
    }


def _own_method(call: Call, subscription: Doc) -> str | None:
    named = call.given["default_payment_method"]
    if not named:
        return None
    method = call.referred("payment_method", named, "default_payment_method")
    if method["customer"] != subscription["customer"]:
        raise not_of_customer(method["id"])
    return str(method["id"])


def _check_payable(call: Call, subscription: Doc, items: list[Doc]) -> None:
    """Refuse to start what is to be charged at once where there is nothing to charge."""
    behavior = call.chosen("payment_behavior", "allow_incomplete")
    is_due = any(map(subscription_items.amount_of, items)) and subscription["status"] != "trialing"
    if is_due and behavior != "default_incomplete" and renewals.lacks_method(call, subscription):
        raise StripeError(invoice_collecting.NO_METHOD, code="resource_missing")


def _expect_method(call: Call, subscription: Doc, invoice: Doc | None) -> None:
    """Where nothing is due at first, a method for later is asked for by a setup intent."""
    is_due = invoice is not None and invoice["status"] != "paid"
    if is_due or subscription["collection_method"] == "send_invoice":
        return
    if not renewals.lacks_method(call, subscription) or subscription["status"] not in ("trialing", "active"):
        return
    given: dict[str, Any] = {"customer": subscription["customer"], "usage": "off_session"}
    types = subscription["payment_settings"]["payment_method_types"]
    if types:
        given["payment_method_types"] = types
    intent = setup_intents.open_intent(call, given, _subscription=subscription["id"])
    subscription["pending_setup_intent"] = intent["id"]


def _currency(call: Call, customer: Doc, price: Doc) -> str:
    """A subscription's currency: its prices'; the customer's, once they have one, must be the same."""
    currency = str(price["currency"])
    if call.given.get("currency") and check_currency(call.given) != currency:
        raise invalid(
            f"The price specified only supports `{currency}`. This doesn't match the expected currency: "
            f"`{call.given['currency']}`.",
            "currency",
        )
    if customer["currency"] not in (None, currency):
        raise invalid(
            "You cannot combine currencies on a single customer. This customer has an active subscription, discount, "
            f"quote, or invoice item with currency {customer['currency']}.",
        )
    return currency


def _set_currency(call: Call, customer: Doc, currency: str) -> None:
    if customer["currency"] is None:
        before = copy_of(customer)
        customer["currency"] = currency
        call.save(customer, "customer.updated", before)
