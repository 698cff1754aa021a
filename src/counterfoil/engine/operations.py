"""What callers can ask for, each as one command: customers, methods, wallets, lots, invoices, payments.

Doors translate to these and back. Amounts come in as minor units, quantities as scaled units, ids as ours.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from counterfoil.core import customers, invoicing, launch, wallets
from counterfoil.core.books import Books, Customer, Grant, Invoice, invoice_of, payment_of
from counterfoil.core.effects import Act, Change, Decision, Reason, Refuse, Why
from counterfoil.core.ids import (
    AccountId,
    CustomerId,
    GrantId,
    InvoiceId,
    MethodId,
    PaymentId,
    ProviderRef,
    WalletId,
)
from counterfoil.core.invoicing import NewLine
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import InvoiceStatus, PaymentStatus, WalletStatus
from counterfoil.core.money import ServiceUnit
from counterfoil.core.papers import PaperKind
from counterfoil.core.wallets import Issue, Terms
from counterfoil.engine import looks, views
from counterfoil.engine.answers import payment_answer
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Request, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.house import House
from counterfoil.engine.load import Scope, load_books
from counterfoil.store import accounts, documents, numbers, subjects
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a command and how: the house, whose books, and the request as it came in."""

    house: House
    tenant: str
    request: Request


def no_books(noun: str, identity: str) -> Refuse:
    """Refuse a command about something that is not there."""
    sentence = f"There is no {noun} {identity}."
    return Refuse(Why(f"find-{noun}@1", Reason.NOT_FOUND, sentence), noun)


def _nothing(applied: Applied) -> None:
    return None


def _with_books(
    noun: str, identity: str, rule: Callable[[Books, Moment], Decision]
) -> Callable[[Tx, Books | None, Moment], Decision]:
    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return rule(books, moment) if books else no_books(noun, identity)

    return decide


# --- customers ---


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer as asked for. Name, e-mail and metadata are personal: they live apart from the books."""

    account: str | None = None
    external_id: str | None = None
    provider_ref: str | None = None
    name: str | None = None
    email: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    locale: str = "en"
    billing: dict[str, Any] | None = None


def create_customer(asked: Asked, wanted: NewCustomer) -> Result:
    """Create a customer, here and (unless it names one) at the provider."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        held = accounts.accounts(tx, asked.house.box)
        account = next((each.id for each in held if wanted.account in (None, each.id)), None)
        if account is None:
            return no_books("account", wanted.account or "default")
        taken = _taken(tx, account, wanted)
        if taken:
            return taken
        ref = ProviderRef(wanted.provider_ref) if wanted.provider_ref else None
        identity = CustomerId(moment.new_id("customer"))
        customer = Customer(identity, AccountId(account), moment.now, wanted.external_id, ref)
        return customers.decide_create_customer(customer, moment.now, moment.new_id)

    def after(tx: Tx, applied: Applied) -> None:
        made = _made(applied, Customer)
        accounts.put_person(tx, made.id, wanted.name, wanted.email, wanted.metadata, wanted.locale)
        documents.put_billing(tx, _made(applied, Customer).id, wanted.billing or {})

    def answer(tx: Tx, applied: Applied) -> Answer:
        made = _made(applied, Customer)
        return Answer(201, plain(views.customer_view(made, accounts.person(tx, made.id))))

    return run(asked.house, asked.tenant, asked.request, Plan(None, Scope(), decide, answer, after, _nothing))


def _taken(tx: Tx, account: str, wanted: NewCustomer) -> Refuse | None:
    # Refused or not, the request is about the customer that is there: erasing that one erases what was sent here.
    held = subjects.customer_of_external(tx, wanted.external_id) if wanted.external_id else None
    if held:
        sentence = f"A customer with your id {wanted.external_id!r} is on the books already."
        return Refuse(Why(customers.CREATE, Reason.EXTERNAL_ID_TAKEN, sentence, (held,)), "external_id")
    held = subjects.customer_of_ref(tx, account, wanted.provider_ref) if wanted.provider_ref else None
    if held:
        sentence = f"The provider's customer {wanted.provider_ref} is on the books already."
        return Refuse(Why(customers.CREATE, Reason.PROVIDER_REF_TAKEN, sentence, (held,)), "provider_ref")
    return None


