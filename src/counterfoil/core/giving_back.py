"""What money that goes back was: the price, the fees and the taxes of what was billed, and the credits it had bought.

A refund of a leg takes its share of every line that the leg paid, net and tax, in proportion to what is left of them;
the last takes the rest, so that no minor unit is given back twice. Credits that a line had bought are taken back in
proportion with it. What is given back is remembered, part by part, so that money which returns undoes exactly that.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import clawback, journal, legs
from counterfoil.core.books import Books, Invoice, Leg, Line, LineKind, allocations_of, invoice_of
from counterfoil.core.bought import Collector, Purchase
from counterfoil.core.clawback import Cause
from counterfoil.core.effects import Change, Effect, Post, Timer
from counterfoil.core.ids import GrantId, InvoiceId, LineId, PurchaseId
from counterfoil.core.journal import EARNED_BY, Account, Entry, Posting
from counterfoil.core.lifecycle import InvoiceStatus
from counterfoil.core.mirrors import Steps, restate
from counterfoil.core.money import share
from counterfoil.core.promises import Grant, Wallet
from counterfoil.core.recognition import catch_up, owed_no_more
from counterfoil.core.refunded import GivenBack, InvoiceBack, LineBack, LotBack
from counterfoil.core.tax import reached

OPEN: Final = frozenset({InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE})


@dataclass(frozen=True, slots=True)
class Back:
    """Why money goes back: which entry says so, about what, and which accounts it goes to and is borne by."""

    key: str
    subject: str
    cause: Cause
    kept_in: Account
    """Where what paid no invoice was kept."""


def kept_in(books: Books, leg: Leg) -> Account:
    """Give the balance that a surplus lies on: the provider's own, if an invoice of the provider's collected it."""
    ids = {each.invoice for each in allocations_of(books, leg.id)}
    theirs = any(each.collector is Collector.PROVIDER for each in books.invoices if each.id in ids)
    return (journal.provider_balance if theirs else journal.customer_balance)(books.customer.id)


# --- what of a leg goes back ---


def of_leg(steps: Steps, leg: Leg, minor: int, back: Back, only: PurchaseId | None = None) -> GivenBack:
    """Give `minor` of what a leg brought back: what was kept for the customer first, then what it had paid.

    With `only`, it is all of one purchase's lines.
    """
    kept = 0 if only else min(minor, _kept_left(steps.books, leg))
    shares = _of_invoices(steps.books, leg, minor - kept)
    given = GivenBack(kept_minor=kept, lost_minor=minor - kept - sum(part for _, part in shares))
    for invoice, part in shares:
        given = _of_invoice(steps, steps.invoice(invoice), part, given, only)
    return _book(steps, given, leg.currency, back)


def _kept_left(books: Books, leg: Leg) -> int:
    """Give what of a leg paid no invoice and was not given back yet."""
    paid = dict(books.paid).get(leg.id, leg.received_minor)
    before = sum(each.given.kept_minor for each in books.refunds if each.leg == leg.id and each.counts)
    return max(0, leg.received_minor - paid - before)


def _of_invoices(books: Books, leg: Leg, minor: int) -> list[tuple[InvoiceId, int]]:
    """Spread it over the invoices that the leg paid, by what is left of each."""
    left, parts = dict(books.paid).get(leg.id, leg.received_minor), []
    for each in allocations_of(books, leg.id):
        paid = min(left, each.minor)
        left -= paid
        parts.append((each.invoice, max(0, paid - _given_before(books, leg, each.invoice))))
    shares = reached([part for _, part in parts], min(minor, sum(part for _, part in parts)))
    return [(invoice, share) for (invoice, _), share in zip(parts, shares, strict=True) if share]


def _given_before(books: Books, leg: Leg, invoice: InvoiceId) -> int:
    lines = {each.id for each in books.lines if each.invoice == invoice}
    earlier = [each.given for each in books.refunds if each.leg == leg.id and each.counts]
    of_lines = sum(part.net_minor + part.tax_minor for each in earlier for part in each.lines if part.line in lines)
    return of_lines + sum(part.minor for each in earlier for part in each.reopened if part.invoice == invoice)


def _of_invoice(steps: Steps, invoice: Invoice, minor: int, given: GivenBack, only: PurchaseId | None) -> GivenBack:
    """An invoice that is still open is owed again; of one that is paid the price is given back."""
    if invoice.status in OPEN:
        steps.add(Change(invoice, replace(invoice, paid_minor=invoice.paid_minor - minor)))
        return replace(given, reopened=(*given.reopened, InvoiceBack(invoice.id, minor)))
    lines, rest = of_lines(steps.books, invoice, minor, only)
    return replace(given, lines=(*given.lines, *lines), lost_minor=given.lost_minor + rest)


def of_lines(
    books: Books, invoice: Invoice, minor: int, only: PurchaseId | None = None
) -> tuple[tuple[LineBack, ...], int]:
    """Spread it over what is left of an invoice's lines, net and tax; give also what they do not have any more."""
    lines = [each for each in billed(books, invoice) if only is None or _line(books, each.line).purchase == only]
    left = [part for line in lines for part in (line.tax_minor, line.net_minor)]
    fits = min(minor, sum(left))
    shares = iter(reached(left, fits))
    backs = tuple(LineBack(line.line, tax_minor=next(shares), net_minor=next(shares)) for line in lines)
    return tuple(each for each in backs if each.net_minor or each.tax_minor), minor - fits


