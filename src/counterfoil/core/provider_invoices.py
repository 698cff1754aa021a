"""Credits bought through the provider's own invoice: which step comes next, decided by what the invoice is now.

    draft ─→ line ─→ finalize ─→ read again ─→ pay, only if it is still open ─→ fulfil

There is one rule for every way the news can come, the reply to our own call, a webhook, a look: it reads the provider's
current invoice and says what is missing. So a step that was lost is taken by whoever looks next, and one that was taken
is not taken again. Identity first (whose invoice is it), then whether it is what we asked for, then money.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import journal, mirrors, purchases
from counterfoil.core.books import (
    Books,
    Invoice,
    Leg,
    LegKind,
    Line,
    Method,
    default_method,
    invoice_of,
)
from counterfoil.core.bought import Collector, Purchase
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Instruct,
    Park,
    Post,
    Reason,
    Skip,
    Timer,
    Why,
)
from counterfoil.core.facts import INVOICE_MARK, IntentStatus, ProviderInvoiceFact, Refusal
from counterfoil.core.ids import InvoiceId, NewId, OrderId, PurchaseId
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, OrderStatus, PurchaseStatus
from counterfoil.core.mirrors import Steps
from counterfoil.core.money import Money
from counterfoil.core.orders import (
    AddInvoiceLine,
    CreateInvoice,
    DeleteDraft,
    FinalizeInvoice,
    Instruction,
    Order,
    PayInvoice,
    SetDefaultMethod,
    VoidInvoice,
    confirmed_by,
)
from counterfoil.core.purchases import Paid
from counterfoil.core.status import legs_for

RULE: Final = "follow-provider-invoice@1"
ABANDON_TIMER: Final = "abandon-purchase"
ABANDONED_AFTER: Final = timedelta(hours=24)
"""How long a purchase may stay unpaid at the provider before its invoice is taken back."""
WANTED: Final = frozenset({PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED})
"""Where a purchase stands that is still to be collected."""


def begin(purchase: Purchase, invoice: Invoice, line: Line, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Order the draft of a purchase. Its row, its invoice and its line are on the books by then."""
    create = CreateInvoice(invoice.id, purchase.customer, purchase.currency, line.description)
    timer = Timer(ABANDON_TIMER, purchase.id, purchase.customer, now + ABANDONED_AFTER)
    return (_order(invoice, create, now, new_id), timer)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What one look at the provider's invoice is decided by, and what is gathered of it."""

    steps: Steps
    invoice: InvoiceId
    purchase: PurchaseId
    fact: ProviderInvoiceFact

    @property
    def mirror(self) -> Invoice:
        """Our invoice as the steps leave it."""
        return self.steps.invoice(self.invoice)

    @property
    def bought(self) -> Purchase:
        """The purchase as the steps leave it."""
        return next(each for each in self.steps.books.purchases if each.id == self.purchase)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that bill the purchase."""
        return mirrors.lines_of(self.steps.books, self.invoice)

    @property
    def is_wanted(self) -> bool:
        """Say whether the purchase is still to be collected."""
        return self.bought.status in WANTED and self.bought.given_up_at is None and _failure(self) is None

    def orders(self, kind: type) -> list[Order]:
        """Give the orders of one kind for this invoice."""
        mine = (each for each in self.steps.books.orders if each.subject == self.invoice)
        return [each for each in mine if isinstance(each.instruction, kind)]

    def instruct(self, instruction: Instruction) -> None:
        """Order a step, unless it was ordered before: each step has one order for ever, and so one key."""
        if not any(each.instruction == instruction for each in self.orders(type(instruction))):
            self.steps.add(_order(self.mirror, instruction, self.steps.now, self.steps.new_id))


def decide_provider_invoice(
    books: Books, fact: ProviderInvoiceFact, now: datetime, new_id: NewId, refusal: Refusal | None = None
) -> Decision:
    """Say what the provider's invoice, as it stands now, means to the purchase that it bills.

    `refusal` is why the provider refused the step that was asked last, where the look follows a refusal.
    """
    invoice = mirror_of(books, fact)
    purchase = next((each for each in books.purchases if invoice and each.invoice == invoice.id), None)
    if invoice is None or purchase is None:
        return _skip(fact, Reason.NOT_OURS, f"Invoice {fact.ref} of the provider bills none of our purchases.")
    scene = _Scene(Steps(books, now, new_id), invoice.id, purchase.id, fact)
    if invoice.provider_ref is None:
        scene.steps.add(Change(invoice, replace(invoice, provider_ref=fact.ref)))
    _close_proven(scene)
    wrong = _mismatch(scene)
    if wrong and purchase.status not in (PurchaseStatus.SETTLED, PurchaseStatus.VOIDED):
        return _held(scene, wrong)
    reason, sentence = _step(scene, refusal)
    return _decided(scene, reason, sentence)


def mirror_of(books: Books, fact: ProviderInvoiceFact) -> Invoice | None:
    """Find the invoice that a provider's one mirrors: by the id we stored, else by our mark while the id is missing.

    The mark alone never routes money: it is believed only for an invoice that we asked the provider to make.
    """
    known = next((each for each in books.invoices if each.provider_ref == fact.ref), None)
    if known:
        return known
    marked = fact.metadata.get(INVOICE_MARK)
    found = invoice_of(books, InvoiceId(marked)) if marked else None
    awaits = found is not None and found.collector is Collector.PROVIDER and found.provider_ref is None
    return found if awaits else None


def _close_proven(scene: _Scene) -> None:
    for each in scene.steps.books.orders:
        if each.subject == scene.invoice and confirmed_by(each, scene.fact):
            scene.steps.add(Change(each, replace(each, status=OrderStatus.DONE, why=None)))


# --- is it what we asked for ---


def _mismatch(scene: _Scene) -> str | None:
    """Compare the provider's invoice with the purchase's own row, before any of it is believed."""
    fact, lines = scene.fact, scene.lines
    if fact.status == "deleted":
        return None
    if fact.currency != scene.mirror.currency:
        return f"It is in {fact.currency}, the purchase in {scene.mirror.currency}."
    ours = scene.steps.books.customer.provider_ref
    if fact.customer_ref and ours and fact.customer_ref != ours:
        return f"It belongs to the provider's customer {fact.customer_ref}, not to {ours}."
    ours_there = {each.mark: each.minor for each in fact.lines}
    if len(ours_there) < len(fact.lines) or not ours_there.items() <= {(each.id, each.net_minor) for each in lines}:
        return f"It bills {Money(fact.subtotal_minor, fact.currency)} by lines that are not as we asked for them."
    if fact.status == "draft":
        lost = [
            each for each in scene.orders(AddInvoiceLine) if each.status is OrderStatus.DONE and _is_off(each, fact)
        ]
        return "A line that was on it is gone." if lost else None
    net, tax = sum(each.net_minor for each in lines), sum(each.tax_minor for each in lines)
    if (fact.subtotal_minor, fact.tax_minor) != (net, tax):
        theirs = f"{Money(fact.subtotal_minor, fact.currency)} and {Money(fact.tax_minor, fact.currency)} of tax"
        return f"It bills {theirs}, we asked for {Money(net, fact.currency)} and {Money(tax, fact.currency)}."
    return _sum_mismatch(fact) if fact.status == "paid" else None


def _is_off(order: Order, fact: ProviderInvoiceFact) -> bool:
    return isinstance(order.instruction, AddInvoiceLine) and order.instruction.line not in {m.mark for m in fact.lines}


def _sum_mismatch(fact: ProviderInvoiceFact) -> str | None:
    """Compare the parts that paid an invoice with its total."""
    if fact.applied_minor + fact.paid_minor == fact.total_minor:
        return None
    parts = f"{Money(fact.applied_minor, fact.currency)} of balance and {Money(fact.paid_minor, fact.currency)}"
    return f"It is paid, and {parts} do not make {Money(fact.total_minor, fact.currency)}."


def _held(scene: _Scene, wrong: str) -> Decision:
    """Ask a person. Money that came all the same waits in suspense; no credits are given."""
    steps, fact = scene.steps, scene.fact
    for each in fact.payments:
        intent = each.intent
        if each.status == "paid" and intent and intent.received.minor and not _is_booked(scene, intent.ref):
            entry = journal.money_unexplained(scene.mirror.account, intent.ref, intent.received, steps.now)
            steps.add(Post(entry))
    if scene.bought.status is not PurchaseStatus.HELD:
        steps.add(*purchases.hold(steps.books, scene.bought, wrong, steps.now, steps.new_id))
    sentence = f"Invoice {fact.ref} of the provider is not what was asked for. {wrong} Nothing was fulfilled."
    why = _why(scene, Reason.PURCHASE_MISMATCH, sentence)
    return Park(why, tuple(steps.effects)) if steps.effects else Skip(replace(why, reason=Reason.ALREADY_KNOWN))


def _is_booked(scene: _Scene, ref: str) -> bool:
    books = scene.steps.books
    return any(held == ref for held, _ in books.suspense) or any(each.provider_ref == ref for each in books.legs)


# --- the step that is missing ---


def _step(scene: _Scene, refusal: Refusal | None) -> tuple[Reason, str]:
    match scene.fact.status:
        case "draft":
            return _draft(scene)
        case "open":
            return _open(scene, refusal)
        case "paid":
            return _paid(scene)
        case "void" | "deleted":
            return taken_back(scene)
        case "uncollectible":
            return _unwanted(scene, "Somebody gave it up at the provider")
        case _:
            return Reason.NOT_READY, f"Invoice {scene.fact.ref} is in a state that tells us nothing new."


def _draft(scene: _Scene) -> tuple[Reason, str]:
    """Write the draft on: its line first, then it is finalized. One that nobody wants is dropped."""
    ref = scene.fact.ref
    if not scene.is_wanted:
        scene.instruct(DeleteDraft(scene.invoice, ref))
        return Reason.PROVIDER_INVOICE_UNWANTED, f"Draft {ref} is not wanted any more; the provider is to drop it."
    missing = next((each for each in scene.lines if each.id not in {there.mark for there in scene.fact.lines}), None)
    if missing:
        amount = Money(missing.net_minor, scene.mirror.currency)
        scene.instruct(AddInvoiceLine(scene.invoice, ref, missing.id, amount, missing.description))
        return Reason.PROVIDER_INVOICE_STEP, f"Draft {ref} is there and can cost nothing yet; its line is added."
    scene.instruct(FinalizeInvoice(scene.invoice, ref))
    return Reason.PROVIDER_INVOICE_STEP, f"Draft {ref} bills what was asked for; it is finalized, then looked at again."


def _open(scene: _Scene, refusal: Refusal | None) -> tuple[Reason, str]:
    """Collect what the balance left, by one payment; what was refused for good is taken back."""
    steps, fact = scene.steps, scene.fact
    mirrors.open_mirror(steps, scene.invoice, fact)
    mirrors.settle_payments(steps, scene.invoice, fact)
    method = _method(scene)
    leg = mirrors.expect_payment(steps, scene.invoice, fact, method.id if method else None)
    if leg:
        mirrors.follow_payment(steps, leg, fact)
    mirrors.restate(steps, scene.invoice)
    _note_refusal(scene, refusal)
    if not scene.is_wanted:
        return _unwanted(scene, "It is not wanted any more")
    if method is None:
        return _unwanted(scene, "The customer has no payment method that could pay it")
    if scene.orders(PayInvoice):
        return Reason.ALREADY_KNOWN, f"Invoice {fact.ref} is open, and its payment is under way."
    _make_default(scene, method)
    scene.instruct(PayInvoice(scene.invoice, fact.ref, method.id))
    rest = Money(fact.remaining_minor, fact.currency)
    balance = f"the balance paid {Money(fact.applied_minor, fact.currency)}, " if fact.applied_minor > 0 else ""
    return (
        Reason.PROVIDER_INVOICE_OPEN,
        f"Invoice {fact.ref} is open: {balance}{rest} are collected from {method.provider_ref}.",
    )


def _method(scene: _Scene) -> Method | None:
    """Choose what pays: the purchase's own method, else the default there, else the oldest that is saved."""
    books = scene.steps.books
    named = next((each for each in books.methods if each.id == scene.bought.method and each.attached), None)
    return named or default_method(books)


