"""A copy of an account to try something on: for previews, and for requests that are to do all or nothing."""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import clocks
from counterfoil.sandbox.accounts import Shelf
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.world import META, World

_LEFT_OUT = ("event", "webhook_endpoint")
"""What an account has much of, and what nothing that is tried depends on."""
_SHARED = ("coupon", "discount", "price", "product", "promotion_code", "tax_rate", clocks.KIND)
"""What is not a customer's own, and may matter to all of them."""
_DRAFTED_FROM = ("customer", "invoiceitem", "payment_method", "subscription", "subscription_item")
"""What the draft of an invoice is made from, besides what is shared: a small part of what an account has."""
_WAYS = {"invoice_payment": "invoice", "subscription_item": "subscription"}
"""Objects that belong to a customer by way of another."""


def shadow_of(call: Call, customer: str, drafts_only: bool = False) -> Call:
    """The same call in a world of its own, with one customer in it: what is done there is done to nobody.

    `drafts_only`: nothing but a draft is made there.
    """
    world = call.world
    kinds = {name: name.rpartition("/")[2] for name in world.tables.names() if name.startswith(call.shelf.key + "/")}
    needed = (*_DRAFTED_FROM, *_SHARED)
    names = [name for name, kind in kinds.items() if (kind in needed if drafts_only else kind not in _LEFT_OUT)]
    tables = world.tables.copied([META, *names], lambda doc: _matters(call.shelf, doc, customer))
    apart = World(world.clock, world.ids, world.settings, tables, world.followers, world.acts)
    return replace(call, world=apart, shelf=Shelf(apart, call.shelf.account, call.shelf.publishable))


def _matters(shelf: Shelf, doc: Doc, customer: str) -> bool:
    """True for what is the customer's own, and for what is nobody's."""
    kind = doc.get("object")
    if kind is None or kind in _SHARED:
        return True
    way = _WAYS.get(kind)
    owner = shelf.get(way, doc.get(way) or "") if way else doc
    return owner is not None and (owner.get("customer") == customer or doc.get("id") == customer)


def move_to(shadow: Call, time: int) -> None:
    """Let the copy's time be a later one: its test clock's, or its business time."""
    clock = shadow.shelf.get(clocks.KIND, shadow.clock or "")
    if clock is not None:
        clock["frozen_time"] = max(time, clock["frozen_time"])
    else:
        shadow.world.advance(max(0.0, time - shadow.world.now()))
