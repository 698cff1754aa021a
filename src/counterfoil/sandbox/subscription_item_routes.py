"""The operations on single items of a subscription; each is a change of the subscription."""

from __future__ import annotations

from counterfoil.sandbox import subscription_changes
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.lists import PAGING, Page, page_of
from counterfoil.sandbox.params import Flag, Given, Kind, Need, Text, Whole
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.subscription_fields import ITEM, PAYMENT_BEHAVIOR, PRORATION
from counterfoil.sandbox.subscription_items import KIND

_HOW: dict[str, Kind] = {
    "payment_behavior": PAYMENT_BEHAVIOR,
    "proration_behavior": PRORATION,
    "proration_date": Whole(least=1),
}


def _create(call: Call) -> Doc:
    subscription = call.referred("subscription", call.given["subscription"], "subscription")
    known = {item["id"] for item in subscription["items"]["data"]}
    _change(call, subscription, {name: call.given[name] for name in ITEM if name in call.given})
    added = next(item for item in subscription["items"]["data"] if item["id"] not in known)
    return call.shelf.find(KIND, added["id"], "item")


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "item")


def _update(call: Call) -> Doc:
    item = call.find(KIND, "item")
    entry = {name: call.given[name] for name in ITEM if name in call.given}
    _change(call, _subscription_of(call, item), {"id": item["id"], **entry})
    return call.find(KIND, "item")


def _delete(call: Call) -> Doc:
    item = call.find(KIND, "item")
    subscription = _subscription_of(call, item)
    if len(subscription["items"]["data"]) == 1:
        raise invalid(
            "A subscription must have at least one active plan. To cancel the subscription, cancel it as a whole.",
        )
    _change(call, subscription, {"id": item["id"], "deleted": True})
    stub = call.shelf.get(KIND, item["id"])
    assert stub is not None, f"{item['id']} left no stub"
    return stub


def _list(call: Call) -> Page:
    subscription = call.referred("subscription", call.given["subscription"], "subscription")
    return page_of(call, KIND, lambda item: bool(item["subscription"] == subscription["id"]))


def _change(call: Call, subscription: Doc, entry: Given) -> None:
    how = {name: call.given[name] for name in (*_HOW, "off_session") if name in call.given}
    subscription_changes.change(call, subscription, {"items": [entry], **how})


def _subscription_of(call: Call, item: Doc) -> Doc:
    return call.shelf.find("subscription", item["subscription"], "subscription")


_PATH = "/v1/subscription_items"
ROUTES = (
    Route("POST", _PATH, _create, {**ITEM, **_HOW, "subscription": Need(Text())}),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("POST", _PATH + "/{id}", _update, {**ITEM, **_HOW, "off_session": Flag()}),
    Route("DELETE", _PATH + "/{id}", _delete, {**_HOW, "clear_usage": Flag()}),
    Route("GET", _PATH, _list, {**PAGING, "subscription": Need(Text())}),
)
