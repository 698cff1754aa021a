"""What callers can look at: every noun alone and in lists, as it is at one instant, without locking anything.

A look at something that is not there gives None. Whose things are seen is the transaction's tenant's alone.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from counterfoil.core.books import Books, Case, Invoice, LegKind, Method, Payment
from counterfoil.core.bought import Purchase
from counterfoil.core.catalogue import PurchasePolicy
from counterfoil.core.facts import IntentFact
from counterfoil.core.ids import ProviderRef
from counterfoil.core.lifecycle import CaseStatus, InvoiceStatus, OrderStatus
from counterfoil.core.money import ServiceUnit
from counterfoil.core.story import movement
from counterfoil.engine import auto_topup_views, dispute_views, refund_views, views
from counterfoil.engine.collecting_views import balances
from counterfoil.engine.house import House
from counterfoil.engine.views import View, instant
from counterfoil.providers.port import ProviderUnavailable
from counterfoil.store import cases as case_notes
from counterfoil.store import catalogue, decisions, inbox, pages, refunds, statements, subjects
from counterfoil.store import purchases as bought
from counterfoil.store.database import Row, Tx
from counterfoil.store.pages import Filter, Page

T = TypeVar("T")

OWED_MAX = 200
"""How many open invoices a customer's state lists."""


def look(house: House, tenant: str, at: Callable[[Tx], T]) -> T:
    """Look at one tenant's books as they are at one instant."""
    with house.database.snapshot(tenant) as tx:
        return at(tx)


# --- customers and what is theirs ---


def customer(tx: Tx, identity: str) -> View | None:
    """Show a customer."""
    row = pages.customer(tx, identity)
    return _customer(row) if row else None


