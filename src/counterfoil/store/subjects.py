"""Our subjects as rows: one table each, columns named as the fields are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Final, LiteralString, TypeVar

from psycopg.sql import SQL, Composed, Identifier, Placeholder

from counterfoil.core.agreed import AutoTopup
from counterfoil.core.books import (
    Allocation,
    Case,
    Customer,
    Grant,
    Hold,
    Invoice,
    Leg,
    Line,
    Method,
    Payment,
    Subject,
    Wallet,
)
from counterfoil.core.bought import PendingLine, Purchase
from counterfoil.core.contested import Dispute
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import ServiceUnit
from counterfoil.core.ordered import SalesOrder
from counterfoil.core.orders import Order
from counterfoil.core.paid_out import Payout
from counterfoil.core.refunded import CreditNote, Refund
from counterfoil.store.codec import as_type, decode, hints_of, reader, to_json
from counterfoil.store.database import Row, Tx

T = TypeVar("T")

TABLES: Final[dict[type, str]] = {
    Customer: "customer",
    Method: "method",
    Wallet: "wallet",
    Grant: "grant_lot",
    Hold: "hold",
    Line: "invoice_line",
    Invoice: "invoice",
    Payment: "payment",
    Leg: "leg",
    Case: "review_case",
    Order: "provider_order",
    Purchase: "purchase",
    AutoTopup: "auto_topup",
    PendingLine: "pending_line",
    SalesOrder: "sales_order",
    Refund: "refund",
    CreditNote: "credit_note",
    Dispute: "dispute",
    Payout: "payout",
}
RENAMED: Final[dict[tuple[type, str], str]] = {
    (Hold, "grant"): "grant_lot",
    (Purchase, "grant"): "grant_lot",
    (Refund, "grant"): "grant_lot",
}
"""Fields whose column has another name, because the field's is a reserved word."""


class SubjectMoved(Exception):
    """A subject was not as the rule saw it, although its row was locked: a bug, never a race to be retried."""

    code = "subject_moved"


def save(tx: Tx, before: Subject | None, after: Subject) -> None:
    """Write a subject: insert it, or update what changed, provided that it still is as `before`."""
    if before is None:
        _insert(tx, after)
    elif before != after:
        _update(tx, before, after)


def _insert(tx: Tx, subject: Subject) -> None:
    values = to_row(subject)
    columns = ["tenant", *values]
    sql = SQL("insert into {} ({}) values ({})").format(
        Identifier(TABLES[type(subject)]),
        SQL(", ").join(map(Identifier, columns)),
        SQL(", ").join(map(Placeholder, columns)),
    )
    if isinstance(subject, Case):
        # A question is put to a person once, however often news raises it.
        sql += SQL(" on conflict (tenant, question, subject) do nothing")
    tx.composed(sql, values)


def _update(tx: Tx, before: Subject, after: Subject) -> None:
    old, new = to_row(before), to_row(after)
    changed = [name for name in new if new[name] != old[name]]
    values = {"id": old["id"]}
    values |= {f"new_{name}": new[name] for name in changed} | {f"old_{name}": old[name] for name in changed}
    if tx.composed(_update_sql(TABLES[type(after)], tuple(changed)), values) != 1:
        raise SubjectMoved(f"{TABLES[type(after)]} {old['id']} is no longer as it was read")


@cache
def _update_sql(table: str, changed: tuple[str, ...]) -> Composed:
    """Compare every changed column with what the rule saw, so that a lost update can't pass for a success."""
    sets = [SQL("{} = {}").format(Identifier(name), Placeholder(f"new_{name}")) for name in changed]
    same = [SQL("{} is not distinct from {}").format(Identifier(name), Placeholder(f"old_{name}")) for name in changed]
    return SQL("update {} set {} where tenant = {} and id = {} and {}").format(
        Identifier(table), SQL(", ").join(sets), Placeholder("tenant"), Placeholder("id"), SQL(" and ").join(same)
    )


def allocate(tx: Tx, allocation: Allocation) -> None:
    """Fix how much of an invoice a leg is to pay. The database refuses a second collector of the same invoice."""
    tx.run(
        "insert into allocation (tenant, leg, invoice, minor) values (%(tenant)s, %(leg)s, %(invoice)s, %(minor)s)",
        leg=allocation.leg,
        invoice=allocation.invoice,
        minor=allocation.minor,
    )


