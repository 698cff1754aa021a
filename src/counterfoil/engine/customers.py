"""Commands that change a customer: its personal fields, and whether anything may be collected from it."""

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
from counterfoil.store import accounts
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain

PERSONAL: Final = frozenset({"name", "email", "metadata"})


@dataclass(frozen=True, slots=True)
class Changes:
    """The personal fields to be changed, by name; what is not named stays."""

    fields: dict[str, Any]

    def __post_init__(self) -> None:
        assert set(self.fields) <= PERSONAL, "only personal fields are changed so"


def update_customer(asked: Asked, customer: str, changes: Changes) -> Result:
    """Change a customer's personal fields here. What the provider holds of them stays as it was."""

    def after(tx: Tx, applied: Applied) -> None:
        held = accounts.person(tx, customer) or {"name": None, "email": None, "metadata": {}}
        changed = {**held, **changes.fields}
        accounts.put_person(tx, customer, changed["name"], changed["email"], changed["metadata"] or {})

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return customers.decide_update_customer(books) if books else _missing(customer)

    return run(asked.house, asked.tenant, asked.request, _plan(customer, decide, after))


def pause_customer(asked: Asked, customer: str, *, paused: bool) -> Result:
    """Pause a customer, or resume it."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return customers.decide_pause(books, paused=paused) if books else _missing(customer)

    return run(asked.house, asked.tenant, asked.request, _plan(customer, decide))


def _plan(customer: str, decide: Any, after: Any = None) -> Plan:
    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.customer(tx, customer)))

    return Plan(customer, Scope(), decide, answer, after, awaits=lambda _: None)


def _missing(customer: str) -> Refuse:
    return Refuse(Why("find-customer@1", Reason.NOT_FOUND, f"There is no customer {customer}."), "customer")
