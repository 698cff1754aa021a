"""Reads the books that a rule may look at, under the locks of the one order: customer, wallets, invoices, payments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from counterfoil.core.agreed import AutoTopup
from counterfoil.core.books import (
    Allocation,
    Books,
    Case,
    Customer,
    Grant,
    Hold,
    Invoice,
    Leg,
    Line,
    Method,
    Payment,
    Wallet,
    with_changes,
)
from counterfoil.core.bought import Collector, PendingLine, Purchase
from counterfoil.core.contested import Dispute
from counterfoil.core.ids import ProviderRef
from counterfoil.core.ordered import SalesOrder
from counterfoil.core.orders import Order
from counterfoil.core.terms import UNDECLARED, CollectionPolicy
from counterfoil.store import (
    auto_topups,
    cases,
    collecting,
    corrections,
    decisions,
    disputes,
    journal,
    purchases,
    refunds,
    sales_orders,
    subjects,
)
from counterfoil.store.database import Tx

T = TypeVar("T")
Row = TypeVar("Row", Grant, Hold, Leg, Order)


@dataclass(frozen=True, slots=True)
class Topups:
    """The auto top-ups of wallets are wanted, and what was bought for these wallets since an instant or is not over."""

    wallets: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a customer's books is wanted: invoices and payments by id (and whatever they are tied to), lots by id
    (used-up ones too), purchases by id, auto top-ups by wallet, and the provider's objects that the news is about."""

    invoices: tuple[str, ...] = ()
    payments: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    purchases: tuple[str, ...] = ()
    topups: Topups | None = None
    pending: bool = False
    """Whether the lines that wait to be billed are wanted, with their purchases."""
    pending_lines: tuple[str, ...] = ()
    sales_orders: tuple[str, ...] = ()
    refunds: bool = False
    """Whether the refunds of these payments' legs and purchases are wanted, with what they are decided by."""
    refs: tuple[str, ...] = ()
    fees: tuple[str, ...] = ()
    balances: bool = False
    """Whether the money is wanted that is kept for the customer and that nothing reserves."""
    contested: bool = False
    """Whether the disputes of the payments are wanted, with what is asked about them."""


def load_books(tx: Tx, customer: str, scope: Scope) -> Books | None:
    """Lock a customer and read its books. None when there is no such customer."""
    return load_all(tx, {customer: scope}).get(customer)


def load_all(tx: Tx, wanted: Mapping[str, Scope]) -> dict[str, Books]:
    """Lock customers and read the books of each, in one statement per table whatever their number."""
    held = subjects.lock_customers(tx, wanted)
    scopes = [wanted[customer] for customer in held]
    policies, recent = _topped_up(tx, scopes)
    bought, waiting = _bought(tx, scopes, list(held), policies)
    sold_as = [each for scope in scopes for each in scope.sales_orders]
    billing = {str(each.invoice) for each in bought if each.invoice}
    billing |= set(sales_orders.invoices_of(tx, sold_as)) if sold_as else set()
    invoice_ids, payment_ids = _tied_together(tx, scopes, billing)
    lots = [each for scope in scopes for each in scope.grants]
    named = {each.id for each in bought}
    bought = (*bought, *(each for each in recent if each.id not in named))
    shelves = _read(tx, sorted(held), invoice_ids, payment_ids, lots, bought, waiting, policies, sold_as)
    contested = disputes.of_payments(tx, payment_ids) if any(each.contested for each in scopes) else ()
    kept_for = [each for each, scope in zip(held, scopes, strict=True) if scope.balances]
    beside = _read_beside(tx, kept_for, scopes, contested)
    books = {each.id: _books(each, wanted[each.id], shelves, beside) for each in held.values()}
    return {each: _with_refunds(tx, books[each]) if wanted[each].refunds else books[each] for each in books}


def _with_refunds(tx: Tx, books: Books) -> Books:
    """Add what refunds of these legs and purchases are decided by."""
    legs = [each.id for each in books.legs]
    made = refunds.of(tx, legs, [each.id for each in books.purchases])
    orders = subjects.orders(tx, [each.id for each in made]) if made else ()
    clawed = {lot.grant for each in made for lot in each.given.lots if lot.owed}
    owing = {each.wallet for each in books.grants if each.id in clawed}
    covers = tuple(each for wallet in sorted(owing) for each in corrections.covers(tx, wallet))
    lots = subjects.grants(tx, sorted(owing), [], [lot for lot, _ in covers]) if covers else ()
    books = with_changes(books, (*orders, *lots))
    return replace(books, refunds=made, paid=refunds.paid_by(tx, legs), covers=covers)


def _topped_up(tx: Tx, scopes: Sequence[Scope]) -> tuple[tuple[AutoTopup, ...], tuple[Purchase, ...]]:
    """Give the auto top-ups that are wanted, and what was bought for their wallets."""
    wanted = [scope.topups for scope in scopes if scope.topups]
    wallets = {each for one in wanted for each in one.wallets}
    if not wallets:
        return (), ()
    return auto_topups.of_wallets(tx, wallets), auto_topups.bought(tx, wallets, min(each.since for each in wanted))


