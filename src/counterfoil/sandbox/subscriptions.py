"""Subscriptions: what a customer pays for again and again."""

from __future__ import annotations

from typing import Any

from counterfoil.sandbox import (
    prorations,
    renewals,
    subscription_changes,
    subscription_invoices,
    subscription_items,
    subscription_starts,
    subscription_states,
    subscription_terms,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, unknown_path
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of, within
from counterfoil.sandbox.params import Choice, Hash, Need, Range, Text, Whole
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of
from counterfoil.sandbox.subscription_fields import (
    CANCEL,
    CREATE,
    FLEXIBLE_SINCE,
    KIND,
    PRORATION,
    UPDATE,
    Anchor,
    billing_mode,
    check_anchor_dialect,
    not_covered,
)
from counterfoil.sandbox.subscription_invoices import Bill
from counterfoil.sandbox.versions import ENDIVE, since

_STATUSES = (
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)


def _create(call: Call) -> Doc:
    return subscription_starts.start(call, call.given)


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "id")


def _update(call: Call) -> Doc:
    check_anchor_dialect(call)
    return subscription_changes.change(call, call.find(KIND, "id"), call.given)


def _cancel(call: Call) -> Doc:
    subscription = call.find(KIND, "id")
    if subscription["status"] in subscription_states.ENDED:
        raise StripeError(f"No such subscription: '{subscription['id']}'", code="resource_missing", param="id")
    details = call.given.get("cancellation_details") or {}
    subscription["cancellation_details"] = subscription["cancellation_details"] | details
    if subscription["status"] == "incomplete":
        subscription_states.expire(call, subscription)
        return subscription
    _settle_rest(call, subscription)
    subscription_states.cancel(call, subscription, "cancellation_requested")
    return subscription


def _settle_rest(call: Call, subscription: Doc) -> None:
    """What is done about the time that was billed and is not used: credited, invoiced, or forgotten."""
    given = call.given
    if given.get("prorate"):
        subscription_terms.check_prorations(call, subscription)
        for item in subscription_items.items_of(call, subscription):
            prorations.credit(call, subscription, item, call.now)
            call.shelf.save(item)
    if given.get("invoice_now"):
        _bill_pending(call, subscription)
    elif not given.get("prorate"):
        _forget_prorations(call, subscription)


def _bill_pending(call: Call, subscription: Doc) -> None:
    """Invoice at once what waits for the next invoice, if anything does."""
    span = (subscription["current_period_start"], call.now)
    if subscription_invoices.pending_of(call, subscription):
        invoice = subscription_invoices.draft(call, subscription, Bill("subscription_update", [], span))
        subscription_invoices.issue(call, subscription, invoice)
        subscription_invoices.collect_now(call, invoice, "allow_incomplete")


def _forget_prorations(call: Call, subscription: Doc) -> None:
    for item in subscription_invoices.pending_of(call, subscription):
        if item["subscription"] == subscription["id"] and item["proration"]:
            call.shelf.bury(item)
            call.emit("invoiceitem.deleted", item)


def _pause(call: Call) -> Doc:
    """Pause a subscription as a whole; 2026-09-30 brought this."""
    if not since(call.version, ENDIVE):
        raise unknown_path("POST", f"/v1/subscriptions/{call.path['id']}/pause")
    subscription = call.find(KIND, "id")
    if subscription["billing_mode"]["type"] != "flexible":
        raise invalid("Pausing a subscription requires `billing_mode[type]=flexible`.")
    if subscription["status"] not in ("active", "past_due"):
        raise not_covered(f"pausing a subscription that is {subscription['status']}")
    unused = ((call.given.get("bill_for") or {}).get("unused_time_from") or {}).get("type", "now")
    start = call.now if unused == "now" else subscription["current_period_start"]
    if unused != "none":
        subscription_terms.check_prorations(call, subscription)
        for item in subscription_items.items_of(call, subscription):
            prorations.credit(call, subscription, item, start)
            call.shelf.save(item)
    if call.given.get("invoicing_behavior") == "invoice":
        _bill_pending(call, subscription)
    subscription_states.pause(call, subscription, "pause_requested")
    return subscription


def _resume(call: Call) -> Doc:
    """Bill a paused subscription for a period that begins now; it is active once that is paid."""
    check_anchor_dialect(call)
    subscription = call.find(KIND, "id")
    if subscription["status"] != "paused":
        raise invalid("You can only resume a subscription that is paused.")
    if subscription["collection_method"] != "charge_automatically":
        raise invalid("You can only resume subscriptions that are collected with 'charge_automatically'.")
    if call.given.get("billing_cycle_anchor") == "unchanged":
        raise not_covered("resuming with billing_cycle_anchor=unchanged", "billing_cycle_anchor")
    before = copy_of(subscription)
    invoice = _resumption(call, subscription)
    subscription_states.save(call, subscription, before)
    on_success = call.given.get("payment_behavior") == "resume_on_payment_success"
    subscription["_resumes_on_attempt"] = not on_success
    call.shelf.save(subscription)
    subscription_invoices.collect_now(call, invoice, "allow_incomplete" if on_success else "default_incomplete")
    if invoice["status"] == "open":
        call.schedule(call.now + subscription_states.INCOMPLETE_S, "drop_resumption", invoice)
    renewals.plan(call, subscription)
    return subscription


