"""Commands about purchases and about the lines that wait to be billed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from counterfoil.core import buying, gathering, given_up, topups
from counterfoil.core.books import Books, Confirmation, default_method, purchase_of
from counterfoil.core.bought import Collector, GrantTiming, PendingLine, Purchase, Settlement
from counterfoil.core.buying import Buy, Limits
from counterfoil.core.catalogue import Catalogue, NotOnSale, Offer, Wanted, offer, with_surcharge
from counterfoil.core.effects import Act, Decision, Reason, Refuse, Why, changes_of
from counterfoil.core.ids import MethodId, PendingLineId, PurchaseId, WalletId
from counterfoil.core.lifecycle import PendingLineStatus, PurchaseStatus
from counterfoil.core.money import Money, MoneyError, parse_decimal
from counterfoil.core.papers import PaperKind
from counterfoil.core.tax import Tax
from counterfoil.engine import looks
from counterfoil.engine.answers import purchase_answer
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.limits import read_limits
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.operations import Asked
from counterfoil.store import catalogue, numbers, subjects
from counterfoil.store import purchases as bought
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer, plain


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase as asked for: a pack, or a number of credits, at the catalogue's price unless one is given.

    `wallet` or the code of its `unit` names where the credits go; a customer has one open wallet per unit.
    """

    customer: str
    settlement: Settlement
    wallet: str | None = None
    unit: str | None = None
    pack: str | None = None
    credits: str | None = None
    price: Money | None = None
    currency: str | None = None
    tax_minor: int = 0
    taxes: tuple[Tax, ...] = ()
    plan: str | None = None
    collector: Collector = Collector.OURS
    begins: PurchaseStatus = PurchaseStatus.PENDING
    grant_timing: GrantTiming = GrantTiming.AFTER_PAID
    expires_after_s: int | None = None
    priority: int | None = None
    features: tuple[str, ...] | None = None
    invoice_at: datetime | None = None
    method: str | None = None
    confirmation: Confirmation = Confirmation.SERVER
    description: str = ""
    about: str = ""
    external_id: str | None = None


def buy(asked: Asked, wanted: NewPurchase) -> Result:
    """Buy credits."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return _nothing("customer", wanted.customer)
        on_sale = catalogue.read(tx)
        order = _ordered(books, on_sale, wanted)
        if isinstance(order, Refuse):
            return order
        earlier = bought.of_external(tx, wanted.external_id) if wanted.external_id else None
        limits = read_limits(tx, books.customer.id, on_sale.policy, order.net.currency, moment.now)
        if order.collector is Collector.PROVIDER:
            return _by_provider(tx, books, order, limits, moment, earlier)
        trial = buying.decide_purchase(books, order, limits, "", moment.now, moment.new_id, earlier)
        if not _is_billed(trial):
            return trial
        # A number is taken only for an invoice that will be finalized, so that the series has no gaps.
        number = numbers.take(tx, PaperKind.INVOICE)
        return buying.decide_purchase(books, order, limits, number, moment.now, moment.new_id)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return _answer(tx, wanted.customer, _made(applied))

    plan = Plan(wanted.customer, Scope(), decide, answer, awaits=_awaited)
    return run(asked.house, asked.tenant, asked.request, plan)


def _by_provider(
    tx: Tx, books: Books, order: Buy, limits: Limits, moment: Moment, earlier: Purchase | None
) -> Decision:
    """Buy by an invoice of the provider's own."""
    refusal = buying.again(earlier, order) if earlier else buying.refused(books, order, limits)
    if refusal:
        return refusal
    made = buying.row(books, order, moment.now, moment.new_id)
    about = subjects.orders(tx, [books.customer.id])
    may_create = not limits.needs_provider_customer
    return topups.decide_top_up(books, made, about, moment.now, moment.new_id, may_create=may_create)


