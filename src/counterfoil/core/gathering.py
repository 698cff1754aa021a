"""Lines that wait for their invoice date, flat fees and purchases alike, and the one way in which they are billed.

A line is on the books from the moment it was asked for, so nothing that happens later can lose it or bill it twice.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import invoicing
from counterfoil.core.books import Books, Invoice, Line, LineKind, purchase_of, with_changes
from counterfoil.core.bought import PendingLine
from counterfoil.core.effects import Act, Change, Decision, Effect, Reason, Refuse, Skip, Timer, Why, changes_of
from counterfoil.core.ids import InvoiceId, NewId, PendingLineId
from counterfoil.core.invoicing import NewLine
from counterfoil.core.lifecycle import InvoiceStatus, PaymentStatus, PendingLineStatus, PurchaseStatus
from counterfoil.core.money import MINOR_MAX, Money

ADD: Final = "add-pending-line@1"
CANCEL: Final = "cancel-pending-line@1"
GATHER: Final = "gather-lines@1"
GATHER_TIMER: Final = "gather-lines"


def decide_add_line(books: Books, wanted: PendingLine, now: datetime) -> Decision:
    """Write a line down that is billed when its invoice date comes."""
    about = (wanted.id, books.customer.id)
    if wanted.net_minor + wanted.tax_minor == 0 or wanted.gross_minor > MINOR_MAX:
        return Refuse(
            Why(ADD, Reason.INVALID_REQUEST, "A line bills more than zero, and what the books can hold."), "net"
        )
    money = Money(wanted.gross_minor, wanted.currency)
    sentence = f"A line over {money} waits until {wanted.invoice_at:%Y-%m-%d %H:%M} UTC to be billed."
    return Act(Why(ADD, Reason.LINE_WAITS, sentence, about), waiting(wanted, now))


def waiting(line: PendingLine, now: datetime) -> tuple[Effect, ...]:
    """Put a line on the books and wake its customer when it is due. Lines of one instant share one timer."""
    due = max(now, line.invoice_at)
    return (Change(None, line), Timer(GATHER_TIMER, line.customer, line.customer, due))


def decide_cancel_line(books: Books, line: PendingLineId) -> Decision:
    """Give a line up before it is billed. A purchase's line is given up with its purchase."""
    held = next((each for each in books.pending_lines if each.id == line), None)
    if held is None:
        return Refuse(Why(CANCEL, Reason.NOT_FOUND, f"There is no pending line {line}."))
    about = (line, held.customer)
    if held.status is PendingLineStatus.CANCELED:
        return Skip(Why(CANCEL, Reason.ALREADY_KNOWN, "The line is canceled already.", about))
    if held.status is PendingLineStatus.INVOICED:
        sentence = f"The line is billed by invoice {held.invoice} already; void that."
        return Refuse(Why(CANCEL, Reason.LINE_BILLED, sentence, about))
    if held.purchase:
        sentence = f"The line bills purchase {held.purchase}; cancel that."
        return Refuse(Why(CANCEL, Reason.LINE_MANAGED, sentence, about))
    after = replace(held, status=PendingLineStatus.CANCELED)
    return Act(
        Why(CANCEL, Reason.LINE_CANCELED, "The line is given up; nothing is billed for it.", about),
        (Change(held, after),),
    )


@dataclass(frozen=True, slots=True)
class Gathered:
    """An invoice that was written and finalized from pending lines, and what that changes."""

    invoice: InvoiceId
    effects: tuple[Effect, ...]


def due_lines(books: Books, now: datetime) -> dict[str, tuple[PendingLine, ...]]:
    """Give the lines that are to be billed now, by currency: an invoice has one."""
    due = [each for each in books.pending_lines if each.status is PendingLineStatus.WAITING and each.invoice_at <= now]
    currencies = sorted({each.currency for each in due})
    return {currency: tuple(each for each in due if each.currency == currency) for currency in currencies}


