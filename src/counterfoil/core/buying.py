"""Buying credits: the row is written first, then whoever collects is asked; and the steps that others tell us of.

Settled by an invoice, by somebody else, or by nobody: the lot is given by `purchases.fulfil` and nowhere else.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import gathering, invoicing, wallets
from counterfoil.core.books import Books, Confirmation, Wallet, default_method, purchase_of, with_changes
from counterfoil.core.bought import Collector, GrantTiming, PendingLine, Purchase, Settlement
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Reason,
    Refuse,
    Skip,
    Timer,
    Why,
    changes_of,
)
from counterfoil.core.ids import AutoTopupId, MethodId, NewId, PendingLineId, PurchaseId, WalletId
from counterfoil.core.launch import Launch, decide_launch
from counterfoil.core.lifecycle import LegStatus, PendingLineStatus, PurchaseStatus, WalletStatus
from counterfoil.core.money import MINOR_MAX, Money, plain
from counterfoil.core.purchases import Paid, authorize, cancel, fulfil, give, told
from counterfoil.core.status import open_provider_legs
from counterfoil.core.tax import Tax

BUY: Final = "buy-credits@1"
STEP: Final = "step-purchase@1"
CANCEL: Final = "cancel-purchase@1"
VOID: Final = "void-purchase@1"
GIVE_UP: Final = "give-up-purchase@1"
GIVE_UP_TIMER: Final = "give-up-purchase"


@dataclass(frozen=True, slots=True)
class Buy:
    """A purchase as asked for, its price settled. `begins` is how far an external one is already.

    `plain` amounts are minor units, `quantity` scaled units of the wallet. `invoice_at` None, or not later than now,
    bills at once.
    """

    wallet: WalletId
    settlement: Settlement
    quantity: int
    net: Money
    fee_minor: int = 0
    tax_minor: int = 0
    taxes: tuple[Tax, ...] = ()
    pack: str | None = None
    pack_version: int | None = None
    expires_after_s: int | None = None
    priority: int = 50
    features: tuple[str, ...] = ()
    grant_timing: GrantTiming = GrantTiming.AFTER_PAID
    begins: PurchaseStatus = PurchaseStatus.PENDING
    collector: Collector = Collector.OURS
    invoice_at: datetime | None = None
    method: MethodId | None = None
    confirmation: Confirmation = Confirmation.SERVER
    description: str = ""
    about: str = ""
    external_id: str | None = None
    auto_topup: AutoTopupId | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a purchase is held to. `bought_minor` is what the customer bought in the window, fee and tax included."""

    bought_minor: int = 0
    cap: Money | None = None
    needs_provider_customer: bool = False
    stopped: bool = False
    needs_verified_email: bool = False
    gives_up_after: timedelta = timedelta(hours=24)


def decide_purchase(
    books: Books, buy: Buy, limits: Limits, number: str, now: datetime, new_id: NewId, earlier: Purchase | None = None
) -> Decision:
    """Buy credits. Everything is checked before anybody is asked for money, and the row is written first.

    `number` is for the invoice of a purchase that is billed at once. `earlier` is the purchase that has the caller's
    own id already.
    """
    wallet = next((each for each in books.wallets if each.id == buy.wallet), None)
    if earlier:
        return again(earlier, buy)
    refusal = refused(books, buy, limits)
    if refusal or wallet is None:
        return refusal or _no(Reason.NOT_FOUND, f"There is no wallet {buy.wallet}.", "wallet")
    made = row(books, buy, now, new_id)
    effects: tuple[Effect, ...] = (Change(None, made), told(made, "initiated"))
    books = with_changes(books, (made,))
    if buy.grant_timing is GrantTiming.AT_PURCHASE:
        effects += give(books, made, now, new_id)
        books = with_changes(books, changes_of(effects))
    current = purchase_of(books, made.id) or made
    collected = _collected(books, current, buy, limits, number, now, new_id)
    if isinstance(collected, Refuse):
        return collected
    why = Why(BUY, Reason.PURCHASE_MADE, _sentence(made, wallet, buy, now), _about(made), _inputs(buy, limits))
    return Act(why, (*effects, *collected))