def to_row(subject: Subject) -> dict[str, Any]:
    """Give a subject's columns and their values."""
    row = {RENAMED.get((type(subject), each.name), each.name): getattr(subject, each.name) for each in fields(subject)}
    if isinstance(subject, Wallet):
        row["unit"] = subject.unit.code
        row["alert_percents"] = _numbers(subject.alert_percents)
        row["alert_levels"] = _numbers(subject.alert_levels)
    if isinstance(subject, Grant | Purchase):
        row["features"] = list(subject.features)
    if isinstance(subject, Line | PendingLine | Purchase):
        row["taxes"] = to_json(subject.taxes)
    if isinstance(subject, Order):
        row["instruction"] = to_json(subject.instruction)
        row["verb"] = type(subject.instruction).__name__
    if isinstance(subject, Refund):
        row["given"] = to_json(subject.given)
    if isinstance(subject, CreditNote):
        row["lines"] = to_json(subject.lines)
    return row


def _numbers(items: Iterable[int]) -> str:
    """Write an array of numbers as its column reads it, however large they are."""
    return f"{{{','.join(map(str, items))}}}"


def from_row(cls: type[T], row: Mapping[str, Any]) -> T:
    """Read a subject from its row."""
    kind: Any = cls
    values = {}
    for name, column, read in columns_of(kind):
        if column in row:
            value = row[column]
            values[name] = read(value) if read and value is not None else value
    return cls(**values)


@cache
def columns_of(cls: Any) -> tuple[tuple[str, str, Callable[[Any], Any] | None], ...]:
    """Give the fields of a subject, each with its column and with what reads it, None where nothing has to."""
    return tuple((name, RENAMED.get((cls, name), name), reader(hint)) for name, hint in hints_of(cls).items())


# --- reading ---


def lock_customer(tx: Tx, customer: str) -> Customer | None:
    """Lock a customer and, after it, its wallets: the first two rungs of the one lock order."""
    return lock_customers(tx, [customer]).get(customer)


def lock_customers(tx: Tx, ids: Iterable[str]) -> dict[str, Customer]:
    """Lock customers, in the order of their ids, and after them their wallets."""
    rows = tx.rows(
        "select * from customer where tenant = %(tenant)s and id = any (%(ids)s) order by id for no key update",
        ids=list(ids),
    )
    tx.rows(
        "select id from wallet where tenant = %(tenant)s and customer = any (%(ids)s) order by id for no key update",
        ids=[row["id"] for row in rows],
    )
    return {row["id"]: from_row(Customer, row) for row in rows}


def customer(tx: Tx, identity: str) -> Customer | None:
    """Give a customer, without locking it."""
    row = tx.one("select * from customer where tenant = %(tenant)s and id = %(id)s", id=identity)
    return from_row(Customer, row) if row else None


def wallets(tx: Tx, customer: str) -> tuple[Wallet, ...]:
    """Give a customer's wallets with their units."""
    return wallets_of(tx, [customer])


def wallets_of(tx: Tx, customers: Iterable[str]) -> tuple[Wallet, ...]:
    """Give the wallets of customers with their units."""
    rows = tx.rows(
        """
        select w.*, u.scale, u.face_minor, u.face_currency
        from wallet w
        join service_unit u on u.tenant = w.tenant and u.code = w.unit
        where w.tenant = %(tenant)s and w.customer = any (%(customers)s)
        order by w.id
        """,
        customers=list(customers),
    )
    return tuple(as_wallet(row) for row in rows)


def as_wallet(row: Row) -> Wallet:
    """Read a wallet from its row, which its unit's columns are joined to."""
    return from_row(Wallet, {**row, "unit": ServiceUnit(row["unit"], *(row[each] for each in UNIT_COLUMNS))})


UNIT_COLUMNS: Final = ("scale", "face_minor", "face_currency")


def methods(tx: Tx, customer: str) -> tuple[Method, ...]:
    """Give a customer's saved payment methods."""
    return methods_of(tx, [customer])


def methods_of(tx: Tx, customers: Iterable[str]) -> tuple[Method, ...]:
    """Give the saved payment methods of customers."""
    sql: LiteralString = "select * from method where tenant = %(tenant)s and customer = any (%(ids)s) order by id"
    return _all(Method, tx.rows(sql, ids=list(customers)))


def grants(tx: Tx, wallet_ids: list[str], leg_ids: list[str], named: list[str]) -> tuple[Grant, ...]:
    """Give the lots of these wallets that still hold something, are named, or that the legs' holds reserve or used."""
    rows = tx.rows(
        """
        select * from grant_lot
        where tenant = %(tenant)s and wallet = any (%(wallets)s)
            and (remaining > 0 or id = any (%(named)s)
                or id in (select grant_lot from hold where tenant = %(tenant)s and leg = any (%(legs)s)))
        order by id
        """,
        wallets=wallet_ids,
        legs=leg_ids,
        named=named,
    )
    return _all(Grant, rows)


