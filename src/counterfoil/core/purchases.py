"""What becomes of a purchase: it is authorized, settled, fulfilled, or fails; and its early credits are taken back.

`fulfil` is the one way in which a purchase brings credits, whoever brings the news that it is paid: it compares what
was paid with the row that was written before anybody was asked for money, and gives the lot once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from counterfoil.core import journal
from counterfoil.core.books import Books, Case, Grant, GrantSource, Invoice, Wallet, invoice_of, with_changes
from counterfoil.core.bought import Collector, Purchase, Settlement
from counterfoil.core.effects import Change, Effect, Notify, Post, Reason, changes_of
from counterfoil.core.ids import CaseId, CustomerId, GrantId, InvoiceId, NewId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus, PurchaseStatus, WalletStatus
from counterfoil.core.money import Money
from counterfoil.core.status import legs_for
from counterfoil.core.wallets import issue
from counterfoil.core.watching import wake

OPEN = frozenset({PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED, PurchaseStatus.FAILED})
"""Where a purchase stands that news of its payment can still move by itself."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid for a purchase, by whom, and of what it was composed. Amounts are minor units.

    `minor` is the whole price; the parts make it, what coupons took off included.
    """

    minor: int
    currency: str
    customer: CustomerId
    balance_minor: int = 0
    card_minor: int = 0
    external_minor: int = 0
    discount_minor: int = 0

    @property
    def money(self) -> Money:
        """What was paid in all."""
        return Money(self.minor, self.currency)


def fulfil(books: Books, purchase: Purchase, paid: Paid, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Settle a purchase that is paid and give its credits, once. What does not fit is held, and a person is asked.

    A purchase that is settled stays as it is: a repeat gives no effects. One that has its credits already, because they
    were given early, is settled only.
    """
    if purchase.status in (PurchaseStatus.SETTLED, PurchaseStatus.VOIDED, PurchaseStatus.HELD):
        return ()
    wrong = _mismatch(books, purchase, paid)
    if wrong:
        return hold(books, purchase, wrong, now, new_id)
    effects = settle(purchase, paid, now)
    settled = _last(effects, purchase)
    return (*effects, *give(with_changes(books, (settled,)), settled, now, new_id))


def _mismatch(books: Books, purchase: Purchase, paid: Paid) -> str | None:
    if purchase.status is PurchaseStatus.CANCELED:
        return f"{paid.money} was paid for a purchase that had been canceled."
    if paid.customer != purchase.customer:
        return f"It was paid by {paid.customer}, and bought by {purchase.customer}."
    if (paid.minor, paid.currency) != (purchase.gross_minor, purchase.currency):
        return f"{paid.money} was paid, {purchase.gross} was asked for."
    wallet = _wallet(books, purchase)
    if wallet is None or wallet.status is WalletStatus.CLOSED:
        return f"The wallet {purchase.wallet} was closed before it was paid."
    if purchase.grant and any(each.id == purchase.grant and each.voided_at for each in books.grants):
        return "Its credits were taken back before it was paid."
    return None