def billed(books: Books, invoice: Invoice) -> list[LineBack]:
    """Give what is left of each line of an invoice: what coupons took off its lines, in their order, never was paid."""
    lines = sorted((each for each in books.lines if each.invoice == invoice.id), key=lambda line: line.position)
    off, found = invoice.discount_minor, []
    for line in lines:
        part = min(off, line.net_minor)
        off -= part
        net, tax = line.net_minor - part - line.returned_net_minor, line.tax_minor - line.returned_tax_minor
        found.append(LineBack(line.id, max(0, net), tax))
    return found


# --- booking it ---


def _book(steps: Steps, given: GivenBack, currency: str, back: Back) -> GivenBack:
    """Write what goes back: lines and purchases count it, credits are taken back, one entry says where it was."""
    for each in given.lines:
        _count_line(steps, each.line, each.net_minor, each.tax_minor)
    lots = _claw(steps, given, back.cause)
    given = replace(given, lots=lots)
    entry = Entry(back.key, back.subject, steps.now, _postings(steps.books, given, currency, back))
    if entry.postings:
        steps.add(Post(entry))
    return given


def _count_line(steps: Steps, line: LineId, net: int, tax: int) -> None:
    held = _line(steps.books, line)
    counted = replace(
        held, returned_net_minor=held.returned_net_minor + net, returned_tax_minor=held.returned_tax_minor + tax
    )
    steps.add(Change(held, counted))


def _postings(books: Books, given: GivenBack, currency: str, back: Back) -> tuple[Posting, ...]:
    """Say where the money was. What the credits of a lot gave back has an entry of the lot's own."""
    summed: dict[Account, int] = {}
    of_lots = {each.purchase for each in given.lots}
    for part in given.lines:
        line = _line(books, part.line)
        by_lot = line.kind is LineKind.CREDIT_PURCHASE and line.purchase in of_lots
        for account, minor in ((EARNED_BY[line.kind], 0 if by_lot else part.net_minor), (journal.TAX, part.tax_minor)):
            summed[account] = summed.get(account, 0) + minor
    for each in given.reopened:
        account = _owed(books, each.invoice)
        summed[account] = summed.get(account, 0) + each.minor
    summed[back.kept_in] = summed.get(back.kept_in, 0) + given.kept_minor
    summed[journal.DISPUTE_LOSSES] = given.lost_minor
    return tuple(Posting(account, back.cause.to, currency, minor) for account, minor in summed.items() if minor)