def holds(tx: Tx, leg_ids: list[str]) -> tuple[Hold, ...]:
    """Give the holds of these legs."""
    return _all(
        Hold, tx.rows("select * from hold where tenant = %(tenant)s and leg = any (%(legs)s) order by id", legs=leg_ids)
    )


def invoices(tx: Tx, ids: Iterable[str]) -> tuple[Invoice, ...]:
    """Lock and give invoices, the third rung of the lock order."""
    rows = tx.rows(
        "select * from invoice where tenant = %(tenant)s and id = any (%(ids)s) order by id for no key update",
        ids=list(ids),
    )
    return _all(Invoice, rows)


def lines(tx: Tx, invoice_ids: Iterable[str]) -> tuple[Line, ...]:
    """Give the lines of invoices."""
    rows = tx.rows(
        "select * from invoice_line where tenant = %(tenant)s and invoice = any (%(ids)s) order by invoice, position",
        ids=list(invoice_ids),
    )
    return _all(Line, rows)


def payments(tx: Tx, ids: Iterable[str]) -> tuple[Payment, ...]:
    """Lock and give payments, the last rung of the lock order."""
    rows = tx.rows(
        "select * from payment where tenant = %(tenant)s and id = any (%(ids)s) order by id for no key update",
        ids=list(ids),
    )
    return _all(Payment, rows)


def legs(tx: Tx, payment_ids: Iterable[str]) -> tuple[Leg, ...]:
    """Give the legs of payments."""
    rows = tx.rows(
        "select * from leg where tenant = %(tenant)s and payment = any (%(ids)s) order by id", ids=list(payment_ids)
    )
    return _all(Leg, rows)


def allocations(tx: Tx, leg_ids: Iterable[str]) -> tuple[Allocation, ...]:
    """Give what legs are to pay, in invoice order."""
    rows = tx.rows(
        """
        select leg, invoice, minor from allocation
        where tenant = %(tenant)s and leg = any (%(ids)s)
        order by leg, invoice
        """,
        ids=list(leg_ids),
    )
    return _all(Allocation, rows)


def orders(tx: Tx, subject_ids: Iterable[str]) -> tuple[Order, ...]:
    """Give the orders about these legs, customers or methods, oldest first."""
    rows = tx.rows(
        "select * from provider_order where tenant = %(tenant)s and subject = any (%(ids)s) order by id",
        ids=list(subject_ids),
    )
    return tuple(order_from(row) for row in rows)


def order_by_id(tx: Tx, order: str, *, lock: bool = False) -> Order | None:
    """Give one order; with `lock`, hold its row until the transaction ends."""
    if lock:
        row = tx.one(
            "select * from provider_order where tenant = %(tenant)s and id = %(id)s for no key update", id=order
        )
    else:
        row = tx.one("select * from provider_order where tenant = %(tenant)s and id = %(id)s", id=order)
    return order_from(row) if row else None


def order_from(row: Row) -> Order:
    """Read an order from its row."""
    hints = hints_of(Order)
    plain = {name: as_type(row[name], hint) for name, hint in hints.items() if name != "instruction"}
    return Order(**plain, instruction=decode(row["instruction"]))


def related_payments(tx: Tx, invoice_ids: Iterable[str]) -> list[str]:
    """Give the ids of the payments that have a leg for one of these invoices."""
    rows = tx.rows(
        """
        select distinct l.payment as id
        from allocation a
        join leg l on l.tenant = a.tenant and l.id = a.leg
        where a.tenant = %(tenant)s and a.invoice = any (%(ids)s)
        """,
        ids=list(invoice_ids),
    )
    return [row["id"] for row in rows]


def related_invoices(tx: Tx, payment_ids: Iterable[str]) -> list[str]:
    """Give the ids of the invoices that a leg of these payments is to pay."""
    rows = tx.rows(
        """
        select distinct a.invoice as id
        from leg l
        join allocation a on a.tenant = l.tenant and a.leg = l.id
        where l.tenant = %(tenant)s and l.payment = any (%(ids)s)
        """,
        ids=list(payment_ids),
    )
    return [row["id"] for row in rows]


def customer_of(tx: Tx, noun: str, identity: str) -> str | None:
    """Give the customer that a subject belongs to, without locking anything."""
    if noun in OWNED:
        column = "id" if noun == "customer" else "customer"
        sql = SQL("select {} as customer from {} where tenant = %(tenant)s and id = %(id)s").format(
            Identifier(column), Identifier(noun)
        )
        found = tx.first(sql, {"id": identity})
        return str(found["customer"]) if found else None
    row = tx.one(PARENTS[noun], id=identity) if noun in PARENTS else None
    return str(row["customer"]) if row and row["customer"] else None


