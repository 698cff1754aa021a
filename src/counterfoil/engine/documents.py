"""What callers ask of papers: to see them, to say who sells, and what their numbers begin with."""

from dataclasses import replace
from typing import Any

from counterfoil.core.papers import PREFIXES, PaperKind, Seller
from counterfoil.engine.house import House
from counterfoil.engine.views import View, instant
from counterfoil.store import accounts, documents, numbers
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Page


def document_view(row: Row) -> View:
    """Show a paper: what it is, and the hash of its bytes."""
    return {
        "id": row["id"],
        "object": "document",
        "kind": row["kind"],
        "number": row["number"],
        "subject": row["subject"],
        "customer": row["customer"],
        "language": row["language"],
        "sha256": bytes(row["sha256"]).hex(),
        "size": row["size"] if "size" in row else len(row["bytes"]),
        "created_at": instant(row["created_at"]),
    }


def listed(tx: Tx, page: Page, customer: str | None, kind: str | None) -> list[View]:
    """Show papers, the newest first."""
    return [document_view(each) for each in documents.listed(tx, page, customer, kind)]


def seller_view(seller: Seller) -> View:
    """Show who sells."""
    party = seller.party
    return {
        "object": "seller",
        "version": seller.version,
        "name": party.name,
        "address": list(party.address),
        "tax_id": party.tax_id,
        "email": party.email or None,
        "colour": seller.colour,
        "note": seller.note,
    }


def set_seller(house: House, tenant: str, wanted: Seller) -> Seller:
    """Say who sells from now on. What says nothing new stays as it is; papers given out keep what they say."""

    def work(tx: Tx) -> Seller:
        accounts.lock_setup(tx)
        held = documents.seller(tx)
        if held.version and replace(wanted, version=held.version) == held:
            return held
        following = replace(wanted, version=held.version + 1)
        documents.put_seller(tx, following, house.clock.now())
        return following

    return house.transact(tenant, work)


def set_prefix(house: House, tenant: str, series: PaperKind, prefix: str) -> View:
    """Let the numbers to come begin otherwise."""

    def work(tx: Tx) -> None:
        numbers.set_prefix(tx, series, prefix)

    house.transact(tenant, work)
    with house.database.snapshot(tenant) as tx:
        return next(each for each in all_series(tx) if each["series"] == series)


def all_series(tx: Tx) -> list[dict[str, Any]]:
    """Show every series: what its numbers begin with, and how many were given out."""
    held = {row["series"]: row for row in numbers.all_series(tx)}
    return [
        {
            "object": "number_series",
            "series": kind,
            "prefix": held[kind]["prefix"] if kind in held else PREFIXES[kind],
            "last": held[kind]["last"] if kind in held else 0,
        }
        for kind in PaperKind
    ]