def _make_default(scene: _Scene, method: Method) -> None:
    """Make the first saved method the default, where the customer has none, and store which method is used."""
    books = scene.steps.books
    if scene.bought.method != method.id:
        scene.steps.add(Change(scene.bought, replace(scene.bought, method=method.id)))
    if not any(each.is_default for each in books.methods):
        scene.steps.add(Change(method, replace(method, is_default=True)))
        instruction = SetDefaultMethod(books.customer.id, method.id)
        scene.steps.add(_order(scene.mirror, instruction, scene.steps.now, scene.steps.new_id))


def _note_refusal(scene: _Scene, refusal: Refusal | None) -> None:
    """Keep why a payment was refused, where the provider's invoice does not say it itself."""
    leg = _collecting(scene)
    if refusal is None or leg is None or leg.refusal_code or leg.status is LegStatus.REQUIRES_ACTION:
        return
    code = refusal.decline_code or refusal.code
    scene.steps.add(Change(leg, replace(leg, refusal_code=code, refusal_text=refusal.message)))


def _collecting(scene: _Scene) -> Leg | None:
    own = legs_for(scene.steps.books, scene.invoice)
    return next((each for each in own if each.kind is LegKind.PROVIDER and each.status is not LegStatus.SETTLED), None)


def _failure(scene: _Scene) -> tuple[str, str] | None:
    """Give the code and the words of what was refused for good, None while nothing was."""
    leg, pays = _collecting(scene), scene.orders(PayInvoice)
    if leg and leg.status is LegStatus.REQUIRES_ACTION:
        return None
    if leg and leg.refusal_code and pays and not any(each.open for each in pays):
        return leg.refusal_code, leg.refusal_text or ""
    steps = (CreateInvoice, AddInvoiceLine, FinalizeInvoice, PayInvoice)
    refused = (each for kind in steps for each in scene.orders(kind) if each.status is OrderStatus.REFUSED)
    return next(((each.why or "refused", "") for each in refused), None)


