"""The command by which a person answers a question."""

from counterfoil.core.books import Books
from counterfoil.core.cases import Resolution, decide_resolve
from counterfoil.core.effects import Decision, Reason, Refuse, Why
from counterfoil.engine import looks
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked
from counterfoil.store import cases, subjects
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain


def resolve_case(asked: Asked, case: str, resolution: Resolution, note: str | None) -> Result:
    """Answer a question. What the person wrote is kept beside it, apart from the books, and can be erased."""
    with asked.house.database.transaction(asked.tenant) as tx:
        customer = subjects.customer_of(tx, "case", case)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        held = cases.held(tx, case)
        if held is None:
            return Refuse(Why("find-case@1", Reason.NOT_FOUND, f"There is no case {case}."), "case")
        return decide_resolve(held, resolution, moment.now)

    def after(tx: Tx, applied: Applied) -> None:
        if note is not None:
            cases.put_note(tx, case, note)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.case(tx, case)))

    plan = Plan(customer, Scope(), decide, answer, after, awaits=lambda _: None)
    return run(asked.house, asked.tenant, asked.request, plan)