def add_method(asked: Asked, customer: str, token: str, *, make_default: bool) -> Result:
    """Ask the provider to save a payment method for a customer. Answers 202 with the id that it will have."""
    wanted = MethodId(asked.house.new_id("method"))

    def rule(books: Books, moment: Moment) -> Decision:
        return customers.decide_add_method(books, token, make_default, wanted, moment.now, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        pending = {"id": wanted, "object": "payment_method", "customer": customer, "status": "pending"}
        return Answer(202, plain(pending))

    plan = Plan(customer, Scope(), _with_books("customer", customer, rule), answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


# --- wallets and lots ---


def no_terms(unit: ServiceUnit) -> Terms:
    """The terms of a wallet about which nothing was said: use that no lot covers is refused."""
    return Terms()


def open_wallet(
    asked: Asked, customer: str, unit_code: str, terms_in: Callable[[ServiceUnit], Terms] = no_terms
) -> Result:
    """Open a wallet in a declared unit. Its terms count in that unit, so they are read when it is known."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        unit = accounts.unit(tx, unit_code)
        if books is None:
            return no_books("customer", customer)
        if unit is None:
            return no_books("unit", unit_code)
        return wallets.decide_open_wallet(books, unit, moment.now, moment.new_id, terms_in(unit))

    def answer(tx: Tx, applied: Applied) -> Answer:
        wallet = next(each for each in subjects.wallets(tx, customer) if each.id in _touched(applied, "wlt_"))
        return Answer(201, plain(views.wallet_view(wallet, (), asked.house.clock.now())))

    return run(asked.house, asked.tenant, asked.request, Plan(customer, Scope(), decide, answer, awaits=_nothing))


def issue_grant(asked: Asked, customer: str, issue: Issue) -> Result:
    """Put a lot into a wallet."""

    def rule(books: Books, moment: Moment) -> Decision:
        return wallets.decide_grant(books, issue, moment.now, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        unit = next(each.unit for each in subjects.wallets(tx, customer) if each.id == issue.wallet)
        return Answer(201, plain(views.grant_view(_made(applied, Grant), unit)))

    plan = Plan(customer, Scope(), _with_books("wallet", issue.wallet, rule), answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


def void_grant(asked: Asked, grant: str) -> Result:
    """Take back what is left of a lot."""
    customer = owner_of(asked, "grant", grant)

    def rule(books: Books, moment: Moment) -> Decision:
        return wallets.decide_void_grant(books, GrantId(grant), moment.now)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.grant(tx, grant)))

    plan = Plan(customer, Scope(grants=(grant,)), _with_books("grant", grant, rule), answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


def change_wallet(asked: Asked, wallet: str, terms: Terms) -> Result:
    """Change what happens to use that no lot of a wallet covers."""
    return _on_wallet(
        asked, wallet, lambda books, at: wallets.decide_wallet_terms(books, WalletId(wallet), terms, at.now)
    )


def forgive_debt(asked: Asked, wallet: str) -> Result:
    """Give away what a wallet owes."""
    return _on_wallet(asked, wallet, lambda books, now: wallets.decide_forgive_debt(books, WalletId(wallet), now.now))


def move_wallet(asked: Asked, wallet: str, to: WalletStatus) -> Result:
    """Suspend a wallet, let it be spent from again, or close it."""
    return _on_wallet(asked, wallet, lambda books, _: wallets.decide_move_wallet(books, WalletId(wallet), to))


def _on_wallet(asked: Asked, wallet: str, rule: Callable[[Books, Moment], Decision]) -> Result:
    customer = owner_of(asked, "wallet", wallet)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.wallet(tx, asked.house, wallet)))

    plan = Plan(customer, Scope(), _with_books("wallet", wallet, rule), answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


# --- invoices ---


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """An invoice as asked for."""

    customer: str
    currency: str
    lines: tuple[NewLine, ...]
    description: str = ""
    due_at: datetime | None = None
    collect_at_due: bool = False


def create_invoice(asked: Asked, wanted: NewInvoice) -> Result:
    """Write a draft."""

    def rule(books: Books, moment: Moment) -> Decision:
        draft = Invoice(
            id=InvoiceId(moment.new_id("invoice")),
            customer=books.customer.id,
            account=books.customer.account,
            currency=wanted.currency,
            status=InvoiceStatus.DRAFT,
            payment_status=PaymentStatus.PENDING,
            created_at=moment.now,
            description=wanted.description,
            due_at=wanted.due_at,
            collect_at_due=wanted.collect_at_due,
        )
        return invoicing.decide_draft(books, draft, wanted.lines, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return invoice_answer(tx, wanted.customer, _made(applied, Invoice).id, 201)

    plan = Plan(wanted.customer, Scope(), _with_books("customer", wanted.customer, rule), answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


def update_invoice(asked: Asked, invoice: str, description: str) -> Result:
    """Change an invoice's description."""
    return _on_invoice(
        asked, invoice, lambda books, moment: invoicing.decide_update(books, InvoiceId(invoice), description)
    )


def finalize_invoice(asked: Asked, invoice: str) -> Result:
    """Make a draft a debt, with the next number of the tenant's series."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return no_books("invoice", invoice)
        held = invoice_of(books, InvoiceId(invoice))
        # A number is taken only for a draft that will be finalized, so that the series has no gaps.
        fits = held is not None and held.status is InvoiceStatus.DRAFT and any(books.lines)
        number = numbers.take(tx, PaperKind.INVOICE) if fits else ""
        return invoicing.decide_finalize(books, InvoiceId(invoice), number, moment.now)

    return _run_on_invoice(asked, invoice, decide)


def void_invoice(asked: Asked, invoice: str) -> Result:
    """Take an invoice back."""
    return _on_invoice(
        asked,
        invoice,
        lambda books, moment: invoicing.decide_void(books, InvoiceId(invoice), moment.now, moment.new_id),
    )


def _on_invoice(asked: Asked, invoice: str, rule: Callable[[Books, Moment], Decision]) -> Result:
    return _run_on_invoice(asked, invoice, _with_books("invoice", invoice, rule))


def _run_on_invoice(asked: Asked, invoice: str, decide: Callable[[Tx, Books | None, Moment], Decision]) -> Result:
    customer = owner_of(asked, "invoice", invoice)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return invoice_answer(tx, customer or "", invoice, 200)

    plan = Plan(customer, Scope(invoices=(invoice,)), decide, answer, awaits=_nothing)
    return run(asked.house, asked.tenant, asked.request, plan)


def invoice_answer(tx: Tx, customer: str, invoice: str, status: int) -> Answer:
    """Answer with an invoice as it stands."""
    books = load_books(tx, customer, Scope(invoices=(invoice,)))
    held = invoice_of(books, InvoiceId(invoice)) if books else None
    assert books
    assert held
    return Answer(status, plain(views.invoice_view(books, held)))


# --- payments ---


def pay(asked: Asked, wanted: Launch) -> Result:
    """Launch the payment of one or several invoices, or claim one that the host application made."""
    customer = owner_of(asked, "invoice", wanted.invoices[0]) if wanted.invoices else None

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return no_books("invoice", wanted.invoices[0] if wanted.invoices else "")
        taken = wanted.provider_ref and subjects.leg_of_ref(tx, books.customer.account, [wanted.provider_ref])
        if taken:
            sentence = f"{wanted.provider_ref} is claimed by payment {taken['payment']} already."
            return Refuse(Why(launch.RULE, Reason.PROVIDER_REF_TAKEN, sentence, (taken["payment"],)), "provider_ref")
        return launch.decide_launch(books, wanted, moment.now, moment.new_id)

    scope = Scope(invoices=tuple(wanted.invoices), balances=wanted.provider_ref is None)
    return run(asked.house, asked.tenant, asked.request, Plan(customer, scope, decide, _payment_answered(customer)))


def cancel_payment(asked: Asked, payment: str) -> Result:
    """Give a payment up."""
    customer = owner_of(asked, "payment", payment)

    def rule(books: Books, moment: Moment) -> Decision:
        return invoicing.decide_cancel(books, PaymentId(payment), moment.now, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        books = load_books(tx, customer or "", Scope(payments=(payment,)))
        assert books
        given = payment_answer(books, payment)
        held = payment_of(books, PaymentId(payment))
        resting = held is not None and held.status in views.AT_REST and not isinstance(applied.decision, Act)
        return Answer(200 if resting or _canceled(books, payment) else 202, given.body)

    plan = Plan(
        customer, Scope(payments=(payment,)), _with_books("payment", payment, rule), answer, awaits=lambda _: payment
    )
    return run(asked.house, asked.tenant, asked.request, plan)


def _canceled(books: Books, payment: str) -> bool:
    held = payment_of(books, PaymentId(payment))
    return held is not None and held.status is PaymentStatus.CANCELED


def _payment_answered(customer: str | None) -> Callable[[Tx, Applied], Answer]:
    def answer(tx: Tx, applied: Applied) -> Answer:
        payment = next(each.id for each in applied.payments)
        books = load_books(tx, customer or "", Scope(payments=(payment,)))
        assert books
        return payment_answer(books, payment)

    return answer


# --- shared ---


def owner_of(asked: Asked, noun: str, identity: str) -> str | None:
    """Give the customer whose subject this is, None when there is no such subject."""
    with asked.house.database.transaction(asked.tenant) as tx:
        return subjects.customer_of(tx, noun, identity)


def _made(applied: Applied, cls: type[T]) -> T:
    decision = applied.decision
    assert isinstance(decision, Act)
    return next(each.after for each in decision.effects if isinstance(each, Change) and isinstance(each.after, cls))


def _touched(applied: Applied, prefix: str) -> set[str]:
    return {each for each in applied.decision.why.about if each.startswith(prefix)}