def _owed(books: Books, invoice: InvoiceId) -> Account:
    """Give where what an invoice still asks for stands: owed by the customer, or given up."""
    held = invoice_of(books, invoice)
    is_given_up = held is not None and held.status is InvoiceStatus.UNCOLLECTIBLE
    return journal.BAD_DEBT if is_given_up else journal.receivable(books.customer.id)


def _claw(steps: Steps, given: GivenBack, cause: Cause) -> tuple[LotBack, ...]:
    """Take the credits back that the lines had bought."""
    backs: list[LotBack] = []
    for purchase in tuple(dict.fromkeys(_line(steps.books, each.line).purchase for each in given.lines)):
        if purchase:
            backs += of_purchase(steps, purchase, *_of_its_lines(steps.books, given, purchase), cause)
    return tuple(backs)


def _of_its_lines(books: Books, given: GivenBack, purchase: PurchaseId) -> tuple[int, int]:
    """Give what goes back of a purchase in all, and of the price of its credits."""
    own = [(each, _line(books, each.line)) for each in given.lines if _line(books, each.line).purchase == purchase]
    gross = sum(each.net_minor + each.tax_minor for each, _ in own)
    return gross, sum(each.net_minor for each, line in own if line.kind is LineKind.CREDIT_PURCHASE)


def of_purchase(steps: Steps, purchase: PurchaseId, gross: int, net: int, cause: Cause) -> list[LotBack]:
    """Count what goes back of a purchase, and take its share of the credits back: `net` is the price of these."""
    before = bought(steps.books, purchase)
    after = replace(before, refunded_minor=before.refunded_minor + gross)
    lot = next((each for each in steps.books.grants if each.id == before.grant), None)
    if lot is None:
        steps.add(Change(before, after))
        return []
    paid = max(1, before.paid_minor)
    quantity = max(0, clawback.quantity_due(lot.amount, paid, after.refunded_minor, before.clawed))
    step, effects = clawback.clawed(steps.books, lot, quantity, net, cause, steps.now)
    steps.add(*effects)
    steps.add(Change(bought(steps.books, purchase), replace(after, clawed=before.clawed + quantity)))
    return [LotBack(purchase, lot.id, net, step.taken, step.owed, step.forgiven, step.lapsed)]


# --- and back again ---


def undo(steps: Steps, given: GivenBack, currency: str, back: Back) -> None:
    """Money that was to go back did not, or returned: what had been given back for it is as it was."""
    forward = _postings(steps.books, replace(given, reopened=()), currency, back)
    postings = [Posting(each.credit, each.debit, each.unit, each.amount) for each in forward]
    for each in given.lines:
        _count_line(steps, each.line, -each.net_minor, -each.tax_minor)
    for part in given.reopened:
        postings += _pay_again(steps, part, currency, back)
    for lot in given.lots:
        _restore(steps, lot, sum(_of_its_lines(steps.books, given, lot.purchase)[:1]), back.cause)
    if postings:
        steps.add(Post(Entry(back.key, back.subject, steps.now, tuple(postings))))


def _pay_again(steps: Steps, part: InvoiceBack, currency: str, back: Back) -> list[Posting]:
    """Let it pay the invoice again, as far as that still owes it; the rest is the customer's balance."""
    held = invoice_of(steps.books, part.invoice)
    pays = min(part.minor, held.due_minor) if held and held.status in OPEN else 0
    owner = steps.books.customer.id
    if held and pays:
        steps.add(Change(held, legs.pay_invoice(held, pays, "a refund that came back", steps.now)))
        restate(steps, held.id)
    parts = ((_owed(steps.books, part.invoice), pays), (journal.customer_balance(owner), part.minor - pays))
    return [Posting(back.cause.to, account, currency, minor) for account, minor in parts if minor]


