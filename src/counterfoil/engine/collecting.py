"""Commands about debts: payments that others took, debts that are given up, and what collecting is held to."""

from collections.abc import Callable
from dataclasses import replace

from counterfoil.core import external, invoicing
from counterfoil.core.books import Books
from counterfoil.core.effects import Decision
from counterfoil.core.external import ExternalPayment
from counterfoil.core.ids import InvoiceId, PaymentId
from counterfoil.core.terms import CollectionPolicy
from counterfoil.engine.answers import payment_answer
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.house import House
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.operations import Asked, invoice_answer, no_books, owner_of
from counterfoil.store import accounts, collecting
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer

Rule = Callable[[Tx, Books, Moment], Decision]


def record_external(asked: Asked, wanted: ExternalPayment) -> Result:
    """Record money for an invoice that somebody else took."""

    def rule(tx: Tx, books: Books, at: Moment) -> Decision:
        earlier = collecting.payment_of_reference(tx, wanted.reference)
        return external.decide_external(books, wanted, PaymentId(earlier) if earlier else None, at.now, at.new_id)

    def answer(tx: Tx, customer: str, applied: Applied) -> Answer:
        payment = next(each.id for each in applied.payments if applied.decision.why.about[0] == each.id)
        books = load_books(tx, customer, Scope(payments=(payment,)))
        assert books is not None
        return Answer(201, payment_answer(books, payment).body)

    return _on_invoice(asked, wanted.invoice, rule, answer)


def write_off(asked: Asked, invoice: str) -> Result:
    """Give a debt up."""

    def rule(tx: Tx, books: Books, at: Moment) -> Decision:
        return invoicing.decide_write_off(books, InvoiceId(invoice), at.now, at.new_id)

    return _on_invoice(asked, invoice, rule, lambda tx, customer, _: invoice_answer(tx, customer, invoice, 200))


def _on_invoice(asked: Asked, invoice: str, rule: Rule, answer: Callable[[Tx, str, Applied], Answer]) -> Result:
    customer = owner_of(asked, "invoice", invoice)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return rule(tx, books, moment) if books else no_books("invoice", invoice)

    def answered(tx: Tx, applied: Applied) -> Answer:
        return answer(tx, customer or "", applied)

    plan = Plan(customer, Scope(invoices=(invoice,)), decide, answered, awaits=lambda _: None)
    return run(asked.house, asked.tenant, asked.request, plan)


# --- what collecting is held to ---


def declare_policy(house: House, tenant: str, wanted: CollectionPolicy) -> CollectionPolicy:
    """Hold collecting to a policy from now on. One that says nothing new stays the version that it is."""

    def work(tx: Tx) -> CollectionPolicy:
        accounts.lock_setup(tx)
        held = collecting.policy(tx)
        if replace(wanted, version=held.version) == held:
            return held
        declared = replace(wanted, version=held.version + 1)
        collecting.put_policy(tx, declared, house.clock.now())
        return declared

    return house.transact(tenant, work)
