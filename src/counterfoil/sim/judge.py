"""Judges a world: the invariants at any moment, and at rest also that our view is the provider's."""

from collections.abc import Iterator
from typing import Any, Final

from counterfoil.core.facts import LEG_MARK
from counterfoil.core.invariants import Breach
from counterfoil.sim.site import Site
from counterfoil.store import census
from counterfoil.store.audit import audit, standing
from counterfoil.store.database import Database, Row

SAME: Final = {
    "succeeded": {"settled"},
    "processing": {"processing"},
    "requires_action": {"requires_action"},
    "requires_confirmation": {"requires_action"},
    "canceled": {"canceled"},
    "requires_payment_method": {"refused", "requires_action", "canceled"},
}
"""A payment's status at the provider, and what its leg may be when all news has arrived."""


def check_step(database: Database, site: Site) -> list[Breach]:
    """Check what must hold at any moment."""
    with database.snapshot(site.tenant) as tx:
        crowded = census.crowded_invoices(tx)
        found = list(audit(tx).breaches)
    return found + [Breach("I8", each["invoice"], f"may be collected by {each['legs']}") for each in crowded]


def check_rest(database: Database, site: Site) -> list[Breach]:
    """Check what must hold when nothing is under way any more, object by object at the provider."""
    with database.snapshot(site.tenant) as tx:
        found = list(audit(tx, site.provider.truth(site.account), at_rest=True, now=site.clock.now()).breaches)
        for order in census.open_orders(tx):
            found.append(Breach("I26", order["id"], f"is still {order['status']} ({order['why']})"))
        for each in census.overcollected_invoices(tx):
            found.append(Breach("I9", each["invoice"], f"is over {each['total']}, we collected {each['collected']}"))
        legs, asked = census.provider_legs(tx), census.asked_about(tx)
    return found + list(_differences(site, legs, asked))


def _differences(site: Site, legs: list[Row], asked: frozenset[str]) -> Iterator[Breach]:
    """Compare every payment at the provider with its leg. What a person is asked about is not settled by itself."""
    ours = {each["provider_ref"]: each for each in legs if each["provider_ref"]}
    for leg in legs:
        if leg["provider_ref"] is None and leg["status"] in ("processing", "requires_action"):
            yield Breach("I26", leg["id"], f"is {leg['status']} and has no payment at the provider")
    for intent in site.provider.objects("/v1/payment_intents"):
        if intent["id"] not in asked:
            yield from _difference(intent, ours.get(intent["id"]))


def _difference(intent: dict[str, Any], leg: Row | None) -> Iterator[Breach]:
    ref = intent["id"]
    if leg is None:
        if LEG_MARK in intent["metadata"]:
            yield Breach("I26", ref, f"was made by us, is {intent['status']}, and is on no books")
        return
    if leg["status"] not in SAME[intent["status"]]:
        yield Breach("I26", leg["id"], f"is {leg['status']}, its payment {ref} is {intent['status']}")
    if leg["status"] == "settled" and leg["received_minor"] != intent["amount_received"]:
        yield Breach("I26", leg["id"], f"received {leg['received_minor']}, {ref} {intent['amount_received']}")


def books_of(database: Database, site: Site) -> list[Row]:
    """Give the rows that must not depend on the order of the news."""
    with database.snapshot(site.tenant) as tx:
        return list(standing(tx))