def _bought(
    tx: Tx, scopes: Sequence[Scope], customers: list[str], policies: Sequence[AutoTopup]
) -> tuple[tuple[Purchase, ...], tuple[PendingLine, ...]]:
    """Give the purchases and the waiting lines that are wanted, and each other's."""
    lines = [each for scope in scopes for each in scope.pending_lines]
    is_wanted = lines or any(scope.pending for scope in scopes)
    waiting = purchases.pending_lines(tx, customers, lines) if is_wanted else ()
    named = {each for scope in scopes for each in scope.purchases}
    named |= {str(each.purchase) for each in waiting if each.purchase}
    named |= {str(each.attempt) for each in policies if each.attempt}
    return purchases.purchases(tx, named) if named else (), waiting


@dataclass(frozen=True, slots=True)
class Shelves:
    """The rows of all customers that were asked for, each under what it belongs to."""

    methods: dict[str, list[Method]]
    wallets: dict[str, list[Wallet]]
    grants: dict[str, list[Grant]]
    holds: dict[str, list[Hold]]
    invoices: dict[str, list[Invoice]]
    lines: dict[str, list[Line]]
    payments: dict[str, list[Payment]]
    legs: dict[str, list[Leg]]
    allocations: dict[str, list[Allocation]]
    orders: dict[str, list[Order]]
    purchases: dict[str, list[Purchase]]
    topups: dict[str, list[AutoTopup]]
    pending_lines: dict[str, list[PendingLine]]
    sales_orders: dict[str, list[SalesOrder]]


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the subjects: money in suspense, questions, fees and disputes."""

    suspense: dict[str, int]
    questions: frozenset[tuple[str, str]]
    cases: tuple[Case, ...]
    charged: frozenset[str]
    balances: dict[str, list[tuple[str, int]]]
    policy: CollectionPolicy
    disputes: dict[str, list[Dispute]]


def _read(
    tx: Tx,
    customers: Sequence[str],
    invoice_ids: set[str],
    payment_ids: set[str],
    lots: list[str],
    bought: Sequence[Purchase],
    waiting: Sequence[PendingLine],
    policies: Sequence[AutoTopup],
    sold_as: Sequence[str],
) -> Shelves:
    """Read in the lock order. What belongs to rows that are not there is not asked for."""
    wallets = subjects.wallets_of(tx, customers)
    invoices = subjects.invoices(tx, invoice_ids) if invoice_ids else ()
    ordered, invoices = _ordered(tx, invoices, sold_as)
    payments = subjects.payments(tx, payment_ids) if payment_ids else ()
    legs = subjects.legs(tx, [each.id for each in payments]) if payments else ()
    leg_ids = [str(each.id) for each in legs]
    lines = subjects.lines(tx, [each.id for each in invoices]) if invoices else ()
    sold = _with_billed(tx, bought, lines)
    mirrors = [each.id for each in invoices if each.collector is Collector.PROVIDER]
    held_policies = _policies(tx, policies, sold)
    lots = [*lots, *(each.grant for each in sold if each.grant)]
    grants = subjects.grants(tx, [each.id for each in wallets], leg_ids, lots) if wallets else ()
    return Shelves(
        methods=_by(subjects.methods_of(tx, customers), "customer"),
        wallets=_by(wallets, "customer"),
        grants=_by(grants, "wallet"),
        holds=_by(subjects.holds(tx, leg_ids) if legs and wallets else (), "leg"),
        invoices=_by(invoices, "customer"),
        lines=_by(lines, "invoice"),
        payments=_by(payments, "customer"),
        legs=_by(legs, "payment"),
        allocations=_by(subjects.allocations(tx, leg_ids) if legs else (), "leg"),
        orders=_by(
            subjects.orders(tx, [*leg_ids, *mirrors, *(each.id for each in ordered)])
            if legs or mirrors or ordered
            else (),
            "subject",
        ),
        purchases=_by(sold, "customer"),
        pending_lines=_by(waiting, "customer"),
        sales_orders=_by(ordered, "customer"),
        topups=_by(held_policies, "customer"),
    )


def _ordered(
    tx: Tx, invoices: tuple[Invoice, ...], named: Sequence[str]
) -> tuple[tuple[SalesOrder, ...], tuple[Invoice, ...]]:
    """Give the orders that these invoices are of, and the invoices with all others of the same orders."""
    wanted = {*named, *(each.sales_order for each in invoices if each.sales_order)}
    if not wanted:
        return (), invoices
    missing = set(sales_orders.invoices_of(tx, wanted)) - {each.id for each in invoices}
    siblings = subjects.invoices(tx, missing) if missing else ()
    return sales_orders.by_id(tx, wanted), tuple(sorted([*invoices, *siblings], key=lambda each: each.id))


def _with_billed(tx: Tx, bought: Sequence[Purchase], lines: Iterable[Line]) -> list[Purchase]:
    """Give the purchases that were asked for, and those that the lines bill."""
    known = {each.id for each in bought}
    billed = {each.purchase for each in lines if each.purchase} - known
    return sorted([*bought, *(purchases.purchases(tx, billed) if billed else ())], key=lambda each: each.id)


def _policies(tx: Tx, known: Sequence[AutoTopup], purchases: Iterable[Purchase]) -> list[AutoTopup]:
    """Give the auto top-ups that were asked for, and those that made these purchases."""
    missing = {each.auto_topup for each in purchases if each.auto_topup} - {each.id for each in known}
    return sorted([*known, *(auto_topups.by_id(tx, missing) if missing else ())], key=lambda each: each.id)


def _read_beside(tx: Tx, kept_for: Sequence[str], scopes: Sequence[Scope], contested: tuple[Dispute, ...]) -> Beside:
    refs = [ref for scope in scopes for ref in scope.refs]
    keys = [f"fee:{ref}" for scope in scopes for ref in scope.fees]
    suspense = dict(journal.suspense_of(tx, refs)) if refs else {}
    asked = [*suspense, *(each.id for each in contested)]
    return Beside(
        suspense=suspense,
        questions=frozenset(decisions.questions_about(tx, refs)) if refs else frozenset(),
        cases=cases.open_about(tx, asked) if asked else (),
        disputes=_by(contested, "customer"),
        charged=frozenset(key.partition(":")[2] for key in journal.booked(tx, keys)) if keys else frozenset(),
        balances=_balances(tx, kept_for) if kept_for else {},
        policy=collecting.policy(tx) if any(scope.invoices or scope.payments for scope in scopes) else UNDECLARED,
    )


def _balances(tx: Tx, customers: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    free: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in collecting.balances(tx, customers):
        free[row["customer"]].append((row["currency"], row["minor"] - row["reserved"]))
    return free


def _books(customer: Customer, scope: Scope, shelves: Shelves, beside: Beside) -> Books:
    """Give one customer's share of what was read."""
    wallets = _under(shelves.wallets, [customer.id])
    invoices = _under(shelves.invoices, [customer.id])
    payments = _under(shelves.payments, [customer.id])
    legs = _by_id(_under(shelves.legs, [each.id for each in payments]))
    leg_ids = [each.id for each in legs]
    ordered = _under(shelves.sales_orders, [customer.id])
    contested = _under(beside.disputes, [customer.id])
    return Books(
        customer=customer,
        methods=_under(shelves.methods, [customer.id]),
        wallets=wallets,
        grants=_by_id(_under(shelves.grants, [each.id for each in wallets])),
        holds=_by_id(_under(shelves.holds, leg_ids)),
        invoices=invoices,
        lines=_under(shelves.lines, [each.id for each in invoices]),
        payments=payments,
        legs=legs,
        allocations=_under(shelves.allocations, leg_ids),
        orders=_by_id(
            _under(shelves.orders, [*leg_ids, *(each.id for each in invoices), *(each.id for each in ordered)])
        ),
        sales_orders=ordered,
        purchases=_under(shelves.purchases, [customer.id]),
        topups=_under(shelves.topups, [customer.id]),
        pending_lines=_under(shelves.pending_lines, [customer.id]),
        suspense=tuple((ProviderRef(ref), beside.suspense[ref]) for ref in scope.refs if ref in beside.suspense),
        questions=frozenset(each for each in beside.questions if each[1] in scope.refs),
        cases=tuple(each for each in beside.cases if each.subject in {*scope.refs, *(one.id for one in contested)}),
        disputes=contested,
        charged=frozenset(ProviderRef(ref) for ref in scope.fees if ref in beside.charged),
        balances=tuple(beside.balances.get(customer.id, ())),
        policy=beside.policy,
    )