OWNED: Final = frozenset(
    {"customer", "wallet", "invoice", "payment", "method", "purchase", "pending_line", "auto_topup", "refund"}
    | {"credit_note", "sales_order", "dispute"}
)
"""Nouns whose table is called as they are and names the customer."""
PARENTS: Final[dict[str, LiteralString]] = {
    "leg": """
        select p.customer from leg l join payment p on p.tenant = l.tenant and p.id = l.payment
        where l.tenant = %(tenant)s and l.id = %(id)s
    """,
    "grant": """
        select w.customer from grant_lot g join wallet w on w.tenant = g.tenant and w.id = g.wallet
        where g.tenant = %(tenant)s and g.id = %(id)s
    """,
    "order": "select customer from provider_order where tenant = %(tenant)s and id = %(id)s",
    "case": "select customer from review_case where tenant = %(tenant)s and id = %(id)s",
}


def leg_of_ref(tx: Tx, account: str, refs: Iterable[str]) -> Row | None:
    """Find the leg that holds one of these handles: its id, payment and customer."""
    return tx.one(
        """
        select l.id, l.payment, p.customer
        from leg l
        join payment p on p.tenant = l.tenant and p.id = l.payment
        where l.tenant = %(tenant)s and l.account = %(account)s
            and (l.provider_ref = any (%(refs)s) or l.session_ref = any (%(refs)s))
        limit 1
        """,
        account=account,
        refs=list(refs),
    )


def legs_of_refs(tx: Tx, accounts: Sequence[str], refs: Sequence[str]) -> dict[tuple[str, str], Row]:
    """Find the legs that hold these handles, given account by account; the answer is keyed by account and handle."""
    rows = tx.rows(
        """
        select l.id, l.payment, l.account, l.provider_ref, p.customer
        from unnest(%(accounts)s::text[], %(refs)s::text[]) as wanted (account, ref)
        join leg l on l.tenant = %(tenant)s and l.account = wanted.account and l.provider_ref = wanted.ref
        join payment p on p.tenant = l.tenant and p.id = l.payment
        """,
        accounts=list(accounts),
        refs=list(refs),
    )
    return {(row["account"], row["provider_ref"]): row for row in rows}


def leg_of_mark(tx: Tx, account: str, leg: str) -> Row | None:
    """Find a leg of ours, by the id that it carries as a mark, while it still waits for its handle."""
    return tx.one(
        """
        select l.id, l.payment, p.customer
        from leg l
        join payment p on p.tenant = l.tenant and p.id = l.payment
        where l.tenant = %(tenant)s and l.account = %(account)s and l.id = %(leg)s and l.provider_ref is null
        """,
        account=account,
        leg=leg,
    )


def customer_of_ref(tx: Tx, account: str, ref: str) -> str | None:
    """Find our customer by its id at the provider."""
    row = tx.one(
        "select id from customer where tenant = %(tenant)s and account = %(account)s and provider_ref = %(ref)s",
        account=account,
        ref=ref,
    )
    return str(row["id"]) if row else None


def customer_of_external(tx: Tx, external_id: str) -> str | None:
    """Find a customer by the caller's own id."""
    row = tx.one(
        "select id from customer where tenant = %(tenant)s and external_id = %(external_id)s", external_id=external_id
    )
    return str(row["id"]) if row else None


def method_ref(tx: Tx, method: str) -> ProviderRef | None:
    """Give a saved method's id at the provider."""
    row = tx.one("select provider_ref from method where tenant = %(tenant)s and id = %(id)s", id=method)
    return ProviderRef(row["provider_ref"]) if row else None


def payment_of_leg(tx: Tx, leg: str) -> str | None:
    """Give the payment that a leg belongs to, None when the id is not a leg's."""
    row = tx.one("select payment from leg where tenant = %(tenant)s and id = %(id)s", id=leg)
    return str(row["payment"]) if row else None


def customer_of_method(tx: Tx, account: str, ref: str) -> str | None:
    """Find the customer whose saved payment method this is."""
    row = tx.one(
        "select customer from method where tenant = %(tenant)s and account = %(account)s and provider_ref = %(ref)s",
        account=account,
        ref=ref,
    )
    return str(row["customer"]) if row and row["customer"] else None


def method_asked_for(tx: Tx, customer: str, ref: str) -> str | None:
    """Give the id that a method was promised when we asked the provider to save exactly this one."""
    row = tx.one(
        """
        select subject from provider_order
        where tenant = %(tenant)s and customer = %(customer)s and verb = 'AttachMethod'
            and instruction ->> 'token' = %(ref)s
        order by id
        limit 1
        """,
        customer=customer,
        ref=ref,
    )
    return str(row["subject"]) if row else None


def _all(cls: type[T], rows: Iterable[Row]) -> tuple[T, ...]:
    return tuple(from_row(cls, row) for row in rows)
