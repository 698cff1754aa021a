"""Gives papers out: an invoice in the transaction that finalizes it, a receipt in one of its own after the payment.

What a paper says is put together here once, laid out once (`pdf`), and stored with its hash. Nobody makes it again:
what is asked for later is the stored bytes. A receipt waits for a transaction of its own: the series' row is held until
that ends, and settling many payments at once must not queue up behind one number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from counterfoil.core.books import Invoice, Line
from counterfoil.core.bought import Collector
from counterfoil.core.effects import Change, Effect
from counterfoil.core.ids import NewId
from counterfoil.core.papers import Item, Paper, PaperKind, Party, Seller, Sum
from counterfoil.core.tax import Tax, taxes_of
from counterfoil.engine.house import House
from counterfoil.engine.paper_words import WORDS, day, language_of, money
from counterfoil.engine.pdf import render
from counterfoil.engine.phases import Phase
from counterfoil.store import documents, numbers, subjects, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.documents import Document
from counterfoil.store.work import Claim

# --- invoices ---


def issue_invoices(tx: Tx, effects: Iterable[Effect], now: datetime, new_id: NewId) -> None:
    """Store the paper of every invoice of ours that these effects finalize, under the number that it took."""
    finalized = [each for each in effects if isinstance(each, Change) and _is_finalized(each)]
    invoices = [each.after for each in finalized if isinstance(each.after, Invoice)]
    if not invoices:
        return
    seller = documents.seller(tx)
    persons = documents.buyers(tx, {each.customer for each in invoices})
    lines = subjects.lines(tx, [each.id for each in invoices])
    for each in invoices:
        person = persons.get(each.customer)
        paper = invoice_paper(each, [line for line in lines if line.invoice == each.id], seller, person)
        give_out(tx, paper, each.id, each.customer, now, new_id)


def _is_finalized(change: Change) -> bool:
    before, after = change.before, change.after
    if not isinstance(after, Invoice) or after.collector is not Collector.OURS or after.number is None:
        return False
    return before is None or (isinstance(before, Invoice) and before.number is None)


def invoice_paper(invoice: Invoice, lines: Sequence[Line], seller: Seller, person: Row | None) -> Paper:
    """Say what an invoice says: its lines, its taxes as they were given, what is due and when."""
    language = language_of(person["locale"] if person else None)
    words = WORDS[language]
    assert invoice.number is not None, "a paper without its number"
    assert invoice.finalized_at is not None, "a paper of a draft"
    total = money(invoice.total_minor, invoice.currency, language)
    return Paper(
        kind=PaperKind.INVOICE,
        language=language,
        number=invoice.number,
        title=words["invoice"],
        issued_at=invoice.finalized_at,
        seller=seller,
        buyer_label=words["billed_to"],
        buyer=buyer_of(invoice.customer, person),
        facts=(
            (words["invoice_date"], day(invoice.finalized_at, language)),
            (words["due"], day(invoice.due_at, language) if invoice.due_at else words["on_receipt"]),
        ),
        columns=(words["description"], words["net"], words["tax"], words["amount"]),
        items=tuple(_line_item(each, invoice.currency, language) for each in lines),
        sums=(
            *_net_and_taxes(lines, invoice.currency, language),
            Sum(words["total"], total, strong=True),
            Sum(words["amount_due"], money(invoice.due_minor, invoice.currency, language), strong=True),
        ),
        notes=tuple(each for each in (invoice.description, words["quote"].format(invoice.number)) if each),
        page=words["page"],
    )


def buyer_of(customer: str, person: Row | None) -> Party:
    """Say who buys: the billing details, else name and e-mail, else the customer's id."""
    billing = person["billing"] if person else {}
    return Party(
        name=billing.get("name") or (person["name"] if person else None) or customer,
        address=tuple(billing.get("address", ())),
        tax_id=billing.get("tax_id", ""),
        email=billing.get("email") or (person["email"] if person else None) or "",
    )


def _line_item(line: Line, currency: str, language: str) -> Item:
    amounts = (line.net_minor, line.tax_minor, line.gross_minor)
    small = tuple(f"{_tax_label(each)}: {money(each.amount_minor, currency, language)}" for each in line.taxes)
    return Item(line.description, small, tuple(money(each, currency, language) for each in amounts))


def _tax_label(tax: Tax) -> str:
    return f"{tax.name} {tax.rate_text}".strip()


