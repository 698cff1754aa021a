"""How a subscription changes: its items, its trial, its billing cycle, and what that bills."""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import (
    prorations,
    renewals,
    subscription_checks,
    subscription_invoices,
    subscription_items,
    subscription_lines,
    subscription_plans,
    subscription_starts,
    subscription_states,
    subscription_terms,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.params import Given
from counterfoil.sandbox.shadows import shadow_of
from counterfoil.sandbox.subscription_fields import KIND, not_covered
from counterfoil.sandbox.subscription_invoices import Bill
from counterfoil.sandbox.subscription_plans import Plan

_UNBILLED = ("metadata", "cancellation_details")
"""What can still be changed when a subscription is over."""
_EARLY = (*_UNBILLED, "default_payment_method", "description", "payment_settings", "trial_settings", "invoice_settings")
"""What can be changed before the first payment."""


_BILLED = ("add_invoice_items", "billing_cycle_anchor", "items", "trial_end")
"""What bills something, or begins a period."""


def change(call: Call, subscription: Doc, given: Given) -> Doc:
    """Update a subscription as the parameters say; `error_if_incomplete` is tried on a copy first."""
    own = replace(call, given=given)
    behavior = given.get("payment_behavior") or "allow_incomplete"
    if behavior == "pending_if_incomplete":
        raise not_covered("pending updates (payment_behavior=pending_if_incomplete)", "payment_behavior")
    _check_open(subscription, given)
    if behavior == "error_if_incomplete":
        apart = shadow_of(own, subscription["customer"])
        error = _carry_out(apart, apart.shelf.find(KIND, subscription["id"], "subscription"))
        if error is not None:
            raise error
    _carry_out(own, subscription)
    return subscription


def drafted(call: Call, subscription: Doc) -> Doc | None:
    """Apply the call's parameters; returns the draft of what they bill at once, if anything.

    The subscription is stored; nothing is told, and the draft is not stored yet.
    """
    given = call.given
    subscription_checks.check_early(call)
    is_prorated = given.get("proration_behavior") != "none" and subscription["status"] != "trialing"
    if is_prorated and {"billing_cycle_anchor", "items", "trial_end"} & set(given):
        subscription_terms.check_prorations(call, subscription)
    subscription_starts.apply_plain(call, subscription)
    _apply_details(subscription, given)
    items = subscription_items.items_of(call, subscription)
    plan = subscription_plans.planned(call, subscription, items, given.get("items") or [])
    at = _proration_date(call, subscription)
    if _ends_trial(subscription, given):
        invoice = _end_trial(call, subscription, plan)
    elif _starts_trial(subscription, given):
        invoice = _start_trial(call, subscription, plan, at)
    else:
        _move_trial(call, subscription, given)
        redraw = _restart if _restarts(subscription, items, plan, given) else _prorate
        invoice = redraw(call, subscription, plan, at)
    _apply_end(call, subscription)
    return invoice


def _carry_out(call: Call, subscription: Doc) -> StripeError | None:
    """Change a subscription and bill it; returns why what it bills could not be collected."""
    before = copy_of(subscription)
    try:
        invoice = drafted(call, subscription)
    except StripeError:
        # What was refused has changed nothing.
        subscription.clear()
        subscription.update(before)
        call.shelf.save(subscription)
        raise
    if invoice is not None:
        subscription_invoices.issue(call, subscription, invoice)
    subscription_states.save(call, subscription, before)
    if _is_given_up(call, subscription):
        missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
        renewals.give_up_trial(call, subscription, missing)
        return None
    error = None if invoice is None else _collect(call, subscription, invoice)
    renewals.plan(call, subscription)
    paused = subscription["pause_collection"]
    if paused and paused["resumes_at"]:
        call.schedule(paused["resumes_at"], "resume_collection", subscription)
    return error


def _collect(call: Call, subscription: Doc, invoice: Doc) -> StripeError | None:
    behavior = call.chosen("payment_behavior", "allow_incomplete")
    error = subscription_invoices.collect_now(call, invoice, behavior)
    if behavior == "default_incomplete" and invoice["status"] == "open" and subscription["status"] == "active":
        subscription_states.set_status(call, subscription, "past_due")
    return error


def _restarts(subscription: Doc, items: list[Doc], plan: Plan, given: Given) -> bool:
    """True when a whole period begins now: it was asked for, the interval is another, or what was free is not."""
    is_trial = subscription["status"] == "trialing"
    rhythm = subscription_items.check_fit([item["price"] for item in plan.items])
    if given.get("billing_cycle_anchor") == "now":
        if is_trial:
            raise not_covered("billing_cycle_anchor=now during a trial", "billing_cycle_anchor")
        return True
    was_free, is_free = (not any(map(subscription_items.amount_of, some)) for some in (items, plan.items))
    return not is_trial and (rhythm != subscription_items.rhythm(subscription) or (was_free and not is_free))


def _is_given_up(call: Call, subscription: Doc) -> bool:
    """True when the trial that the caller ended leaves nothing to go on with."""
    return bool(subscription["status"] == "trialing" and subscription["trial_end"] <= call.now)


def _apply_end(call: Call, subscription: Doc) -> None:
    """When it is to end. What was billed beyond that is given back, and charged again when the end moves away, unless
    prorations are off.
    """
    subscription_starts.apply_end(call, subscription)
    end, is_prorated = subscription["cancel_at"], call.given.get("proration_behavior") != "none"
    if {"cancel_at", "cancel_at_period_end"} & set(call.given) and is_prorated:
        for item in subscription_items.items_of(call, subscription):
            _move_end(call, subscription, item, end)
        is_early = end is not None and end < subscription["current_period_end"]
        subscription["_billed_until"] = end if is_early else None
    call.shelf.save(subscription)


def _move_end(call: Call, subscription: Doc, item: Doc, end: int | None) -> None:
    billed_until = subscription["_billed_until"]
    if billed_until is not None and billed_until != end:
        prorations.charge(call, subscription, item, billed_until)
    if end is not None and end < subscription["current_period_end"] and billed_until != end:
        prorations.credit(call, subscription, item, end)
    call.shelf.save(item)


def _check_open(subscription: Doc, given: Given) -> None:
    names = set(given) - {"payment_behavior", "proration_behavior", "off_session"}
    if subscription["status"] in subscription_states.ENDED and names - set(_UNBILLED):
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if subscription["status"] == "paused" and names & set(_BILLED):
        raise not_covered("changes to what a paused subscription bills", sorted(names & set(_BILLED))[0])
    if subscription["status"] == "incomplete" and names - set(_EARLY):
        raise invalid(
            "This subscription cannot be updated in this way because its first invoice is not paid: "
            f"{', '.join(sorted(names - set(_EARLY)))}."
        )


def _apply_details(subscription: Doc, given: Given) -> None:
    if given.get("cancellation_details"):
        subscription["cancellation_details"] = subscription["cancellation_details"] | given["cancellation_details"]
    if "pause_collection" in given:
        paused = given["pause_collection"]
        subscription["pause_collection"] = (
            {"behavior": paused["behavior"], "resumes_at": paused.get("resumes_at")} if paused else None
        )


def _proration_date(call: Call, subscription: Doc) -> int:
    at: int = call.chosen("proration_date", call.now)
    if not subscription["current_period_start"] <= at <= subscription["current_period_end"]:
        raise invalid(
            "Cannot specify proration_date outside of current subscription period "
            f"({subscription['current_period_start']} - {subscription['current_period_end']})",
            "proration_date",
        )
    return at


def _ends_trial(subscription: Doc, given: Given) -> bool:
    return given.get("trial_end") == "now" and subscription["status"] == "trialing"


def _end_trial(call: Call, subscription: Doc, plan: Plan) -> Doc | None:
    """A trial ends because the caller says so: the first period begins now, and is billed now."""
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    subscription["trial_end"] = call.now
    if missing != "create_invoice" and renewals.lacks_method(call, subscription):
        _store(call, subscription, plan)
        return None
    subscription["status"] = "active"
    return _begin_period(call, subscription, plan, call.now)


def _starts_trial(subscription: Doc, given: Given) -> bool:
    return isinstance(given.get("trial_end"), int) and subscription["status"] != "trialing"


def _start_trial(call: Call, subscription: Doc, plan: Plan, at: int) -> Doc | None:
    """A trial begins for what is billed already: the rest of the period is given back, and the trial invoiced."""
    end, now = call.given["trial_end"], call.now
    subscription_checks.check_trial_end(call, end)
    if call.given.get("proration_behavior") != "none":
        for was in plan.billed():
            prorations.credit(call, subscription, was, at)
    behind = (subscription["current_period_start"], now)
    for item in plan.items:
        item["_debits"] = []
    subscription |= {"status": "trialing", "trial_start": now, "trial_end": end, "billing_cycle_anchor": end}
    subscription |= {"current_period_start": now, "current_period_end": end}
    _store(call, subscription, plan)
    lines = [subscription_lines.trial_line(call, subscription, item, (now, end)) for item in reversed(plan.items)]
    return _with_extras(call, subscription, Bill("subscription_update", lines, behind, proration_date=at))


def _move_trial(call: Call, subscription: Doc, given: Given) -> None:
    """A trial is made longer or shorter."""
    end = given.get("trial_end")
    if end is None or end == "now":
        return
    subscription_checks.check_trial_end(call, end)
    subscription |= {"trial_end": end, "billing_cycle_anchor": end, "current_period_end": end}


def _restart(call: Call, subscription: Doc, plan: Plan, at: int) -> Doc | None:
    """Credit what is left of the period, and bill a whole one that begins now."""
    if call.given.get("proration_behavior") != "none":
        for was in plan.billed():
            prorations.credit(call, subscription, was, at)
    return _begin_period(call, subscription, plan, at)


def _begin_period(call: Call, subscription: Doc, plan: Plan, at: int) -> Doc | None:
    behind = (subscription["current_period_start"], call.now)
    rhythm = subscription_items.check_fit([item["price"] for item in plan.items])
    for item in plan.items:
        item["_debits"] = []
    subscription |= {"billing_cycle_anchor": call.now, "current_period_start": call.now}
    subscription["current_period_end"] = rhythm.step(call.now, 1)
    _store(call, subscription, plan)
    bill = Bill("subscription_update", renewals.period_lines(call, subscription), behind, proration_date=at)
    return _with_extras(call, subscription, bill)


def _prorate(call: Call, subscription: Doc, plan: Plan, at: int) -> Doc | None:
    """Prorate changed items within the period, and invoice that at once where it is asked for."""
    behavior = call.chosen("proration_behavior", "create_prorations")
    billed = plan.bills and behavior != "none"
    if billed:
        for was in plan.gone:
            prorations.credit(call, subscription, was, at)
        for was, becomes in plan.changed:
            if was:
                becomes["_debits"] = _credited(call, subscription, was, at)
            prorations.charge(call, subscription, becomes, at)
    _store(call, subscription, plan)
    if not ((behavior == "always_invoice" and billed) or call.given.get("add_invoice_items")):
        return None
    behind = (subscription["current_period_start"], call.now)
    return _with_extras(call, subscription, Bill("subscription_update", [], behind, proration_date=at))


def _credited(call: Call, subscription: Doc, was: Doc, at: int) -> list[Doc]:
    """Credit an item as it was; returns the debits that stay."""
    prorations.credit(call, subscription, was, at)
    left: list[Doc] = was["_debits"]
    return left


def _with_extras(call: Call, subscription: Doc, bill: Bill) -> Doc | None:
    invoice = subscription_invoices.draft(call, subscription, bill)
    subscription_starts.add_extra_items(call, subscription, invoice)
    return invoice if invoice["_lines"] else None


def _store(call: Call, subscription: Doc, plan: Plan) -> None:
    for item in plan.gone:
        call.shelf.bury(item)
    subscription_items.show_items(call, subscription, plan.items)
    call.shelf.save(subscription)