def _by(rows: Iterable[T], name: str) -> dict[str, list[T]]:
    """Put rows under what they belong to, in the order that they were read."""
    shelf: dict[str, list[T]] = defaultdict(list)
    for each in rows:
        shelf[getattr(each, name)].append(each)
    return shelf


def _under(shelf: Mapping[str, list[T]], owners: Iterable[str]) -> tuple[T, ...]:
    return tuple(each for owner in owners for each in shelf.get(owner, ()))


def _by_id(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The books are ordered by id, whatever they were read by."""
    return tuple(sorted(rows, key=lambda each: each.id))


def _tied_together(tx: Tx, scopes: Iterable[Scope], named: set[str]) -> tuple[set[str], set[str]]:
    """Follow invoices to their payments and payments to their invoices until nothing is added."""
    invoices: set[str] = set()
    payments: set[str] = set()
    fresh_invoices = named | {each for scope in scopes for each in scope.invoices}
    fresh_payments = {each for scope in scopes for each in scope.payments}
    while fresh_invoices or fresh_payments:
        invoices |= fresh_invoices
        payments |= fresh_payments
        found_payments = subjects.related_payments(tx, fresh_invoices) if fresh_invoices else ()
        found_invoices = subjects.related_invoices(tx, fresh_payments) if fresh_payments else ()
        fresh_invoices, fresh_payments = set(found_invoices) - invoices, set(found_payments) - payments
    return invoices, payments
