"""What time does to a subscription: trials end, periods follow each other, and what was to end ends."""

from __future__ import annotations

from counterfoil.sandbox import (
    invoice_collecting,
    invoice_fields,
    invoice_payments,
    invoices,
    prorations,
    subscription_invoices,
    subscription_items,
    subscription_lines,
    subscription_states,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.periods import DAY_S
from counterfoil.sandbox.shadows import move_to, shadow_of
from counterfoil.sandbox.subscription_fields import KIND
from counterfoil.sandbox.subscription_invoices import Bill
from counterfoil.sandbox.subscription_lines import Span

TRIAL_WARNING_S = 3 * DAY_S
_BILLED = ("active", "past_due", "trialing", "unpaid")
"""Subscriptions that go on to their next period."""


def plan(call: Call, subscription: Doc) -> None:
    """Set the timers for whatever comes next. Those set before still ring, and find nothing to do."""
    end = subscription["current_period_end"]
    due = [end, *(time for time in (subscription["cancel_at"],) if time is not None)]
    for time in due:
        call.schedule(max(time, call.now), "advance_subscription", subscription)
    warning = end - call.world.settings.upcoming_days * DAY_S
    if subscription["status"] in _BILLED and warning > call.now:
        call.schedule(warning, "tell_upcoming", subscription)
    if subscription["status"] == "trialing":
        call.schedule(subscription["trial_end"] - TRIAL_WARNING_S, "tell_trial_end", subscription)
        tell_trial_end(call, subscription["id"])


def advance_subscription(call: Call, identifier: str) -> None:
    """Do what has become due: an end that was set comes before another period."""
    subscription = call.shelf.get(KIND, identifier)
    if subscription is None or subscription["status"] not in _BILLED:
        return
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= call.now:
        subscription_states.cancel(call, subscription, "cancellation_requested")
    elif subscription["current_period_end"] <= call.now and subscription["status"] == "trialing":
        end_trial(call, subscription)
    elif subscription["current_period_end"] <= call.now:
        renew(call, subscription)


def end_trial(call: Call, subscription: Doc) -> None:
    """A trial is over by itself: bill the first period, or do what was chosen for a customer without a method."""
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if missing != "create_invoice" and lacks_method(call, subscription):
        give_up_trial(call, subscription, missing)
        return
    renew(call, subscription)


def give_up_trial(call: Call, subscription: Doc, behavior: str) -> None:
    """A trial ends without a method to go on with: cancel or pause."""
    if behavior == "cancel":
        subscription_states.cancel(call, subscription, None)
    else:
        subscription_states.pause(call, subscription, "trial_end_without_payment_method")


def renew(call: Call, subscription: Doc) -> Doc:
    """Begin the next period and draft its invoice, which is finalized and collected an hour later."""
    before = copy_of(subscription)
    behind = (subscription["current_period_start"], subscription["current_period_end"])
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    set_period(call, subscription, next_period(subscription))
    invoice = subscription_invoices.draft(
        call, subscription, Bill("subscription_cycle", period_lines(call, subscription), behind)
    )
    _let_advance(subscription, invoice)
    subscription_invoices.issue(call, subscription, invoice)
    subscription_states.save(call, subscription, before)
    _hold_back(call, subscription, invoice)
    plan(call, subscription)
    return invoice


def next_period(subscription: Doc) -> Span:
    """The period that begins when the present one ends."""
    rhythm = subscription_items.rhythm(subscription)
    end = subscription["current_period_end"]
    return end, rhythm.around(subscription["billing_cycle_anchor"], end)[1]


def set_period(call: Call, subscription: Doc, span: Span) -> None:
    subscription |= {"current_period_start": span[0], "current_period_end": span[1]}
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = span[1]
    subscription_items.show_items(call, subscription, subscription_items.items_of(call, subscription))


def period_lines(call: Call, subscription: Doc) -> list[Doc]:
    """The lines of the period that begins; one in which the subscription is to end is billed only until then."""
    items = subscription_items.items_of(call, subscription)
    span = (subscription["current_period_start"], subscription["current_period_end"])
    until = subscription["cancel_at"]
    subscription["_billed_until"] = None if until is None or until >= span[1] else until
    if subscription["_billed_until"] is None:
        return subscription_lines.whole_lines(call, subscription, items, span)
    return partial_lines(call, subscription, (span[0], until))


def partial_lines(call: Call, subscription: Doc, span: Span) -> list[Doc]:
    """The lines of a period that is cut short."""
    return [
        subscription_lines.period_line(
            call,
            subscription,
            item,
            span,
            prorations.part_of(subscription, subscription_items.amount_of(item), span),
            is_partial=True,
        )
        for item in reversed(subscription_items.items_of(call, subscription))
    ]


def lacks_method(call: Call, subscription: Doc) -> bool:
    """True when nothing could pay the subscription's next invoice by itself."""
    if subscription["collection_method"] == "send_invoice":
        return False
    return invoice_collecting.default_method(call, unbilled(subscription)) is None


def unbilled(subscription: Doc) -> Doc:
    """As much of an invoice as says who would pay it."""
    names = ("customer", "default_payment_method")
    return {name: subscription[name] for name in names} | {"subscription": subscription["id"]}


def tell_upcoming(call: Call, identifier: str) -> None:
    """Some days before a period ends: what its invoice would be as things are."""
    subscription = call.shelf.get(KIND, identifier)
    if subscription is None or subscription["status"] not in _BILLED:
        return
    end = subscription["current_period_end"]
    is_early = end - call.world.settings.upcoming_days * DAY_S > call.now
    if is_early or subscription["_upcoming_told"] == end or ends_with_period(subscription):
        return
    subscription["_upcoming_told"] = end
    call.shelf.save(subscription)
    call.emit("invoice.upcoming", upcoming(call, subscription))


def ends_with_period(subscription: Doc) -> bool:
    """True when no period follows the present one."""
    until = subscription["cancel_at"]
    return until is not None and until <= subscription["current_period_end"]


def upcoming(call: Call, subscription: Doc) -> Doc:
    """The invoice of the next renewal as it would be now. Nothing of it stays."""
    apart = shadow_of(call, subscription["customer"], drafts_only=True)
    move_to(apart, subscription["current_period_end"])
    return as_preview(renew(apart, apart.shelf.find(KIND, subscription["id"], "subscription")))


def as_preview(invoice: Doc) -> Doc:
    """An invoice that is none yet."""
    shown = copy_of(invoice)
    shown["id"] = shown["id"].replace("in_", "upcoming_in_", 1)
    for line in shown["_lines"]:
        line["invoice"] = shown["id"]
    shown |= {"automatically_finalizes_at": None, "billing_reason": "upcoming", "status": "draft"}
    invoice_fields.show_lines(shown)
    return shown


def tell_trial_end(call: Call, identifier: str) -> None:
    """Three days before a trial ends, or at once where it is shorter."""
    subscription = call.shelf.get(KIND, identifier)
    if subscription is None or subscription["status"] != "trialing":
        return
    end = subscription["trial_end"]
    if end - TRIAL_WARNING_S > call.now or subscription["_trial_end_told"] == end:
        return
    subscription["_trial_end_told"] = end
    call.shelf.save(subscription)
    call.emit("customer.subscription.trial_will_end", subscription)


def resume_collection(call: Call, identifier: str) -> None:
    """The day has come until which collection was paused."""
    subscription = call.shelf.get(KIND, identifier)
    paused = (subscription or {}).get("pause_collection")
    if subscription is None or not paused or paused["resumes_at"] is None or paused["resumes_at"] > call.now:
        return
    before = copy_of(subscription)
    subscription["pause_collection"] = None
    subscription_states.save(call, subscription, before)


def tell_overdue(call: Call, identifier: str) -> None:
    """An invoice that was sent is not paid on its day."""
    invoice = call.shelf.get("invoice", identifier)
    if invoice is None or invoice.get("deleted") or invoice["status"] != "open":
        return
    if invoice["due_date"] is None or invoice["due_date"] > call.now or invoice.get("_overdue_told"):
        return
    invoice["_overdue_told"] = True
    call.shelf.save(invoice)
    call.emit("invoice.overdue", invoice)
    invoice_payments.set_delinquent(call, invoice, True)
    subscription = call.shelf.get(KIND, invoice["subscription"] or "")
    if subscription is not None and subscription["status"] in ("active", "trialing"):
        subscription_states.set_status(call, subscription, "past_due")
        deadline = invoice["due_date"] + call.world.settings.overdue_ends_after_days * DAY_S
        call.schedule(deadline, "end_overdue", invoice)


def end_overdue(call: Call, identifier: str) -> None:
    """An invoice that was sent is not paid long after its day: its subscription ends as if dunning had."""
    invoice = call.shelf.get("invoice", identifier)
    if invoice is None or invoice.get("deleted") or invoice["status"] != "open":
        return
    subscription = call.shelf.get(KIND, invoice["subscription"] or "")
    if subscription is not None and subscription["status"] == "past_due":
        subscription_states.give_up(call, subscription)


def watch_due(call: Call, invoice: Doc) -> None:
    """A finalized invoice that is sent has a day until which it is to be paid."""
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is not None:
        call.schedule(max(call.now, invoice["due_date"]), "tell_overdue", invoice)


def _let_advance(subscription: Doc, invoice: Doc) -> None:
    """A renewal goes on by itself, unless its subscription is given up or its collection is paused."""
    paused = (subscription["pause_collection"] or {}).get("behavior")
    invoice["auto_advance"] = subscription["status"] != "unpaid" and paused is None


def _hold_back(call: Call, subscription: Doc, invoice: Doc) -> None:
    """While collection is paused, an invoice stays a draft, or is closed at once."""
    paused = (subscription["pause_collection"] or {}).get("behavior")
    if paused not in ("mark_uncollectible", "void"):
        return
    try:
        invoice_collecting.finalize(call, invoice)
    except StripeError:
        # The invoice says itself what is wrong with it, and stays a draft.
        return
    if invoice["status"] != "open":
        return
    if paused == "void":
        invoices.void_invoice(call, invoice)
    else:
        invoices.write_off(call, invoice, "subscription_paused")


TIMERS = {
    "advance_subscription": advance_subscription,
    "end_overdue": end_overdue,
    "drop_resumption": subscription_states.drop_resumption,
    "expire_incomplete": subscription_states.expire_incomplete,
    "resume_collection": resume_collection,
    "tell_overdue": tell_overdue,
    "tell_trial_end": tell_trial_end,
    "tell_upcoming": tell_upcoming,
}
