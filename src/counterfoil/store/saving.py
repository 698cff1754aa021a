"""Writes many subjects at once: one statement per table, and per set of columns that changed."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, LiteralString, get_args

from psycopg.sql import SQL, Composed, Identifier

from counterfoil.core.books import Allocation, Line, Subject, Wallet
from counterfoil.core.bought import PendingLine, Purchase
from counterfoil.core.orders import Order
from counterfoil.core.refunded import CreditNote, Refund
from counterfoil.core.tax import Tax
from counterfoil.store.codec import document, encode, hints_of
from counterfoil.store.database import Tx
from counterfoil.store.subjects import TABLES, SubjectMoved, columns_of, to_row

Pair = tuple[Subject | None, Subject]

FIRST_TO_LAST: Final = (
    *("customer", "method", "wallet", "auto_topup", "purchase", "grant_lot", "sales_order", "invoice", "invoice_line"),
    *("pending_line", "payment", "leg", "dispute", "hold", "refund", "credit_note", "payout", "review_case"),
    "provider_order",
)
ORDER: Final = {table: place for place, table in enumerate(FIRST_TO_LAST)}
"""Tables in the order that foreign keys want: what is pointed at comes first."""


def save_all(tx: Tx, pairs: Sequence[Pair]) -> None:
    """Write subjects as `subjects.save` writes each: insert it, or update what changed if it still is as it was seen.

    No subject may be named twice.
    """
    made: dict[str, list[dict[str, Any]]] = defaultdict(list)
    moved: dict[tuple[type, tuple[str, ...]], list[dict[str, Any]]] = defaultdict(list)
    for before, after in pairs:
        table = TABLES[type(after)]
        if before is None:
            made[table].append(_document(after))
        elif before != after:
            changed, old, new = _difference(before, after)
            moved[type(after), changed].append({"id": after.id, **old, **new})
    for table in sorted(made, key=ORDER.__getitem__):
        tx.composed(_insert(table, tuple(made[table][0])), {"rows": document(made[table])})
    for (kind, changed), rows in sorted(moved.items(), key=lambda item: (ORDER[TABLES[item[0][0]]], item[0][1])):
        if tx.composed(_update(kind, changed), {"rows": document(rows)}) != len(rows):
            raise SubjectMoved(f"one of {len(rows)} rows of {TABLES[kind]} is no longer as it was read")


def allocate_all(tx: Tx, allocations: Sequence[Allocation]) -> None:
    """Fix how much of invoices legs are to pay."""
    if allocations:
        tx.run(
            """
            insert into allocation (tenant, leg, invoice, minor)
            select %(tenant)s, leg, invoice, minor
            from unnest(%(legs)s::text[], %(invoices)s::text[], %(minors)s::bigint[]) as one (leg, invoice, minor)
            """,
            legs=[each.leg for each in allocations],
            invoices=[each.invoice for each in allocations],
            minors=[each.minor for each in allocations],
        )


def _document(subject: Subject) -> dict[str, Any]:
    document = {name: encode(value) for name, value in to_row(subject).items()}
    if isinstance(subject, Order):
        document["instruction"] = encode(subject.instruction)
    if isinstance(subject, Refund):
        document["given"] = encode(subject.given)
    if isinstance(subject, CreditNote):
        document["lines"] = encode(subject.lines)
    if isinstance(subject, Line | PendingLine | Purchase):
        document["taxes"] = encode(subject.taxes)
    return document


def _difference(before: Subject, after: Subject) -> tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]:
    """Give the columns that changed, and their values as they were and as they are to be, under names of their own."""
    if isinstance(after, Order | Wallet | Refund):
        # A few of their columns are not simply a field.
        old, new = _document(before), _document(after)
        changed = tuple(name for name in new if new[name] != old[name])
        return changed, {f"old_{name}": old[name] for name in changed}, {f"new_{name}": new[name] for name in changed}
    kind: Any = type(after)
    columns, values_of = _shape(kind)
    both = zip(columns, values_of(before), values_of(after), strict=True)
    moved = [(column, was, now) for column, was, now in both if was != now]
    return (
        tuple(column for column, _, _ in moved),
        {f"old_{column}": encode(was) for column, was, _ in moved},
        {f"new_{column}": encode(now) for column, _, now in moved},
    )


@cache
def _shape(cls: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """Give the columns of a subject, and what reads all of their values at once."""
    columns = columns_of(cls)
    return tuple(column for _, column, _ in columns), attrgetter(*(name for name, _, _ in columns))


@cache
def _insert(table: str, columns: tuple[str, ...]) -> Composed:
    names = SQL(", ").join(map(Identifier, columns))
    statement = SQL(
        "insert into {table} (tenant, {names}) "
        "select %(tenant)s, {names} from jsonb_populate_recordset(null::{table}, %(rows)s::jsonb)"
    )
    return statement.format(table=Identifier(table), names=names)


@cache
def _update(kind: Any, changed: tuple[str, ...]) -> Composed:
    """Compare every changed column with what the rule saw, so that a lost update can't pass for a success."""
    sets = [SQL("{} = pair.{}").format(Identifier(name), Identifier(f"new_{name}")) for name in changed]
    same = [
        SQL("was.{} is not distinct from pair.{}").format(Identifier(name), Identifier(f"old_{name}"))
        for name in changed
    ]
    types = _types_of(kind)
    both = [(f"{when}_{name}", types[name]) for name in changed for when in ("old", "new")]
    columns = [SQL("{} {}").format(Identifier(name), SQL(type_)) for name, type_ in both]
    statement = SQL(
        "update {table} as was set {sets} "
        "from jsonb_to_recordset(%(rows)s::jsonb) as pair (id text, {columns}) "
        "where was.tenant = %(tenant)s and was.id = pair.id and {same}"
    )
    return statement.format(
        table=Identifier(TABLES[kind]),
        sets=SQL(", ").join(sets),
        columns=SQL(", ").join(columns),
        same=SQL(" and ").join(same),
    )


@cache
def _types_of(kind: Any) -> dict[str, LiteralString]:
    """Give the type of each column of a subject, wide enough for whatever the column holds."""
    hints = hints_of(kind)
    types = {column: _type_of(hints[name]) for name, column, _ in columns_of(kind)}
    return types | EXTRA_TYPES.get(kind, {})


def _type_of(hint: Any) -> LiteralString:
    if isinstance(hint, UnionType):
        hint = next(each for each in get_args(hint) if each is not NoneType)
    return TYPES.get(getattr(hint, "__supertype__", hint), "text")


EXTRA_TYPES: Final[dict[Any, dict[str, LiteralString]]] = {
    Order: {"instruction": "jsonb", "verb": "text"},
    Refund: {"given": "jsonb"},
}
TYPES: Final[dict[Any, LiteralString]] = {
    int: "bigint",
    bool: "boolean",
    datetime: "timestamptz",
    tuple[str, ...]: "text[]",
    tuple[int, ...]: "bigint[]",
    tuple[Tax, ...]: "jsonb",
}
"""Every other field of a subject is a text, or a word of one of our enumerations."""