def _unwanted(scene: _Scene, why: str) -> tuple[Reason, str]:
    """Take an open invoice back, so that the balance which it took returns. Not while its money is on the way."""
    ref = scene.fact.ref
    moving = any(each.intent and each.intent.status in MOVING for each in scene.fact.payments)
    if moving:
        return Reason.NOT_READY, f"Invoice {ref} is not wanted any more, but its payment is on the way."
    scene.instruct(VoidInvoice(scene.invoice, ref))
    failure = _failure(scene)
    refused = f" ({failure[0]})" if failure else ""
    return Reason.PROVIDER_INVOICE_UNWANTED, f"{why}{refused}: invoice {ref} is voided at the provider."


MOVING: Final = frozenset({IntentStatus.PROCESSING, IntentStatus.NEEDS_CAPTURE})
"""States of a payment whose money may come without anybody's doing any more."""


def _paid(scene: _Scene) -> tuple[Reason, str]:
    """Book what paid it and fulfil the purchase, once, whoever brings the news."""
    steps, fact = scene.steps, scene.fact
    was_open = scene.mirror.status is InvoiceStatus.OPEN
    mirrors.open_mirror(steps, scene.invoice, fact)
    mirrors.settle_payments(steps, scene.invoice, fact)
    outside = mirrors.settle_rest(steps, scene.invoice)
    if steps.effects:
        mirrors.close_paid(steps, scene.invoice)
    paid = _composition(scene, outside)
    steps.add(*purchases.fulfil(steps.books, scene.bought, paid, steps.now, steps.new_id))
    parts = _in_words(paid)
    if not scene.orders(PayInvoice) and not was_open:
        return (
            Reason.PAID_AT_FINALIZE,
            f"Invoice {fact.ref} came back paid when it was finalized: {parts}. Nothing was charged.",
        )
    if any(each.status is OrderStatus.REFUSED for each in scene.orders(PayInvoice)):
        return (
            Reason.PAID_ALREADY,
            f"Paying invoice {fact.ref} was refused, and a fresh look says that it is paid: {parts}.",
        )
    return Reason.PROVIDER_INVOICE_PAID, f"Invoice {fact.ref} is paid: {parts}."