def again(earlier: Purchase, buy: Buy) -> Decision:
    """The caller's own id names one purchase for ever."""
    same = (
        earlier.wallet == buy.wallet
        and earlier.settlement is buy.settlement
        and (earlier.quantity, earlier.net_minor, earlier.currency) == (buy.quantity, buy.net.minor, buy.net.currency)
        and (earlier.fee_minor, earlier.tax_minor, earlier.pack) == (buy.fee_minor, buy.tax_minor, buy.pack)
    )
    if same:
        return Skip(
            Why(BUY, Reason.ALREADY_KNOWN, "This was bought before, under the same id of yours.", (earlier.id,))
        )
    sentence = f"Your id {buy.external_id!r} is that of purchase {earlier.id}, which is another one."
    return Refuse(Why(BUY, Reason.EXTERNAL_ID_TAKEN, sentence, (earlier.id,)), "external_id")


# --- the checks: identity, history, money ---


def refused(books: Books, buy: Buy, limits: Limits) -> Refuse | None:
    """Say why a purchase can't be made, whoever is to collect it."""
    wallet = next((each for each in books.wallets if each.id == buy.wallet), None)
    return _gate(books, buy, limits) or _refusal(wallet, buy) or _limit_refusal(books, buy, limits)


def _gate(books: Books, buy: Buy, limits: Limits) -> Refuse | None:
    """Look at who asks before anything else. What others collect, or nobody pays for, is not ours to stop."""
    if buy.settlement is not Settlement.INVOICE:
        return None
    customer = books.customer
    if limits.stopped:
        return _no(Reason.SELLING_STOPPED, "Selling is stopped by your policy of purchases; nobody was charged.")
    if customer.risk:
        sentence = f"Your application flagged this customer ({customer.risk}); nothing is sold until that is lifted."
        return _no(Reason.CUSTOMER_FLAGGED, sentence, "customer", customer.id)
    if limits.needs_verified_email and not customer.email_verified:
        sentence = "Your policy sells to customers with a verified address only, and this one's is not."
        return _no(Reason.EMAIL_NOT_VERIFIED, sentence, "customer", customer.id)
    return None


def _refusal(wallet: Wallet | None, buy: Buy) -> Refuse | None:
    if wallet is None:
        return _no(Reason.NOT_FOUND, f"This customer has no wallet {buy.wallet}.", "wallet")
    if wallet.status is not WalletStatus.ACTIVE:
        return _no(Reason.WALLET_NOT_ACTIVE, f"The wallet is {wallet.status}.", "wallet", wallet.id)
    if buy.quantity <= 0:
        return _no(Reason.INVALID_CREDITS, "A purchase is of more than zero credits.", "credits")
    return _price_refusal(wallet, buy) or _terms_refusal(buy)


def _price_refusal(wallet: Wallet, buy: Buy) -> Refuse | None:
    if wallet.unit.face_currency not in (None, buy.net.currency):
        sentence = f"{wallet.unit.code} is pegged to {wallet.unit.face_currency}; buy it in that currency."
        return _no(Reason.CURRENCIES_DIFFER, sentence, "currency", wallet.id)
    gross = buy.net.minor + buy.fee_minor + buy.tax_minor
    if buy.settlement is Settlement.PROMOTIONAL and gross:
        return _no(Reason.COST_NOT_ALLOWED, "A promotional purchase is free; leave its price out.", "price")
    if buy.settlement is not Settlement.PROMOTIONAL and (buy.net.minor <= 0 or gross > MINOR_MAX):
        return _no(Reason.INVALID_REQUEST, "A purchase costs more than zero, and what the books can hold.", "price")
    return None