def decide_gather(books: Books, numbers: tuple[str, ...], now: datetime, new_id: NewId) -> Decision:
    """Bill every line of a customer that is due: one invoice per currency, collected at once.

    `numbers` are the invoice numbers to use, one per currency of the due lines.
    """
    due = due_lines(books, now)
    if not due:
        why = Why(
            GATHER, Reason.TIMER_OBSOLETE, "No line of this customer is due that was not billed.", (books.customer.id,)
        )
        return Skip(why)
    effects: tuple[Effect, ...] = ()
    about: list[str] = [books.customer.id]
    for lines, number in zip(due.values(), numbers, strict=True):
        made = gather(books, lines, number, now, new_id, collect=True)
        effects += made.effects
        books = with_changes(books, changes_of(made.effects))
        about += [made.invoice, *(str(each.purchase) for each in lines if each.purchase)]
    count = sum(len(lines) for lines in due.values())
    sentence = f"{count} due {'line is' if count == 1 else 'lines are'} billed: {', '.join(numbers)}."
    return Act(Why(GATHER, Reason.LINES_BILLED, sentence, tuple(about)), effects)


def gather(
    books: Books, lines: tuple[PendingLine, ...], number: str, now: datetime, new_id: NewId, *, collect: bool
) -> Gathered:
    """Put lines on an invoice and finalize it: the one way for flat fees and purchases, now and later.

    With `collect` the scheduler launches its payment. Each purchase is linked to its own line, found by the purchase
    and never by where it stands.
    """
    draft = Invoice(
        id=InvoiceId(new_id("invoice")),
        customer=books.customer.id,
        account=books.customer.account,
        currency=lines[0].currency,
        status=InvoiceStatus.DRAFT,
        payment_status=PaymentStatus.PENDING,
        created_at=now,
        description=_about(lines),
        due_at=now,
        collect_at_due=collect,
    )
    drafted = invoicing.decide_draft(books, draft, tuple(new for each in lines for new in _billed(each)), new_id)
    assert isinstance(drafted, Act), drafted.why.sentence
    books = with_changes(books, changes_of(drafted.effects))
    opened = invoicing.decide_finalize(books, draft.id, number, now)
    assert isinstance(opened, Act), opened.why.sentence
    made = [each for each in changes_of(drafted.effects) if isinstance(each, Line)]
    pairs = _each_with_its_own(lines, made)
    linked = tuple(effect for line, own in pairs for effect in _linked(books, line, own))
    return Gathered(draft.id, (*drafted.effects, *opened.effects, *linked))


def _about(lines: tuple[PendingLine, ...]) -> str:
    """Give the caller's description of an invoice: where several callers say different things, none of them is it."""
    said = {each.about for each in lines}
    return said.pop() if len(said) == 1 else ""


def _billed(line: PendingLine) -> tuple[NewLine, ...]:
    """Give the lines of an invoice that bill a pending one; a fee on top is a line of its own."""
    kind = LineKind.CREDIT_PURCHASE if line.purchase else LineKind.FLAT_FEE
    own = NewLine(kind, line.description, line.net_minor, line.tax_minor, line.purchase, line.taxes)
    if not line.fee_minor:
        return (own,)
    return own, NewLine(LineKind.FEE, f"Fee: {line.description}"[:255], line.fee_minor, 0, line.purchase)


def _each_with_its_own(lines: tuple[PendingLine, ...], made: list[Line]) -> list[tuple[PendingLine, Line]]:
    """Pair pending lines with the invoice's lines that bill them: a fee stands behind what it is for."""
    pairs, place = [], 0
    for each in lines:
        pairs.append((each, made[place]))
        place += len(_billed(each))
    return pairs


def _linked(books: Books, line: PendingLine, own: Line) -> tuple[Effect, ...]:
    """Link a pending line, and the purchase that it bills, to what they became."""
    assert own.purchase == line.purchase, "a line of another purchase"
    billed = replace(line, status=PendingLineStatus.INVOICED, invoice=own.invoice, line=own.id)
    purchase = purchase_of(books, line.purchase) if line.purchase else None
    if purchase is None:
        return (Change(line, billed),)
    assert (purchase.status, purchase.customer) == (PurchaseStatus.SCHEDULED, line.customer), "not this line's purchase"
    pending = replace(purchase, status=PurchaseStatus.PENDING, invoice=own.invoice, line=own.id)
    return (Change(line, billed), Change(purchase, pending))