def _composition(scene: _Scene, outside: int) -> Paid:
    """Say of what the price was composed: coupon, balance and card together make it."""
    fact, mirror = scene.fact, scene.mirror
    return Paid(
        minor=fact.total_minor + fact.discount_minor,
        currency=fact.currency,
        customer=mirror.customer,
        discount_minor=fact.discount_minor,
        balance_minor=fact.applied_minor,
        card_minor=fact.paid_minor - outside,
        external_minor=outside,
    )


def _in_words(paid: Paid) -> str:
    parts = (
        ("discount", paid.discount_minor),
        ("the customer's balance", paid.balance_minor),
        ("the card", paid.card_minor),
        ("outside the provider", paid.external_minor),
    )
    return (
        " and ".join(f"{Money(minor, paid.currency)} by {name}" for name, minor in parts if minor) or "nothing was due"
    )


def taken_back(scene: _Scene) -> tuple[Reason, str]:
    """The provider's invoice is void or gone: nothing is owed, and the purchase is over without money."""
    failure = _failure(scene)
    mirrors.take_back(scene.steps, scene.invoice)
    end_purchase(scene.steps, scene.bought, failure)
    word = "void" if scene.fact.status == "void" else "gone"
    return Reason.PROVIDER_INVOICE_GONE, f"Invoice {scene.fact.ref} of the provider is {word}; nothing was charged."