def hold(books: Books, purchase: Purchase, detail: str, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Keep a purchase where it is and ask a person. No credits are given."""
    held = replace(purchase, status=PurchaseStatus.HELD)
    sentence = f"A purchase does not fit what was paid. {detail} No credits were given."
    question = Reason.PURCHASE_MISMATCH
    if (question, purchase.id) in books.questions:
        return (Change(purchase, held),)
    case = Case(CaseId(new_id("case")), question, purchase.id, sentence, now, customer=purchase.customer)
    return (Change(purchase, held), Change(None, case))


def settle(purchase: Purchase, paid: Paid, now: datetime) -> tuple[Effect, ...]:
    """Take the two steps of the money, in their order; the first one only if it was not taken before."""
    first = authorize(purchase, now)
    authorized = _last(first, purchase)
    settled = replace(
        authorized,
        status=PurchaseStatus.SETTLED,
        settled_at=now,
        balance_minor=paid.balance_minor,
        card_minor=paid.card_minor,
        external_minor=paid.external_minor,
        discount_minor=paid.discount_minor,
        failure_code=None,
        failure_text=None,
    )
    booked = (Post(journal.purchase_settled(settled, now)),) if purchase.settlement is Settlement.EXTERNAL else ()
    return (*first, Change(authorized, settled), *booked, told(settled, "settled"))


def authorize(purchase: Purchase, now: datetime) -> tuple[Effect, ...]:
    """Take the first step of the money: it is promised. What is authorized already stays as it is."""
    if purchase.status is PurchaseStatus.AUTHORIZED:
        return ()
    authorized = replace(purchase, status=PurchaseStatus.AUTHORIZED, authorized_at=now)
    # An invoice has booked what it bills; what others collect is booked by its own two steps.
    booked = (Post(journal.purchase_authorized(authorized, now)),) if purchase.settlement is Settlement.EXTERNAL else ()
    return (Change(purchase, authorized), *booked, told(authorized, "authorized"))


def give(books: Books, purchase: Purchase, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Give the credits of a purchase as a lot of its own, unless they were given before."""
    if purchase.grant:
        return ()
    wallet = _wallet(books, purchase)
    assert wallet is not None, "a purchase without its wallet"
    is_free = purchase.settlement is Settlement.PROMOTIONAL
    lasts = timedelta(seconds=purchase.expires_after_s) if purchase.expires_after_s else None
    grant = Grant(
        id=GrantId(new_id("grant")),
        wallet=wallet.id,
        source=GrantSource.PROMOTIONAL if is_free else GrantSource.PURCHASE,
        amount=purchase.quantity,
        remaining=purchase.quantity,
        cost_minor=max(0, purchase.net_minor - purchase.discount_minor),
        cost_currency=purchase.currency,
        effective_at=now,
        created_at=now,
        priority=purchase.priority,
        expires_at=now + lasts if lasts else None,
        features=purchase.features,
        purchase=purchase.id,
    )
    fulfilled = replace(purchase, grant=grant.id, fulfilled_at=now)
    issued, _ = issue(books, grant, wallet, now)
    return (*issued, Change(purchase, fulfilled), told(fulfilled, "fulfilled"))


# --- a purchase follows the invoice that bills it ---


def follow(books: Books, invoices: tuple[InvoiceId, ...], now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Move the purchases that these invoices bill to where the invoices stand. `books` are as the news leaves them.

    What a provider's invoice collects is fulfilled by what the provider says of it, not here.
    """
    effects: tuple[Effect, ...] = ()
    for purchase in books.purchases:
        if purchase.invoice in invoices and purchase.collector is Collector.OURS and purchase.status in OPEN:
            invoice = invoice_of(books, purchase.invoice)
            step = _follow(books, purchase, invoice, now, new_id) if invoice else ()
            effects += step
            books = with_changes(books, changes_of(step))
    return (*effects, *_wakes(books, invoices, now))


def _wakes(books: Books, invoices: tuple[InvoiceId, ...], now: datetime) -> tuple[Effect, ...]:
    """Have the auto top-ups that bought these look at what became of it."""
    billed = ((each, invoice_of(books, each.invoice)) for each in books.purchases if each.invoice in invoices)
    return tuple(timer for each, invoice in billed if invoice for timer in wake(each, invoice, now))


def _follow(books: Books, purchase: Purchase, invoice: Invoice, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    if invoice.status is InvoiceStatus.VOID:
        return cancel(books, purchase, now)
    if invoice.status is InvoiceStatus.UNCOLLECTIBLE and purchase.grant:
        return _written_off(books, purchase, now)
    if _covered(books, purchase, invoice):
        gross = purchase.gross_minor
        paid = Paid(gross, invoice.currency, invoice.customer, card_minor=gross)
        return fulfil(books, purchase, paid, now, new_id)
    if invoice.payment_status is PaymentStatus.FAILED and purchase.status is PurchaseStatus.PENDING:
        return _failed(books, purchase, invoice)
    if invoice.payment_status in UNDER_WAY and purchase.status is PurchaseStatus.FAILED:
        return (Change(purchase, replace(purchase, status=PurchaseStatus.PENDING)),)
    return ()


UNDER_WAY = frozenset({PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION})


def _covered(books: Books, purchase: Purchase, invoice: Invoice) -> bool:
    """Say whether what was paid of an invoice reaches the end of a purchase's own lines.

    Whole lines only, in their order on the invoice: a part of a line buys nothing.
    """
    lines = sorted((each for each in books.lines if each.invoice == invoice.id), key=lambda line: line.position)
    own = [line.position for line in lines if line.purchase == purchase.id]
    return bool(own) and sum(line.gross_minor for line in lines if line.position <= own[-1]) <= invoice.paid_minor


def _failed(books: Books, purchase: Purchase, invoice: Invoice) -> tuple[Effect, ...]:
    """Count a refused try, once, with what the provider said."""
    refused = [leg for leg in legs_for(books, invoice.id) if leg.status is LegStatus.REFUSED]
    last = max(refused, key=lambda leg: (leg.created_at, leg.position, leg.id), default=None)
    code, text = (last.refusal_code, last.refusal_text) if last else (None, None)
    return fail(purchase, code or "refused", text or "")


def fail(purchase: Purchase, code: str, text: str) -> tuple[Effect, ...]:
    """Count a refusal that ends the try: nothing was paid."""
    failed = replace(
        purchase,
        status=PurchaseStatus.FAILED,
        failures=purchase.failures + 1,
        failure_code=code,
        failure_text=text or None,
    )
    return (Change(purchase, failed), told(failed, "failed", f":{failed.failures}"))


def _written_off(books: Books, purchase: Purchase, now: datetime) -> tuple[Effect, ...]:
    """Take early credits back whose invoice nobody is expected to pay any more. Late money for them is a question."""
    taken = _reversed(books, purchase, now, owed=purchase.net_minor)
    if not taken:
        return ()
    failed = replace(purchase, status=PurchaseStatus.FAILED, failure_code="uncollectible")
    return (Change(purchase, failed), *taken)


def cancel(books: Books, purchase: Purchase, now: datetime) -> tuple[Effect, ...]:
    """Give a purchase up that nobody paid: what was booked and given for it is taken back."""
    canceled = replace(purchase, status=PurchaseStatus.CANCELED, canceled_at=now)
    is_booked = purchase.settlement is Settlement.EXTERNAL and purchase.authorized_at is not None
    booked = (Post(journal.purchase_canceled(canceled, now)),) if is_booked else ()
    return (Change(purchase, canceled), *booked, *_reversed(books, purchase, now), told(canceled, "canceled"))


def _reversed(books: Books, purchase: Purchase, now: datetime, owed: int = 0) -> tuple[Effect, ...]:
    """Take early credits back: what is left of them leaves the wallet, what was used of them was never paid for.

    `owed` is what stays billed for them, net, in minor units.
    """
    lot = next((each for each in books.grants if each.id == purchase.grant and each.voided_at is None), None)
    wallet = _wallet(books, purchase)
    if lot is None or wallet is None:
        return ()
    # Nobody paid for the lot. What its use has recognised is all that it counts for, as a loss.
    after = replace(
        lot,
        voided_at=now,
        remaining=lot.held,
        gone=lot.gone + lot.free,
        cost_minor=lot.released_minor,
    )
    entry = journal.grant_reversed(after, lot.free, wallet.unit, now, owed)
    data: dict[str, str | int] = {"wallet": wallet.id, "amount": lot.free, "unit": wallet.unit.code}
    gone = Notify(f"grant.voided:{lot.id}:{after.gone}", "grant.voided", purchase.customer, lot.id, data)
    return (Change(lot, after), *((Post(entry),) if entry.postings else ()), gone)


# --- shared ---


def told(purchase: Purchase, word: str, nth: str = "") -> Notify:
    """Tell the outside of a step of a purchase."""
    data: dict[str, str | int] = {
        "wallet": purchase.wallet,
        "quantity": purchase.quantity,
        "total_minor": purchase.gross_minor,
        "currency": purchase.currency,
    }
    key = f"purchase.{word}:{purchase.id}{nth}"
    return Notify(key, f"purchase.{word}", purchase.customer, purchase.id, data)


def _last(effects: tuple[Effect, ...], purchase: Purchase) -> Purchase:
    """Give a purchase as these effects leave it."""
    return next((each for each in reversed(changes_of(effects)) if isinstance(each, Purchase)), purchase)


def _wallet(books: Books, purchase: Purchase) -> Wallet | None:
    return next((each for each in books.wallets if each.id == purchase.wallet), None)