def customers(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show customers."""
    return [_customer(row) for row in pages.customers(tx, page, wanted)]


def _customer(row: Row) -> View:
    person = {**row, "metadata": row["metadata"] or {}, "locale": row["locale"] or "en"}
    return views.customer_view(pages.as_customer(row), person)


def method(tx: Tx, identity: str) -> View | None:
    """Show a payment method, also while the provider is being asked to save it."""
    held = pages.method(tx, identity)
    if held:
        return _method(held)
    order = pages.method_order(tx, identity)
    if order is None:
        return None
    refused = order["status"] == OrderStatus.REFUSED
    return {
        "id": identity,
        "object": "payment_method",
        "customer": order["customer"],
        "status": "refused" if refused else "pending",
        "refusal": order["why"] if refused else None,
        "created_at": instant(order["queued_at"]),
    }


def methods(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show saved payment methods."""
    return [_method(each) for each in pages.methods(tx, page, wanted)]


def _method(held: Method) -> View:
    return views.method_view(held) | {"status": "saved" if held.attached else "detached"}


def wallet(tx: Tx, house: House, identity: str) -> View | None:
    """Show a wallet with what it can spend now."""
    held = pages.wallets_by_id(tx, (identity,))
    return views.wallet_view(held[0], pages.spendable(tx, (identity,)), house.clock.now()) if held else None


def balance_at(tx: Tx, identity: str, unit: ServiceUnit, at: datetime) -> View:
    """Show what a wallet held at an instant."""
    held = views.quantity(statements.balance_at(tx, identity, at), unit)
    return {"object": "wallet_balance", "wallet": identity, "at": instant(at), "balance": held}


def statement(tx: Tx, identity: str, unit: ServiceUnit, page: Page) -> list[View]:
    """Show what moved a wallet, each with the balance after it."""
    return [_statement_row(row, unit) for row in statements.statement(tx, identity, page)]


def _statement_row(row: Row, unit: ServiceUnit) -> View:
    kinds = dict.fromkeys(movement(entry, [{"credit": credit}]) for entry, credit in row["entries"])
    return {
        "id": row["decision"],
        "object": "statement_row",
        "kinds": list(kinds),
        "change": views.quantity(int(row["change"]), unit),
        "balance": views.quantity(int(row["balance"]), unit),
        "entries": list(dict.fromkeys(entry for entry, _ in row["entries"])),
        "effective_at": instant(row["effective_at"]),
        "recorded_at": instant(row["recorded_at"]),
        # A spend decided itself.
        "explain": f"/v1/{'spends' if row['decision'].startswith('spnd_') else 'decisions'}/{row['decision']}",
    }


def wallets(tx: Tx, house: House, page: Page, wanted: Filter) -> list[View]:
    """Show wallets with what they can spend now."""
    held = pages.wallets(tx, page, wanted)
    lots = pages.spendable(tx, [each.id for each in held])
    return [views.wallet_view(each, lots, house.clock.now()) for each in held]


def unit_of_wallet(tx: Tx, identity: str) -> tuple[str, ServiceUnit] | None:
    """Give whose wallet it is and what it counts."""
    held = pages.wallets_by_id(tx, (identity,))
    return (held[0].customer, held[0].unit) if held else None


def grant(tx: Tx, identity: str) -> View | None:
    """Show a lot."""
    held = pages.grant(tx, identity)
    owner = pages.wallets_by_id(tx, (held.wallet,)) if held else ()
    return views.grant_view(held, owner[0].unit) if held and owner else None


def grants(tx: Tx, page: Page, wanted: Filter, unit: ServiceUnit) -> list[View]:
    """Show the lots of a wallet."""
    return [views.grant_view(each, unit) for each in pages.grants(tx, page, wanted)]


def units(tx: Tx) -> list[View]:
    """Show the declared service units."""
    return [unit_view(each) for each in pages.units(tx)]


def unit_view(unit: ServiceUnit) -> View:
    """Show a service unit."""
    face = views.money(unit.face_minor, unit.face_currency) if unit.face_minor and unit.face_currency else None
    return {"code": unit.code, "object": "unit", "scale": unit.scale, "face": face}


def customer_state(tx: Tx, house: House, identity: str) -> View | None:
    """Show everything about a customer in one answer: methods, wallets, what is owed and what is held back."""
    held = customer(tx, identity)
    if held is None:
        return None
    own, everything = Filter(customer=identity), Page(limit=OWED_MAX)
    owed = invoices(tx, everything, Filter(customer=identity, statuses=(InvoiceStatus.OPEN,)))
    return {
        "object": "customer_state",
        "customer": held,
        "payment_methods": [each for each in methods(tx, everything, own) if each["attached"]],
        "wallets": (own_wallets := wallets(tx, house, everything, own)),
        "auto_topups": auto_topup_views.show_all(tx, [each["id"] for each in own_wallets], house.clock.now()),
        "open_invoices": owed,
        "amounts_due": _sums(each["amount_due"] for each in owed),
        "balances": balances(tx, identity),
        "restrictions": [*_restrictions(held), *dispute_views.restrictions(tx, identity)],
        "open_cases": cases(tx, everything, _open_cases(identity)),
        "as_of": instant(house.clock.now()),
    }


def _open_cases(customer: str) -> Filter:
    return Filter(customer=customer, statuses=(CaseStatus.OPEN,))


def _sums(amounts: Iterable[View]) -> list[View]:
    totals: dict[str, int] = {}
    for each in amounts:
        totals[each["currency"]] = totals.get(each["currency"], 0) + each["amount"]
    return [views.money(minor, currency) for currency, minor in sorted(totals.items())]


def _restrictions(held: View) -> list[View]:
    """Say what keeps this customer from being charged, and what to do about it."""
    found = []
    if held["paused"]:
        found.append({"kind": "paused", "reason": "A person paused this customer.", "remedy": "Resume the customer."})
    if held["deleted_at_provider"]:
        reason = "The customer was deleted at the provider."
        found.append({"kind": "deleted_at_provider", "reason": reason, "remedy": "Create the customer anew."})
    return found


# --- invoices and payments ---


def invoice(tx: Tx, identity: str) -> View | None:
    """Show an invoice."""
    return next(iter(_invoices(tx, pages.invoices_by_id(tx, (identity,)))), None)


def invoices(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show invoices."""
    return _invoices(tx, pages.invoices(tx, page, wanted))


def _invoices(tx: Tx, held: Iterable[Invoice]) -> list[View]:
    held = tuple(held)
    books = _books(tx, held, ())
    return [views.invoice_view(books, each) for each in held] if books else []


def payment(tx: Tx, identity: str) -> View | None:
    """Show a payment."""
    return next(iter(_payments(tx, pages.payments_by_id(tx, (identity,)))), None)


def payments(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show payments."""
    return _payments(tx, pages.payments(tx, page, wanted))


def _payments(tx: Tx, held: Iterable[Payment]) -> list[View]:
    held = tuple(held)
    books = _books(tx, (), held)
    return [views.payment_view(books, each) for each in held] if books else []


def _books(tx: Tx, invoices: tuple[Invoice, ...], payments: tuple[Payment, ...]) -> Books | None:
    """Read what these invoices and payments are shown with. The views only look up by id, so that the subjects may be
    of several customers; the first one stands for them all."""
    owner = next((each.customer for each in invoices), next((each.customer for each in payments), None))
    row = pages.customer(tx, owner) if owner else None
    if row is None:
        return None
    invoice_ids = [each.id for each in invoices]
    legs = subjects.legs(tx, {*(each.id for each in payments), *subjects.related_payments(tx, invoice_ids)})
    return Books(
        customer=pages.as_customer(row),
        wallets=pages.wallets_by_id(tx, [each.wallet for each in legs if each.wallet]),
        invoices=invoices,
        lines=subjects.lines(tx, invoice_ids),
        payments=payments,
        legs=legs,
        allocations=subjects.allocations(tx, [each.id for each in legs]),
    )


def purchase(tx: Tx, identity: str) -> View | None:
    """Show a purchase."""
    return next(iter(_purchases(tx, bought.purchases(tx, (identity,)))), None)


def purchases(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show purchases."""
    return _purchases(tx, pages.purchases(tx, page, wanted))


def _purchases(tx: Tx, held: Iterable[Purchase]) -> list[View]:
    held = tuple(held)
    units = {each.id: each.unit for each in pages.wallets_by_id(tx, {each.wallet for each in held})}
    return [views.purchase_view(each, units[each.wallet]) for each in held]


def pending_line(tx: Tx, identity: str) -> View | None:
    """Show a line that waits to be billed, or what became of it."""
    held = bought.pending_lines(tx, (), (identity,))
    return views.pending_line_view(held[0]) if held else None


def pending_lines(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show lines that wait to be billed, and what became of them."""
    return [views.pending_line_view(each) for each in pages.pending_lines(tx, page, wanted)]


def packs(tx: Tx) -> list[View]:
    """Show what is on sale."""
    units = units_by_code(tx)
    return [views.pack_view(each, units[each.unit]) for each in catalogue.packs(tx)]


def purchase_policy(tx: Tx) -> PurchasePolicy:
    """Give what purchases are held to."""
    return catalogue.policy(tx)


def units_by_code(tx: Tx) -> dict[str, ServiceUnit]:
    """Give the declared service units by their code."""
    return {each.code: each for each in pages.units(tx)}


def pack(tx: Tx, code: str) -> list[View]:
    """Show every version of a pack, the newest first."""
    units = units_by_code(tx)
    return [views.pack_view(each, units[each.unit]) for each in catalogue.versions(tx, code)]


def awaited(tx: Tx, identity: str) -> View | None:
    """Show what a command waits for, a payment, a purchase or refunds, as it stands."""
    if identity.startswith("rfnd_"):
        return refund_views.group_view(refunds.together(tx, identity))
    if not identity.startswith("prch_"):
        return payment(tx, identity)
    shown = purchase(tx, identity)
    if shown is None or shown["invoice"] is None:
        return shown
    collecting = payments(tx, Page(limit=1), Filter(parent=shown["invoice"]))
    return shown | {"payment": collecting[0] if collecting else None}


def client_secret(house: House, tenant: str, shown: View) -> str | None:
    """Ask the provider for the secret with which a browser confirms a payment. It is never stored.

    None when there is nothing to confirm, and when the provider does not answer.
    """
    ref = next((leg["provider_ref"] for leg in shown["legs"] if _is_waiting(leg)), None)
    if shown["confirm"] != "client" or ref is None:
        return None
    account = look(house, tenant, lambda tx: pages.payments_by_id(tx, (shown["id"],)))[0].account
    try:
        fact = house.provider(tenant, account).fetch("payment_intent", ProviderRef(ref))
    except ProviderUnavailable:
        return None
    return fact.client_secret if isinstance(fact, IntentFact) else None


def _is_waiting(leg: View) -> bool:
    open_statuses = ("processing", "requires_action")
    return leg["kind"] == LegKind.PROVIDER and leg["status"] in open_statuses and bool(leg["provider_ref"])


# --- the road ---


def decision(tx: Tx, identity: str) -> View | None:
    """Show a decision with the news that it is about."""
    row = decisions.get(tx, identity)
    return _decision(row) if row else None


def decisions_page(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show decisions."""
    return [_decision(row) for row in pages.decisions(tx, page, wanted)]


def _decision(row: Row) -> View:
    return {
        "id": row["id"],
        "object": "decision",
        "outcome": row["outcome"],
        "reason": row["reason"],
        "sentence": row["sentence"],
        "rule": row["rule"],
        "customer": row["customer"],
        "inputs": row["inputs"],
        "effects": row["effects"],
        "news": {
            "id": row["inbox"],
            "source": row["source"],
            "kind": row["kind"],
            "subject": row["subject_ref"],
            "deliveries": row["deliveries"],
            "occurred_at": instant(row["occurred_at"]),
            "received_at": instant(row["received_at"]),
        },
        "decided_at": instant(row["decided_at"]),
    }


def notice(tx: Tx, identity: str) -> View | None:
    """Show one row of the inbox with its decision; of a webhook also what was sent, unless it was erased."""
    row = pages.notice(tx, identity)
    if row is None:
        return None
    body = inbox.body(tx, identity) if row["source"] == "webhook" else None
    return _notice(row) | {"payload": json.loads(body) if body else None}


def notices(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show news of the provider."""
    return [_notice(row) for row in pages.notices(tx, page, wanted)]


def _notice(row: Row) -> View:
    decided = {name: row[name] for name in ("outcome", "reason", "sentence")}
    return {
        "id": row["id"],
        "object": "provider_event",
        "source": row["source"],
        "kind": row["kind"],
        "status": row["status"],
        "waiting_for": row["waiting_for"],
        "subject": row["subject_ref"],
        "customer": row["customer"],
        "provider_account": row["account"],
        "provider_event": (row["detail"] or {}).get("provider_event") if row["source"] == "webhook" else None,
        "deliveries": row["deliveries"],
        "attempts": row["attempts"],
        "decision": {"id": row["decision"], **decided} if row["decision"] else None,
        "occurred_at": instant(row["occurred_at"]),
        "received_at": instant(row["received_at"]),
        "last_delivered_at": instant(row["last_delivered_at"]),
    }


def events_end(house: House, tenant: str) -> int:
    """Give the position up to which events may be read now. To be asked before the look that reads them."""
    with house.database.transaction(tenant) as tx:
        return pages.events_end(tx)


def events(tx: Tx, after: int, before: int, limit: int, wanted: Filter) -> list[View]:
    """Show events in their order."""
    return [event_view(row) for row in pages.events(tx, after, before, limit, wanted)]


def event_view(row: Row) -> View:
    """Give an event as it is shown, and as it is sent."""
    return {
        "id": row["id"],
        "object": "event",
        "kind": row["kind"],
        "customer": row["customer"],
        "sequence": row["sequence"],
        "subject": row["subject"],
        "data": row["data"],
        "decision": row["decision"],
        "created_at": instant(row["created_at"]),
    }


def case(tx: Tx, identity: str) -> View | None:
    """Show a question for a person."""
    held = pages.case(tx, identity)
    return _case(held, case_notes.notes(tx, (identity,)).get(identity)) if held else None


def cases(tx: Tx, page: Page, wanted: Filter) -> list[View]:
    """Show questions for a person."""
    held = pages.cases(tx, page, wanted)
    notes = case_notes.notes(tx, [each.id for each in held])
    return [_case(each, notes.get(each.id)) for each in held]


def _case(held: Case, note: str | None) -> View:
    return {
        "id": held.id,
        "object": "case",
        "question": held.question,
        "subject": held.subject,
        "detail": held.detail,
        "status": held.status,
        "customer": held.customer,
        "opened_at": instant(held.opened_at),
        "resolved_at": instant(held.resolved_at),
        "resolution": held.resolution,
        "note": note,
    }