def _terms_refusal(buy: Buy) -> Refuse | None:
    is_external = buy.settlement is Settlement.EXTERNAL
    if buy.collector is Collector.PROVIDER:
        return _provider_refusal(buy)
    if buy.begins is not PurchaseStatus.PENDING and not is_external:
        return _no(Reason.INVALID_REQUEST, "Only what others collect begins authorized or settled.", "status")
    if buy.invoice_at and buy.settlement is not Settlement.INVOICE:
        return _no(
            Reason.INVALID_REQUEST, "Only a purchase that is settled by invoice has an invoice date.", "invoice_at"
        )
    if buy.grant_timing is GrantTiming.AT_PURCHASE and buy.settlement is Settlement.PROMOTIONAL:
        return _no(Reason.INVALID_REQUEST, "Promotional credits are given at once anyway.", "grant_timing")
    return None


def _provider_refusal(buy: Buy) -> Refuse | None:
    """The provider's own invoice collects what is bought now, from a saved method, and brings the credits after it."""
    plain = (buy.settlement, buy.invoice_at, buy.grant_timing, buy.confirmation)
    if plain == (Settlement.INVOICE, None, GrantTiming.AFTER_PAID, Confirmation.SERVER):
        return None
    sentence = "The provider's own invoice collects at once, from a saved payment method, before credits are given."
    return _no(Reason.INVALID_REQUEST, sentence, "collector")


def _limit_refusal(books: Books, buy: Buy, limits: Limits) -> Refuse | None:
    """Hold what we collect to the limits; what others collect, or nobody, is not ours to limit."""
    if buy.settlement is not Settlement.INVOICE:
        return None
    if books.customer.paused:
        return _no(Reason.CUSTOMER_PAUSED, "This customer is paused by a person; nothing is sold until resumed.")
    if limits.needs_provider_customer and books.customer.provider_ref is None:
        sentence = "This customer has no id at the provider, and your policy wants one before anything is sold."
        return _no(Reason.STRIPE_CUSTOMER_NOT_CONFIGURED, sentence, "customer")
    gross = buy.net.minor + buy.fee_minor + buy.tax_minor
    if limits.cap and limits.bought_minor + gross > limits.cap.minor:
        before, wanted = Money(limits.bought_minor, buy.net.currency), Money(gross, buy.net.currency)
        sentence = f"{before} of {limits.cap} that may be bought in 24 hours are used; {wanted} more do not fit."
        return _no(Reason.PURCHASE_CAP_REACHED, sentence)
    by_us = buy.confirmation is Confirmation.SERVER and buy.method is None
    if by_us and default_method(books) is None:
        sentence = "This customer has no saved payment method; add one, or let the customer confirm in the browser."
        return _no(Reason.NO_PAYMENT_METHOD, sentence, "payment_method")
    return None


def _no(reason: Reason, sentence: str, param: str | None = None, *about: str) -> Refuse:
    return Refuse(Why(BUY, reason, sentence, about), param)


# --- the row, and who is asked for money ---


def row(books: Books, buy: Buy, now: datetime, new_id: NewId) -> Purchase:
    """Give the row of a purchase as it begins. One that an invoice of ours bills waits for its line first."""
    by_invoice = buy.settlement is Settlement.INVOICE
    waits = by_invoice and buy.collector is Collector.OURS
    return Purchase(
        id=PurchaseId(new_id("purchase")),
        customer=books.customer.id,
        account=books.customer.account,
        wallet=buy.wallet,
        settlement=buy.settlement,
        status=PurchaseStatus.SCHEDULED if waits else PurchaseStatus.PENDING,
        quantity=buy.quantity,
        currency=buy.net.currency,
        net_minor=buy.net.minor,
        created_at=now,
        fee_minor=buy.fee_minor,
        tax_minor=buy.tax_minor,
        taxes=buy.taxes,
        collector=buy.collector if by_invoice else None,
        pack=buy.pack,
        pack_version=buy.pack_version,
        expires_after_s=buy.expires_after_s,
        priority=buy.priority,
        features=buy.features,
        grant_timing=buy.grant_timing,
        invoice_at=buy.invoice_at,
        method=buy.method,
        description=buy.description,
        external_id=buy.external_id,
        auto_topup=buy.auto_topup,
    )