def end_purchase(steps: Steps, purchase: Purchase, failure: tuple[str, str] | None) -> None:
    """End a purchase that nobody paid: as failed when the provider refused it, else as canceled."""
    if failure and purchase.status in WANTED:
        steps.add(*purchases.fail(purchase, *failure))
    elif purchase.status in WANTED or purchase.status is PurchaseStatus.HELD:
        steps.add(*purchases.cancel(steps.books, purchase, steps.now))


# --- words ---


def _decided(scene: _Scene, reason: Reason, sentence: str) -> Decision:
    why = _why(scene, reason, sentence)
    if scene.steps.effects:
        return Act(why, tuple(scene.steps.effects))
    return Skip(replace(why, reason=Reason.ALREADY_KNOWN))


def _why(scene: _Scene, reason: Reason, sentence: str) -> Why:
    return Why(RULE, reason, sentence, (scene.purchase, scene.invoice, scene.fact.ref), inputs_of(scene.fact))


def _skip(fact: ProviderInvoiceFact, reason: Reason, sentence: str) -> Skip:
    return Skip(Why(RULE, reason, sentence, (fact.ref,), inputs_of(fact)))


def inputs_of(fact: ProviderInvoiceFact) -> dict[str, str | int | bool | None]:
    """Give the values of an invoice that its decisions are made by."""
    return {
        "invoice": fact.ref,
        "status": fact.status,
        "total_minor": fact.total_minor,
        "discount_minor": fact.discount_minor,
        "balance_minor": fact.applied_minor,
        "paid_minor": fact.paid_minor,
        "remaining_minor": fact.remaining_minor,
        "currency": fact.currency,
    }


def _order(invoice: Invoice, instruction: Instruction, now: datetime, new_id: NewId) -> Instruct:
    identity = OrderId(new_id("order"))
    order = Order(identity, invoice.account, invoice.customer, invoice.id, instruction, OrderStatus.QUEUED, now)
    return Instruct(order)