def _ordered(books: Books, on_sale: Catalogue, wanted: NewPurchase) -> Buy | Refuse:
    """Find the wallet and the price."""
    wallet = next((each for each in books.wallets if _is_meant(each.id, each.unit.code, each.status, wanted)), None)
    if wallet is None:
        named = wanted.wallet or wanted.unit or ""
        return _refused(NotOnSale(Reason.NOT_FOUND, f"This customer has no open wallet {named}.", "wallet"))
    quantity = parse_credits(wanted.credits, wallet.unit.scale)
    if isinstance(quantity, NotOnSale):
        return _refused(quantity)
    is_free = wanted.settlement is Settlement.PROMOTIONAL and wanted.pack is None
    if wanted.price or is_free:
        currency = wanted.currency or wallet.unit.face_currency or "USD"
        sold: Offer | NotOnSale = Offer(quantity or 0, wanted.price or Money(0, currency))
    else:
        sold = offer(on_sale, wallet.unit, Wanted(wanted.pack, quantity, wanted.currency, wanted.plan))
    if isinstance(sold, NotOnSale):
        return _refused(sold)
    if wanted.settlement is Settlement.INVOICE and not wanted.price:
        sold = with_surcharge(sold, on_sale.policy, _country(books, wanted))
    return _buy(wallet.id, sold, wanted)


def _country(books: Books, wanted: NewPurchase) -> str | None:
    """Say where the card was issued that will pay: the one that is named, else the default one."""
    named = next((each for each in books.methods if each.id == wanted.method), None)
    method = named or default_method(books)
    return method.country if method else None


def _is_meant(identity: str, unit: str, status: str, wanted: NewPurchase) -> bool:
    if wanted.wallet:
        return identity == wanted.wallet
    return unit == wanted.unit and status != "closed"


def parse_credits(text: str | None, scale: int) -> int | NotOnSale | None:
    """Read a number of credits as scaled units. None stays None: the pack says how many."""
    if text is None:
        return None
    try:
        quantity = parse_decimal(text, scale)
    except MoneyError as error:
        return NotOnSale(Reason.INVALID_CREDITS, f"{error}.", "credits")
    if quantity <= 0:
        return NotOnSale(Reason.INVALID_CREDITS, "A purchase is of more than zero credits.", "credits")
    return quantity


def _refused(why: NotOnSale) -> Refuse:
    return Refuse(Why(buying.BUY, Reason(why.code), why.sentence), why.param)


def _buy(wallet: WalletId, sold: Offer, wanted: NewPurchase) -> Buy:
    """Put what is sold and what was asked for together; the caller's own terms stand above the pack's."""
    return Buy(
        wallet=wallet,
        settlement=wanted.settlement,
        quantity=sold.quantity,
        net=sold.net,
        fee_minor=sold.fee_minor,
        tax_minor=wanted.tax_minor,
        taxes=wanted.taxes,
        pack=sold.pack,
        pack_version=sold.pack_version,
        expires_after_s=wanted.expires_after_s or sold.expires_after_s,
        priority=sold.priority if wanted.priority is None else wanted.priority,
        features=sold.features if wanted.features is None else wanted.features,
        grant_timing=wanted.grant_timing,
        collector=wanted.collector,
        begins=wanted.begins,
        invoice_at=wanted.invoice_at,
        method=MethodId(wanted.method) if wanted.method else None,
        confirmation=wanted.confirmation,
        description=wanted.description or sold.pack or "Credits",
        about=wanted.about,
        external_id=wanted.external_id,
    )


def _is_billed(decision: Decision) -> bool:
    return isinstance(decision, Act) and any(each.id.startswith("inv_") for each in changes_of(decision.effects))


def _made(applied: Applied) -> str:
    """Give the purchase that was made, or the one that had been made before under the caller's own id."""
    return next(each for each in applied.decision.why.about if each.startswith("prch_"))


def _awaited(applied: Applied) -> str | None:
    return _made(applied)


# --- steps and ends ---


def step(asked: Asked, purchase: str, to: PurchaseStatus) -> Result:
    """Take a step that somebody else tells us of."""
    return _on_purchase(
        asked,
        purchase,
        lambda books, moment: buying.decide_step(books, PurchaseId(purchase), to, moment.now, moment.new_id),
    )


