"""Writes many subjects at once: one statement per table, and per set of columns that changed."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from psycopg.sql import SQL, Composed, Identifier

from counterfoil.core.books import Allocation, Subject, Wallet
from counterfoil.core.orders import Order
from counterfoil.store.codec import document, encode
from counterfoil.store.database import Tx
from counterfoil.store.subjects import TABLES, SubjectMoved, columns_of, to_row

Pair = tuple[Subject | None, Subject]

FIRST_TO_LAST: Final = (
    "customer method wallet grant_lot invoice invoice_line payment leg hold review_case provider_order".split()
)
ORDER: Final = {table: place for place, table in enumerate(FIRST_TO_LAST)}
"""Tables in the order that foreign keys want: what is pointed at comes first."""


def save_all(tx: Tx, pairs: Sequence[Pair]) -> None:
    """Write subjects as `subjects.save` writes each: insert it, or update what changed if it still is as it was seen.

    No subject may be named twice.
    """
    made: dict[str, list[dict[str, Any]]] = defaultdict(list)
    moved: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = defaultdict(list)
    for before, after in pairs:
        table = TABLES[type(after)]
        if before is None:
            made[table].append(_document(after))
        elif before != after:
            changed, old, new = _difference(before, after)
            moved[table, changed].append({"id": after.id, "old": old, "new": new})
    for table in sorted(made, key=ORDER.__getitem__):
        tx.composed(_insert(table, tuple(made[table][0])), {"rows": document(made[table])})
    for (table, changed), rows in sorted(moved.items(), key=lambda item: (ORDER[item[0][0]], item[0][1])):
        if tx.composed(_update(table, changed), {"rows": document(rows)}) != len(rows):
            raise SubjectMoved(f"one of {len(rows)} rows of {table} is no longer as it was read")


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
    return document


def _difference(before: Subject, after: Subject) -> tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]:
    """Give the columns that changed, with their values as they were and as they are to be."""
    if isinstance(after, Order | Wallet):
        # A few of their columns are not simply a field.
        old, new = _document(before), _document(after)
        changed = tuple(name for name in new if new[name] != old[name])
        return changed, {name: old[name] for name in changed}, {name: new[name] for name in changed}
    kind: Any = type(after)
    pairs = [(column, getattr(before, name), getattr(after, name)) for name, column, _ in columns_of(kind)]
    moved = [(column, was, now) for column, was, now in pairs if was != now]
    return (
        tuple(column for column, _, _ in moved),
        {column: encode(was) for column, was, _ in moved},
        {column: encode(now) for column, _, now in moved},
    )


@cache
def _insert(table: str, columns: tuple[str, ...]) -> Composed:
    names = SQL(", ").join(map(Identifier, columns))
    statement = SQL(
        "insert into {table} (tenant, {names}) "
        "select %(tenant)s, {names} from jsonb_populate_recordset(null::{table}, %(rows)s::jsonb)"
    )
    return statement.format(table=Identifier(table), names=names)


@cache
def _update(table: str, changed: tuple[str, ...]) -> Composed:
    """Compare every changed column with what the rule saw, so that a lost update can't pass for a success."""
    sets = [SQL("{name} = new.{name}").format(name=Identifier(name)) for name in changed]
    same = [SQL("was.{name} is not distinct from old.{name}").format(name=Identifier(name)) for name in changed]
    statement = SQL(
        "update {table} as was set {sets} "
        "from jsonb_array_elements(%(rows)s::jsonb) as pair, "
        "jsonb_populate_record(null::{table}, pair -> 'new') as new, "
        "jsonb_populate_record(null::{table}, pair -> 'old') as old "
        "where was.tenant = %(tenant)s and was.id = pair ->> 'id' and {same}"
    )
    return statement.format(table=Identifier(table), sets=SQL(", ").join(sets), same=SQL(" and ").join(same))