def _collected(
    books: Books, made: Purchase, buy: Buy, limits: Limits, number: str, now: datetime, new_id: NewId
) -> tuple[Effect, ...] | Refuse:
    match buy.settlement:
        case Settlement.PROMOTIONAL:
            return fulfil(books, made, Paid(0, made.currency, made.customer), now, new_id)
        case Settlement.EXTERNAL:
            return _begun(books, made, buy.begins, now, new_id)
        case Settlement.INVOICE:
            return _billed(books, made, buy, limits, number, now, new_id)


def _begun(books: Books, made: Purchase, begins: PurchaseStatus, now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    if begins is PurchaseStatus.AUTHORIZED:
        return authorize(made, now)
    if begins is PurchaseStatus.SETTLED:
        return fulfil(books, made, _in_full(made), now, new_id)
    return ()


def _in_full(purchase: Purchase) -> Paid:
    gross = purchase.gross_minor
    return Paid(gross, purchase.currency, purchase.customer, external_minor=gross)


def _billed(
    books: Books, made: Purchase, buy: Buy, limits: Limits, number: str, now: datetime, new_id: NewId
) -> tuple[Effect, ...] | Refuse:
    """Write the line that bills it; when that is due, put it on an invoice and launch the payment in the same step."""
    line = PendingLine(
        id=PendingLineId(new_id("pending_line")),
        customer=made.customer,
        account=made.account,
        status=PendingLineStatus.WAITING,
        description=made.description,
        currency=made.currency,
        net_minor=made.net_minor,
        fee_minor=made.fee_minor,
        tax_minor=made.tax_minor,
        taxes=made.taxes,
        invoice_at=made.invoice_at or now,
        created_at=now,
        about=buy.about,
        purchase=made.id,
    )
    if line.invoice_at > now:
        return gathering.waiting(line, now)
    books = with_changes(books, (line,))
    gathered = gathering.gather(books, (line,), number, now, new_id, collect=False)
    books = with_changes(books, changes_of(gathered.effects))
    launch = Launch((gathered.invoice,), made.method, use_credits=False, confirmation=buy.confirmation)
    launched = decide_launch(books, launch, now, new_id)
    if not isinstance(launched, Act):
        assert isinstance(launched, Refuse), launched
        return launched
    gives_up = Timer(GIVE_UP_TIMER, made.id, made.customer, now + limits.gives_up_after)
    return (Change(None, line), *gathered.effects, *launched.effects, gives_up)


def _sentence(made: Purchase, wallet: Wallet, buy: Buy, now: datetime) -> str:
    bought = f"{plain(made.quantity, wallet.unit.scale)} {wallet.unit.code}"
    match buy.settlement:
        case Settlement.PROMOTIONAL:
            return f"{bought} were given for nothing."
        case Settlement.EXTERNAL:
            return f"{bought} are bought for {made.gross}, which somebody else collects."
        case Settlement.INVOICE:
            later = f"billed on {buy.invoice_at:%Y-%m-%d}" if buy.invoice_at and buy.invoice_at > now else "billed now"
            return f"{bought} are bought for {made.gross}, {later}."


def _about(made: Purchase) -> tuple[str, ...]:
    return (made.id, made.wallet, made.customer)


def _inputs(buy: Buy, limits: Limits) -> dict[str, str | int | bool | None]:
    return {
        "settlement": buy.settlement,
        "pack": buy.pack,
        "pack_version": buy.pack_version,
        "bought_minor_in_window": limits.bought_minor,
        "cap_minor": limits.cap.minor if limits.cap else None,
    }


# --- what others tell us of what they collect ---


def decide_step(books: Books, purchase: PurchaseId, to: PurchaseStatus, now: datetime, new_id: NewId) -> Decision:
    """Take a step that somebody else tells us of: authorized, or settled. In any order, late, and more than once.

    Settled takes the step before it along; authorized after settled says nothing new. What is judged is where the
    purchase stands, never how often we were told.
    """
    held = purchase_of(books, purchase)
    if held is None:
        return Refuse(Why(STEP, Reason.NOT_FOUND, f"There is no purchase {purchase}."))
    if held.settlement is not Settlement.EXTERNAL:
        sentence = "We collect this purchase ourselves; it is settled by the payment of its invoice."
        return Refuse(Why(STEP, Reason.PURCHASE_COLLECTED_BY_INVOICE, sentence, _about(held)))
    if held.status in PAST[to]:
        return Skip(
            Why(STEP, Reason.ALREADY_KNOWN, f"The purchase is {held.status}; this says nothing new.", _about(held))
        )
    if to is PurchaseStatus.AUTHORIZED and held.status is PurchaseStatus.CANCELED:
        return Refuse(Why(STEP, Reason.PURCHASE_CLOSED, "The purchase was canceled.", _about(held)))
    if to is PurchaseStatus.AUTHORIZED:
        why = Why(STEP, Reason.PURCHASE_MOVED, f"{held.gross} are promised.", _about(held))
        return Act(why, authorize(held, now))
    effects = fulfil(books, held, _in_full(held), now, new_id)
    after = [each for each in changes_of(effects) if isinstance(each, Purchase)][-1]
    is_held = after.status is PurchaseStatus.HELD
    sentence = "The money came and does not fit; a person is asked." if is_held else f"{held.gross} have come."
    return Act(Why(STEP, Reason.PURCHASE_MOVED, sentence, _about(held)), effects)


PAST: Final = {
    PurchaseStatus.AUTHORIZED: frozenset(
        {PurchaseStatus.AUTHORIZED, PurchaseStatus.SETTLED, PurchaseStatus.VOIDED, PurchaseStatus.HELD}
    ),
    PurchaseStatus.SETTLED: frozenset({PurchaseStatus.SETTLED, PurchaseStatus.VOIDED, PurchaseStatus.HELD}),
}
"""Where a purchase stands when a step says nothing new any more."""


# --- the ends ---


def decide_cancel(books: Books, purchase: PurchaseId, now: datetime, new_id: NewId) -> Decision:
    """Give a purchase up before its money came: nothing is billed, what was booked and given for it is taken back."""
    held = purchase_of(books, purchase)
    if held is None:
        return Refuse(Why(CANCEL, Reason.NOT_FOUND, f"There is no purchase {purchase}."))
    if held.status is PurchaseStatus.CANCELED:
        return Skip(Why(CANCEL, Reason.ALREADY_KNOWN, "The purchase is canceled already.", _about(held)))
    if held.status in (PurchaseStatus.SETTLED, PurchaseStatus.VOIDED):
        sentence = f"The purchase is {held.status}; void it to take its credits back."
        return Refuse(Why(CANCEL, Reason.PURCHASE_CLOSED, sentence, _about(held)))
    why = Why(CANCEL, Reason.PURCHASE_MOVED, "The purchase is given up; nothing is owed for it.", _about(held))
    if held.invoice is None:
        line = next((each for each in books.pending_lines if each.purchase == held.id), None)
        given_up = (Change(line, replace(line, status=PendingLineStatus.CANCELED)),) if line else ()
        return Act(why, (*given_up, *cancel(books, held, now)))
    return _with_invoice_void(books, held, why, now, new_id)


def _with_invoice_void(books: Books, held: Purchase, why: Why, now: datetime, new_id: NewId) -> Decision:
    """Take back the invoice that bills a purchase and nothing else."""
    assert held.invoice is not None
    if any(each.purchase != held.id for each in books.lines if each.invoice == held.invoice):
        sentence = f"Invoice {held.invoice} bills other things too; void it as a whole, or leave it."
        return Refuse(Why(why.rule, Reason.INVOICE_NOT_OPEN, sentence, (*_about(held), held.invoice)))
    voided = invoicing.decide_void(books, held.invoice, now, new_id)
    about = (*why.about, held.invoice)
    if isinstance(voided, Act) and voided.why.reason is Reason.VOID_ASKED:
        sentence = f"The purchase is given up once its invoice is. {voided.why.sentence}"
        return Act(replace(why, reason=Reason.VOID_ASKED, sentence=sentence, about=about), voided.effects)
    if isinstance(voided, Act):
        return Act(replace(why, about=about), voided.effects)
    return voided


def decide_void(books: Books, purchase: PurchaseId, now: datetime) -> Decision:
    """Take back what is left of the credits of a purchase that was paid. Twice is once."""
    held = purchase_of(books, purchase)
    if held is None:
        return Refuse(Why(VOID, Reason.NOT_FOUND, f"There is no purchase {purchase}."))
    if held.status is PurchaseStatus.VOIDED:
        return Skip(Why(VOID, Reason.ALREADY_KNOWN, "The purchase is void already.", _about(held)))
    if held.status is not PurchaseStatus.SETTLED or held.grant is None:
        sentence = f"The purchase is {held.status}; only one that was paid is voided. Cancel it instead."
        return Refuse(Why(VOID, Reason.PURCHASE_NOT_SETTLED, sentence, _about(held)))
    lot = wallets.decide_void_grant(books, held.grant, now)
    if isinstance(lot, Refuse):
        return lot
    effects = lot.effects if isinstance(lot, Act) else ()
    before = next(each for each in books.grants if each.id == held.grant)
    after = next((each for each in with_changes(books, changes_of(effects)).grants if each.id == held.grant), before)
    voided = replace(held, status=PurchaseStatus.VOIDED, voided_at=now, clawed=after.gone - before.gone)
    sentence = f"The purchase is void. {lot.why.sentence}"
    why = Why(VOID, Reason.PURCHASE_MOVED, sentence, (*_about(held), held.grant))
    return Act(why, (*effects, Change(held, voided), told(voided, "voided")))


def decide_give_up(books: Books, purchase: PurchaseId, now: datetime, new_id: NewId) -> Decision:
    """Give up a purchase whose money did not come in time. What may still collect is canceled there first.

    Money that is on its way keeps the purchase; what its customer has not answered does not.
    """
    held = purchase_of(books, purchase)
    if held is None or held.invoice is None or held.status not in UNFINISHED:
        return Skip(Why(GIVE_UP, Reason.TIMER_OBSOLETE, "The purchase moved on since.", (purchase,)))
    busy = open_provider_legs(books, held.invoice)
    if busy and any(leg.status is not LegStatus.REQUIRES_ACTION for leg in busy):
        later = Timer(GIVE_UP_TIMER, purchase, held.customer, now + ON_ITS_WAY)
        sentence = "Its money is on its way, so it is kept for now."
        return Act(Why(GIVE_UP, Reason.NOT_READY, sentence, (purchase, busy[0].payment)), (later,))
    if busy:
        again = Timer(GIVE_UP_TIMER, purchase, held.customer, now + LOOK_AGAIN)
        ended = invoicing.decide_cancel(books, busy[0].payment, now, new_id)
        sentence = "It was not paid in time; the provider is asked to cancel what it could still collect."
        effects = ended.effects if isinstance(ended, Act) else ()
        return Act(Why(GIVE_UP, Reason.PAYMENT_CANCELED, sentence, (purchase, busy[0].payment)), (*effects, again))
    why = Why(GIVE_UP, Reason.PURCHASE_MOVED, "It was not paid in time and is given up; nothing is owed.", _about(held))
    decision = _with_invoice_void(books, held, why, now, new_id)
    if isinstance(decision, Refuse):
        return Skip(replace(decision.why, rule=GIVE_UP))
    return decision


UNFINISHED: Final = frozenset({PurchaseStatus.PENDING, PurchaseStatus.FAILED})
LOOK_AGAIN: Final = timedelta(minutes=5)
ON_ITS_WAY: Final = timedelta(hours=6)