def _resumption(call: Call, subscription: Doc) -> Doc:
    """The invoice of the period that begins with a resumption."""
    behind = (subscription["current_period_start"], call.now)
    subscription["billing_cycle_anchor"] = call.now
    rhythm = subscription_items.rhythm(subscription)
    renewals.set_period(call, subscription, (call.now, rhythm.step(call.now, 1)))
    bill = Bill("subscription_update", renewals.period_lines(call, subscription), behind)
    invoice = subscription_invoices.draft(call, subscription, bill)
    subscription["_resumption"] = invoice["id"]
    subscription_invoices.issue(call, subscription, invoice)
    return invoice


def _migrate(call: Call) -> Doc:
    """Bill flexibly from now on; there is no way back."""
    if not since(call.version, FLEXIBLE_SINCE):
        raise unknown_path("POST", f"/v1/subscriptions/{call.path['id']}/migrate")
    subscription = call.find(KIND, "id")
    if subscription["status"] in subscription_states.ENDED:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    before = copy_of(subscription)
    if subscription["billing_mode"]["type"] == "classic":
        subscription["billing_mode"] = billing_mode(call)
    return subscription_states.save(call, subscription, before)


def _list(call: Call) -> Page:
    given = call.given
    keep = matches(given, "collection_method", "customer")
    return page_of(call, KIND, lambda doc: keep(doc) and _is_wanted(doc, given))


def _is_wanted(doc: Doc, given: dict[str, Any]) -> bool:
    status, clock = given.get("status"), given.get("test_clock")
    asks_by_clock = clock is not None or not given.get("customer")
    if asks_by_clock and doc["test_clock"] != clock:
        return False
    if status is None and doc["status"] == "canceled":
        return False
    if status == "ended" and doc["status"] not in subscription_states.ENDED:
        return False
    if status not in (None, "all", "ended", doc["status"]):
        return False
    price = given.get("price") or given.get("plan")
    if price is not None and price not in [item["price"]["id"] for item in doc["items"]["data"]]:
        return False
    names = ("current_period_end", "current_period_start")
    return all(within(doc[name], given.get(name)) for name in names)


def _search(call: Call) -> Page:
    return search_of(call, KIND, {"created", "metadata", "status"})


_PATH = "/v1/subscriptions"
_UNUSED_FROM = Choice(("item_current_period_start", "none", "now"), clears=False)
_FLEXIBLE = Hash(
    {
        "type": Need(Choice(("flexible",), clears=False)),
        "flexible": Hash({"proration_discounts": Choice(("included", "itemized"), clears=False)}),
    }
)
ROUTES = (
    Route("POST", _PATH, _create, CREATE),
    Route("GET", _PATH + "/search", _search, SEARCH),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("POST", _PATH + "/{id}", _update, UPDATE),
    Route("DELETE", _PATH + "/{id}", _cancel, CANCEL),
    Route(
        "POST",
        _PATH + "/{id}/pause",
        _pause,
        {
            "bill_for": Hash(
                {
                    "outstanding_usage_through": Hash({"type": Need(Choice(("none", "now"), clears=False))}),
                    "unused_time_from": Hash({"type": Need(_UNUSED_FROM)}),
                }
            ),
            "invoicing_behavior": Choice(("invoice", "pending_invoice_item"), clears=False),
            "type": Choice(("subscription",), clears=False),
        },
    ),
    Route("POST", _PATH + "/{id}/migrate", _migrate, {"billing_mode": Need(_FLEXIBLE)}),
    Route(
        "POST",
        _PATH + "/{id}/resume",
        _resume,
        {
            "billing_cycle_anchor": Anchor(),
            "payment_behavior": Choice(("resume_on_payment_attempt", "resume_on_payment_success"), clears=False),
            "proration_behavior": PRORATION,
            "proration_date": Whole(least=1),
        },
    ),
    Route(
        "GET",
        _PATH,
        _list,
        {
            **PAGING,
            **CREATED,
            "collection_method": Choice(("charge_automatically", "send_invoice"), clears=False),
            "current_period_end": Range(),
            "current_period_start": Range(),
            "customer": Text(),
            "plan": Text(),
            "price": Text(),
            "status": Choice(_STATUSES, clears=False),
            "test_clock": Text(),
        },
    ),
)