def taxes_in(lines: Iterable[Line], language: str) -> tuple[Tax, ...]:
    """Add up the taxes of lines by name and rate; those without a name come together under the word for tax."""
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        for each in line.taxes or ((Tax(WORDS[language]["tax"], "", line.tax_minor),) if line.tax_minor else ()):
            key = (each.name, each.rate_text)
            sums[key] = sums.get(key, 0) + each.amount_minor
    return tuple(Tax(name, rate, minor) for (name, rate), minor in sums.items())


def _net_and_taxes(lines: Sequence[Line], currency: str, language: str) -> tuple[Sum, ...]:
    net = money(sum(each.net_minor for each in lines), currency, language)
    taxes = taxes_in(lines, language)
    return (
        Sum(WORDS[language]["net"], net),
        *(Sum(_tax_label(each), money(each.amount_minor, currency, language)) for each in taxes),
    )


# --- receipts ---


@dataclass(frozen=True, slots=True)
class Receipt:
    """The flow of a receipt: one phase. A process that dies in it has taken no number, and the next one begins anew."""

    claim: Claim
    name = "issue-receipt"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._issue(tx, house))

    def _issue(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        paid = documents.payment(tx, self.claim.id)
        if paid and documents.of_subject(tx, PaperKind.RECEIPT, self.claim.id) is None:
            issue_receipt(tx, paid, house.clock.now(), house.new_id)
        work.finish(tx, self.claim)
        return None


def issue_receipt(tx: Tx, paid: Row, now: datetime, new_id: NewId) -> None:
    """Store the paper of a payment that has succeeded, under the next number."""
    seller = documents.seller(tx)
    person = documents.buyers(tx, [paid["customer"]]).get(paid["customer"])
    parts = documents.paid_parts(tx, paid["id"])
    lines = subjects.lines(tx, {each["invoice"] for each in parts})
    number = numbers.take(tx, PaperKind.RECEIPT)
    give_out(tx, receipt_paper(paid, parts, lines, number, seller, person), paid["id"], paid["customer"], now, new_id)


def receipt_paper(
    paid: Row, parts: Sequence[Row], lines: Sequence[Line], number: str, seller: Seller, person: Row | None
) -> Paper:
    """Say what a receipt says: what each leg paid of which invoice, and the taxes that are in it."""
    language = language_of(person["locale"] if person else None)
    words = WORDS[language]
    items = tuple(_part_items(paid["id"], parts, lines, language))
    total = money(paid["amount_minor"], paid["currency"], language)
    return Paper(
        kind=PaperKind.RECEIPT,
        language=language,
        number=number,
        title=words["receipt"],
        issued_at=paid["settled_at"],
        seller=seller,
        buyer_label=words["paid_by"],
        buyer=buyer_of(paid["customer"], person),
        facts=((words["paid_on"], day(paid["settled_at"], language)),),
        columns=(words["description"], words["amount"]),
        items=items or (Item(words["unallocated"], (), (total,)),),
        sums=(Sum(words["total_paid"], total, strong=True),),
        notes=(f"{words['payment']} {paid['id']}",),
        page=words["page"],
    )


def _part_items(payment: str, parts: Sequence[Row], lines: Sequence[Line], language: str) -> Iterable[Item]:
    """Give an item per leg and invoice. Its taxes are the slice that lies after what was paid of the invoice before."""
    reached: dict[str, int] = {}
    for part in parts:
        before = reached.get(part["invoice"], 0)
        reached[part["invoice"]] = before + part["minor"]
        if part["payment"] == payment:
            own = [line for line in lines if line.invoice == part["invoice"]]
            yield _part_item(part, own, before, language)


def _part_item(part: Row, lines: Sequence[Line], before: int, language: str) -> Item:
    words, currency = WORDS[language], part["currency"]
    net, taxes = sum(each.net_minor for each in lines), taxes_in(lines, language)
    gross = net + sum(each.amount_minor for each in taxes)
    share = taxes_of(taxes, net, min(before, gross), min(before + part["minor"], gross))
    told = [
        words["of_which"].format(_tax_label(each), money(each.amount_minor, currency, language))
        for each in share
        if each.amount_minor
    ]
    means = part["means"] or words[part["kind"]]
    text = words["for_invoice"].format(part["number"] or part["invoice"])
    return Item(text, (means, *told), (money(part["minor"], currency, language),))


# --- every paper ---


def give_out(tx: Tx, paper: Paper, subject: str, customer: str, now: datetime, new_id: NewId) -> None:
    """Lay a paper out and store it for good: that of an invoice, a payment or a credit note."""
    document = Document(new_id("document"), paper.kind, subject, customer, paper.number, paper.language, render(paper))
    documents.put(tx, document, now)