def _restore(steps: Steps, back: LotBack, gross: int, cause: Cause) -> None:
    """Give credits back that had been taken: the unspent part to its lot, and what was owed for them is owed no more.

    What other lots have paid of that debt since goes back to them.
    """
    lot = next(each for each in steps.books.grants if each.id == back.grant)
    wallet = next(each for each in steps.books.wallets if each.id == lot.wallet)
    current, recognised = catch_up(lot, steps.now)
    after = replace(
        current,
        remaining=current.remaining + back.taken,
        gone=current.gone - back.taken,
        clawed=current.clawed - back.owed - back.forgiven,
        steps=current.steps + 1,
    )
    price = current.released_minor - owed_no_more(after)
    after = replace(after, released_minor=current.released_minor - price)
    owed = min(back.owed, wallet.debt)
    uncovered = _uncovered(steps.books, wallet, back.owed - owed)
    steps.add(*recognised, Change(current, after), *_ends_again(steps, after))
    if owed:
        steps.add(Change(wallet, replace(wallet, debt=wallet.debt - owed)))
    for each, quantity in uncovered:
        _put_back(steps, each, quantity)
    entry = _restored(back, after, wallet, (owed, uncovered), price, cause, steps.now)
    if entry.postings:
        steps.add(Post(entry))
    held = bought(steps.books, back.purchase)
    counted = replace(held, refunded_minor=held.refunded_minor - gross, clawed=held.clawed - back.quantity)
    steps.add(Change(held, counted))


def _uncovered(books: Books, wallet: Wallet, quantity: int) -> tuple[tuple[GrantId, int], ...]:
    """Say which lots get back what they paid of a wallet's debt, the latest first."""
    parts = []
    for lot, amount in books.covers:
        held = next((each for each in books.grants if each.id == lot and each.wallet == wallet.id), None)
        part = min(quantity, amount) if held else 0
        quantity -= part
        if part:
            parts.append((lot, part))
    return tuple(parts)


def _put_back(steps: Steps, lot: GrantId, quantity: int) -> None:
    held = next(each for each in steps.books.grants if each.id == lot)
    back = replace(held, remaining=held.remaining + quantity)
    steps.add(Change(held, back))
    current, recognised = catch_up(back, steps.now)
    steps.add(*recognised, *_ends_again(steps, current))


def _restored(
    back: LotBack,
    lot: Grant,
    wallet: Wallet,
    debts: tuple[int, tuple[tuple[GrantId, int], ...]],
    price: int,
    cause: Cause,
    now: datetime,
) -> Entry:
    """Write the way back of `clawed`: the service is promised again, and its price is owed as service again."""
    owed, uncovered = debts
    unit, currency, debt = wallet.unit.code, lot.cost_currency, journal.wallet_debt(wallet.id)
    covered = sum(quantity for _, quantity in uncovered)
    deferred = min(price, back.net_minor)
    lapsed = min(share(lot.cost_minor, back.lapsed, lot.amount), back.net_minor - deferred)
    parts = (
        Posting(journal.ISSUED, journal.lot(lot.id), unit, back.taken),
        Posting(journal.ISSUED, debt, unit, owed + covered),
        *(Posting(debt, journal.lot(each), unit, quantity) for each, quantity in uncovered),
        Posting(journal.ISSUED, journal.WRITTEN_OFF, unit, back.forgiven + back.owed - owed - covered),
        Posting(cause.to, journal.DEFERRED, currency, deferred),
        Posting(cause.to, journal.BREAKAGE, currency, lapsed),
        Posting(cause.to, cause.borne_by, currency, back.net_minor - deferred - lapsed),
        Posting(journal.REVENUE, journal.DEFERRED, currency, price - deferred),
    )
    postings = tuple(each for each in parts if each.amount)
    return Entry(f"grant:{lot.id}:restored:{lot.steps}", lot.id, now, postings)


def _ends_again(steps: Steps, lot: Grant) -> tuple[Effect, ...]:
    """A share that comes back to a lot which has ended ends as well."""
    if not (lot.free and lot.over_at(steps.now)):
        return ()
    return (Timer("end-grant", lot.id, steps.books.customer.id, steps.now),)


def bought(books: Books, purchase: PurchaseId) -> Purchase:
    """Give a purchase of these books."""
    return next(each for each in books.purchases if each.id == purchase)


def _line(books: Books, line: LineId) -> Line:
    return next(each for each in books.lines if each.id == line)
