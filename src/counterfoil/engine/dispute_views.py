"""Disputes as callers see them."""

from collections.abc import Iterable

from counterfoil.core.money import Money, ServiceUnit, plain
from counterfoil.engine.views import View, instant, money, quantity
from counterfoil.store import disputes
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Filter, Page


def show(tx: Tx, identity: str) -> View | None:
    """Show a dispute."""
    row = disputes.by_id(tx, identity)
    return _view(row) if row else None


def show_page(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show disputes."""
    return [_view(row) for row in disputes.page(tx, page, wanted)]


def restrictions(tx: Tx, customer: str) -> list[View]:
    """Say what open disputes keep a customer from, and what ends it."""
    return [_restriction(row) for row in disputes.pending_of(tx, customer)]


def _restriction(row: Row) -> View:
    contested = Money(row["amount_minor"], row["currency"])
    held = " and ".join(f"{plain(each['quantity'], each['scale'])} {each['unit']}" for each in row["held"])
    what = "the wallets it reaches may not be spent from" if row["blocks"] else f"{held or 'no credits'} are held"
    return {
        "kind": "dispute",
        "reason": f"{contested} of {row['payment']} are contested ({row['id']}): {what} until it is decided.",
        "remedy": "Send evidence at the provider, or accept the loss there; what is held is let go or taken back then.",
    }


def _view(row: Row) -> View:
    currency = row["currency"]
    return {
        "id": row["id"],
        "object": "dispute",
        "customer": row["customer"],
        "payment": row["payment"],
        "leg": row["leg"],
        "invoices": row["invoices"],
        "status": row["status"],
        "reason": row["reason"],
        "amount": money(row["amount_minor"], currency),
        "lost": money(row["lost_minor"], currency),
        "provider_fee_minor": row["fee_minor"],
        "held": _held(row["held"]),
        "blocks_spending": row["blocks"],
        "evidence_due_at": instant(row["evidence_due_at"]),
        "provider_ref": row["provider_ref"],
        "provider_status": row["provider_status"],
        "opened_at": instant(row["opened_at"]),
        "closed_at": instant(row["closed_at"]),
    }


def _held(holds: Iterable[View]) -> list[View]:
    return [
        {
            "wallet": each["wallet"],
            "grant": each["grant"],
            "credits": quantity(each["quantity"], ServiceUnit(each["unit"], each["scale"])),
        }
        for each in holds
    ]
