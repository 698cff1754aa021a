"""Commands that change a customer: its personal fields, their erasure, and whether anything may be collected."""

from dataclasses import dataclass
from typing import Any, Final

from counterfoil.core import customers
from counterfoil.core.books import Books
from counterfoil.core.effects import Decision, Reason, Refuse, Why
from counterfoil.engine import looks
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked
from counterfoil.store import accounts, documents, erasing, outbox, subjects
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import Answer, plain

PERSONAL: Final = frozenset({"name", "email", "metadata", "locale", "billing"})
TOLD: Final = ("name", "email")
"""What of them the provider has a copy of."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The personal fields to be changed, by name; what is not named stays."""

    fields: dict[str, Any]

    def __post_init__(self) -> None:
        assert set(self.fields) <= PERSONAL, "only personal fields are changed so"


def update_customer(asked: Asked, customer: str, changes: Changes) -> Result:
    """Change a customer's personal fields. The provider's copy of name and e-mail follows."""

    def after(tx: Tx, applied: Applied) -> None:
        changed = {**_person(tx, customer), **changes.fields}
        labels, locale = changed["metadata"] or {}, changed["locale"] or "en"
        accounts.put_person(tx, customer, changed["name"], changed["email"], labels, locale)
        documents.put_billing(tx, customer, changed["billing"] or {})

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return _missing(customer)
        held = _person(tx, customer)
        told = any(changes.fields.get(name, held[name]) != held[name] for name in TOLD)
        orders = outbox.orders_about(tx, customer)
        return customers.decide_update_customer(books, orders, moment.now, moment.new_id, told=told)

    return run(asked.house, asked.tenant, asked.request, _plan(customer, decide, after))


def _person(tx: Tx, customer: str) -> Row:
    return accounts.person(tx, customer) or dict(erasing.FIELDS)


def erase_customer(asked: Asked, customer: str) -> Result:
    """Erase everything personal about a customer, for ever. Invoices, payments and the journal keep its id."""

    def after(tx: Tx, applied: Applied) -> None:
        held = subjects.customer(tx, customer)
        assert held is not None, "a customer that was decided about"
        erasing.erase_customer(tx, held, asked.house.clock.now())

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return _missing(customer)
        return customers.decide_erase(books, outbox.orders_about(tx, customer), moment.now, moment.new_id)

    return run(asked.house, asked.tenant, asked.request, _plan(customer, decide, after))


def pause_customer(asked: Asked, customer: str, *, paused: bool) -> Result:
    """Pause a customer, or resume it."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return customers.decide_pause(books, paused=paused) if books else _missing(customer)

    return run(asked.house, asked.tenant, asked.request, _plan(customer, decide))


def note_standing(asked: Asked, customer: str, *, email_verified: bool, risk: str | None) -> Result:
    """Note what the application says of a customer."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return _missing(customer)
        return customers.decide_standing(books, email_verified=email_verified, risk=risk)

    return run(asked.house, asked.tenant, asked.request, _plan(customer, decide))


def _plan(customer: str, decide: Any, after: Any = None) -> Plan:
    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.customer(tx, customer)))

    return Plan(customer, Scope(), decide, answer, after, awaits=lambda _: None)


def _missing(customer: str) -> Refuse:
    return Refuse(Why("find-customer@1", Reason.NOT_FOUND, f"There is no customer {customer}."), "customer")
