"""Judges a world: the invariants at any moment, and at rest also that our view is the provider's."""

from collections.abc import Iterator
from typing import Any, Final

from counterfoil.core.facts import INVOICE_MARK, LEG_MARK
from counterfoil.core.invariants import Breach
from counterfoil.sim.site import Site
from counterfoil.store import census
from counterfoil.store.audit import audit, standing
from counterfoil.store.database import Database, Row

SAME: Final = {
    "succeeded": {"settled", "returned"},
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
        top_ups, credit = census.top_ups(tx), census.credit_there(tx)
        events = census.events(tx)
    found += _told_differences(site, events)
    found += _differences(site, legs, asked)
    found += _top_up_differences(site, top_ups, asked)
    return found + list(_balance_differences(site, credit))


def _told_differences(site: Site, events: dict[str, str]) -> Iterator[Breach]:
    """Compare what the host application was told with what happened. One that never listened is told nothing."""
    if not events or not site.host.told:
        return
    for event, kind in events.items():
        if event not in site.host.told:
            yield Breach("I14", event, f"is {kind}, and the host application was never told")
    for event in site.host.told.keys() - events.keys():
        yield Breach("I14", event, "was told to the host application, and never happened")
    yield from (
        Breach("I14", each, "is what the host application was told: numbers are missing") for each in site.host.gaps()
    )


def _differences(site: Site, legs: list[Row], asked: frozenset[str]) -> Iterator[Breach]:
    """Compare every payment at the provider with its leg. What a person is asked about is not settled by itself."""
    ours = {each["provider_ref"]: each for each in legs if each["provider_ref"]}
    for leg in legs:
        if (leg["provider_ref"] or leg["session_ref"]) is None and leg["status"] in ("processing", "requires_action"):
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


THERE: Final[dict[str, set[str | None]]] = {"settled": {"paid"}, "failed": {"void", None}, "canceled": {"void", None}}
"""A purchase, and what its invoice at the provider may be when all news has arrived; None for one that is not there."""


def _top_up_differences(site: Site, top_ups: list[Row], asked: frozenset[str]) -> Iterator[Breach]:
    """Compare every purchase that the provider collects with its invoice there, and with its lots."""
    there = {each["id"]: each for each in site.provider.objects("/v1/invoices")}
    for each in top_ups:
        invoice = there.pop(each["provider_ref"], None)
        status = invoice["status"] if invoice else None
        if each["id"] not in asked and status not in THERE.get(each["status"], set()):
            yield Breach("I26", each["id"], f"is {each['status']}, its invoice at the provider is {status}")
        if each["lots"] != (each["status"] == "settled"):
            yield Breach("I15", each["id"], f"is {each['status']} and has {each['lots']} lots")
    for ref, invoice in there.items():
        if INVOICE_MARK in invoice["metadata"] and ref not in asked:
            yield Breach("I16", ref, f"carries our mark, is {invoice['status']}, and is on no books")


def _balance_differences(site: Site, credit: dict[str, int]) -> Iterator[Breach]:
    """Compare what customers have in credit at the provider with what our books say."""
    for customer in site.provider.objects("/v1/customers"):
        ours = credit.get(customer["id"])
        if ours is not None and ours != -customer["balance"]:
            yield Breach("I26", customer["id"], f"has {-customer['balance']} in credit there, {ours} on our books")


def books_of(database: Database, site: Site) -> list[Row]:
    """Give the rows that must not depend on the order of the news."""
    with database.snapshot(site.tenant) as tx:
        return list(standing(tx))
