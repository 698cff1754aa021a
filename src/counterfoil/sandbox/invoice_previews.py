"""Previews: the invoice that a renewal, a change or a new subscription would bring.

Each is made by doing it on a copy of the account, so a preview is what happens.
"""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import (
    preview_extras,
    prorations,
    renewals,
    subscription_changes,
    subscription_invoices,
    subscription_items,
    subscription_starts,
    subscription_states,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, parameter_missing, unknown_path
from counterfoil.sandbox.lists import PAGING, Page, page_of_rows
from counterfoil.sandbox.params import Choice, Flag, Given, Hash, Items, Kind, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.shadows import shadow_of
from counterfoil.sandbox.subscription_fields import CHANGED_ITEM, CREATE, PRORATION, Anchor, Moment, not_covered
from counterfoil.sandbox.subscription_invoices import Bill
from counterfoil.sandbox.versions import BASIL, since

_CHANGES: dict[str, Kind] = {
    "billing_cycle_anchor": Anchor(),
    "cancel_at": Moment(("max_period_end", "min_period_end"), clears=True),
    "cancel_at_period_end": Flag(),
    "cancel_now": Flag(),
    "items": Items(Hash(CHANGED_ITEM)),
    "proration_behavior": PRORATION,
    "proration_date": Whole(least=1),
    "trial_end": Moment(),
}
_UNCOVERED = (
    "customer_account",
    "customer_details",
    "issuer",
    "on_behalf_of",
    "schedule",
    "schedule_details",
)
_DETAILS = Hash(
    {
        **_CHANGES,
        "billing_mode": CREATE["billing_mode"],
        **uncovered("billing_schedules", "default_tax_rates", "metadata", "pause", "resume_at", "start_date"),
    }
)
_PREVIEW: dict[str, Kind] = {
    **preview_extras.EXTRAS,
    "automatic_tax": CREATE["automatic_tax"],
    "currency": Text(),
    "customer": Text(),
    "preview_mode": Choice(("next",), clears=False),
    "subscription": Text(),
    "subscription_details": _DETAILS,
    **uncovered(*_UNCOVERED),
}
_OLD = "subscription_"
"""Before 2025-03-31 the changes were parameters of their own, with this before their names."""
_UPCOMING: dict[str, Kind] = {**_PREVIEW, **{_OLD + name: kind for name, kind in _CHANGES.items()}}


def _preview(call: Call) -> Doc:
    return _previewed(call)


def _upcoming(call: Call) -> Doc:
    _check_upcoming(call)
    return _previewed(call)


def _upcoming_lines(call: Call) -> Page:
    _check_upcoming(call)
    lines = _previewed(call)["_lines"]
    return page_of_rows(call, "line_item", iter([(line["id"], line) for line in lines]))


def _check_upcoming(call: Call) -> None:
    if since(call.version, BASIL):
        raise unknown_path("GET", "/v1/invoices/upcoming")


def _previewed(call: Call) -> Doc:
    given = call.given
    changes = dict(given.get("subscription_details") or {})
    changes |= {name: given[_OLD + name] for name in _CHANGES if _OLD + name in given}
    named = call.shelf.get("subscription", given.get("subscription") or "") or {}
    apart = replace(shadow_of(call, named.get("customer") or given.get("customer") or ""), given=changes)
    _add_items(call, apart)
    return preview_extras.discount(apart, given, _drawn(call, apart, changes))


def _drawn(call: Call, apart: Call, changes: Given) -> Doc:
    """The invoice of a new subscription, of the next renewal, of a change or of an end."""
    given = call.given
    if not given.get("subscription") and changes.get("items"):
        return renewals.as_preview(_first(call, apart))
    loose = None if given.get("subscription") else _loose(call, apart)
    if loose is not None:
        return renewals.as_preview(loose)
    subscription = _subscription(call, apart)
    if not changes:
        return _next(apart, subscription)
    if changes.pop("cancel_now", False):
        return renewals.as_preview(_last(apart, subscription))
    invoice = subscription_changes.drafted(apart, subscription)
    return _next(apart, subscription) if invoice is None else renewals.as_preview(invoice)


def _add_items(call: Call, apart: Call) -> None:
    """Let the items that the caller has in mind wait for the invoice."""
    given = call.given
    if not given.get("invoice_items"):
        return
    named = apart.shelf.get("subscription", given.get("subscription") or "")
    owner = named["customer"] if named is not None else given.get("customer")
    if not owner:
        raise parameter_missing("customer")
    customer = apart.referred("customer", owner, "customer")
    preview_extras.add_items(apart, given, customer, named["id"] if named is not None else None)


def _loose(call: Call, apart: Call) -> Doc | None:
    """What a customer without a subscription that goes on is billed next, None where there is one or nothing waits."""
    customer = apart.shelf.get("customer", call.given.get("customer") or "")
    if customer is None or customer.get("deleted"):
        return None
    own = [one for one in apart.shelf.rows("subscription") if one["customer"] == customer["id"]]
    return None if any(_goes_on(one) for one in own) else preview_extras.of_customer(apart, customer)


def _first(call: Call, apart: Call) -> Doc:
    """The first invoice of a subscription that would be new."""
    if not call.given.get("customer"):
        raise parameter_missing("customer")
    asked: Given = {**apart.given, "customer": call.given["customer"], "payment_behavior": "default_incomplete"}
    _, invoice = subscription_starts.opened(replace(apart, given=asked))
    if invoice is None:
        raise not_covered("the preview of a subscription that bills nothing at first")
    return invoice


def _subscription(call: Call, apart: Call) -> Doc:
    """The subscription that is named, else that of the customer which renews first."""
    given = call.given
    if given.get("subscription"):
        return apart.referred("subscription", given["subscription"], "subscription")
    if not given.get("customer"):
        raise parameter_missing("customer")
    customer = apart.referred("customer", given["customer"], "customer")
    own = [one for one in apart.shelf.rows("subscription") if one["customer"] == customer["id"]]
    going = [one for one in own if _goes_on(one)]
    if not going:
        raise _nothing_upcoming(customer["id"])
    return min(going, key=lambda one: int(one["current_period_end"]))


def _next(call: Call, subscription: Doc) -> Doc:
    if not _goes_on(subscription):
        raise _nothing_upcoming(subscription["customer"])
    return renewals.upcoming(call, subscription)


def _last(call: Call, subscription: Doc) -> Doc:
    """What an end right now would bill, or rather give back."""
    if call.given.get("proration_behavior") != "none":
        for item in subscription_items.items_of(call, subscription):
            prorations.credit(call, subscription, item, call.chosen("proration_date", call.now))
    span = (subscription["current_period_start"], call.now)
    return subscription_invoices.draft(call, subscription, Bill("subscription_update", [], span))


def _goes_on(subscription: Doc) -> bool:
    over = (*subscription_states.ENDED, "incomplete", "paused")
    return subscription["status"] not in over and not renewals.ends_with_period(subscription)


def _nothing_upcoming(customer: str) -> StripeError:
    return StripeError(
        f"No upcoming invoices for customer: {customer}", status=404, code="invoice_upcoming_none", param="customer"
    )


ROUTES = (
    Route("POST", "/v1/invoices/create_preview", _preview, _PREVIEW),
    Route("GET", "/v1/invoices/upcoming", _upcoming, _UPCOMING),
    Route("GET", "/v1/invoices/upcoming/lines", _upcoming_lines, {**_UPCOMING, **PAGING}),
)