def cancel(asked: Asked, purchase: str) -> Result:
    """Give a purchase up before its money came."""
    return _on_purchase(
        asked,
        purchase,
        lambda books, moment: _cancel(books, PurchaseId(purchase), moment),
    )


def _cancel(books: Books, purchase: PurchaseId, moment: Moment) -> Decision:
    """Give it up; what the provider collects is taken back there first, and only that ends it."""
    held = purchase_of(books, purchase)
    rule = given_up.decide_give_up if held and held.collector is Collector.PROVIDER else buying.decide_cancel
    return rule(books, purchase, moment.now, moment.new_id)


def void(asked: Asked, purchase: str) -> Result:
    """Take back what is left of the credits of a paid purchase."""
    return _on_purchase(
        asked, purchase, lambda books, moment: buying.decide_void(books, PurchaseId(purchase), moment.now)
    )


def _on_purchase(asked: Asked, purchase: str, rule: Callable[[Books, Moment], Decision]) -> Result:
    customer = _customer(asked, "purchase", purchase)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return rule(books, moment) if books else _nothing("purchase", purchase)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.purchase(tx, purchase)))

    scope = Scope(purchases=(purchase,), pending=True)
    plan = Plan(customer, scope, decide, answer, awaits=lambda applied: None)
    return run(asked.house, asked.tenant, asked.request, plan)


def _answer(tx: Tx, customer: str, purchase: str) -> Answer:
    books = load_books(tx, customer, Scope(purchases=(purchase,)))
    assert books is not None
    return purchase_answer(books, purchase)


# --- lines that wait to be billed ---


@dataclass(frozen=True, slots=True)
class NewPendingLine:
    """A flat fee to be billed later, in minor units."""

    customer: str
    currency: str
    description: str
    net_minor: int
    tax_minor: int
    invoice_at: datetime
    about: str = ""
    taxes: tuple[Tax, ...] = ()


def add_line(asked: Asked, wanted: NewPendingLine) -> Result:
    """Write a line down that is billed when its date comes."""

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if books is None:
            return _nothing("customer", wanted.customer)
        line = PendingLine(
            id=PendingLineId(moment.new_id("pending_line")),
            customer=books.customer.id,
            account=books.customer.account,
            status=PendingLineStatus.WAITING,
            description=wanted.description,
            currency=wanted.currency,
            net_minor=wanted.net_minor,
            tax_minor=wanted.tax_minor,
            taxes=wanted.taxes,
            invoice_at=wanted.invoice_at,
            created_at=moment.now,
            about=wanted.about,
        )
        return gathering.decide_add_line(books, line, moment.now)

    def answer(tx: Tx, applied: Applied) -> Answer:
        made = next(each for each in applied.decision.why.about if each.startswith("pline_"))
        return Answer(201, plain(looks.pending_line(tx, made)))

    plan = Plan(wanted.customer, Scope(), decide, answer, awaits=lambda applied: None)
    return run(asked.house, asked.tenant, asked.request, plan)


def cancel_line(asked: Asked, line: str) -> Result:
    """Give a line up before it is billed."""
    customer = _customer(asked, "pending_line", line)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        return gathering.decide_cancel_line(books, PendingLineId(line)) if books else _nothing("pending line", line)

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, plain(looks.pending_line(tx, line)))

    plan = Plan(customer, Scope(pending_lines=(line,)), decide, answer, awaits=lambda applied: None)
    return run(asked.house, asked.tenant, asked.request, plan)


# --- shared ---


def _nothing(noun: str, identity: str) -> Refuse:
    return Refuse(Why(f"find-{noun.replace(' ', '-')}@1", Reason.NOT_FOUND, f"There is no {noun} {identity}."), noun)


def _customer(asked: Asked, noun: str, identity: str) -> str | None:
    with asked.house.database.transaction(asked.tenant) as tx:
        return subjects.customer_of(tx, noun, identity)
