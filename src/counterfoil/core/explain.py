"""Why a number is what it is: an equation whose terms add up exactly, and one sentence that says it.

Pure: subjects and the story of `core/story.py` in, an Explanation out. Amounts are minor units or scaled units; every
term names the subjects it comes from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.core.books import (
    Books,
    Grant,
    Invoice,
    Leg,
    LegKind,
    Method,
    Payment,
    Wallet,
    allocations_of,
    legs_of,
)
from counterfoil.core.credits import NEVER, is_live
from counterfoil.core.equation import Equation, Explanation, Term, amount_text
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import exponent, plain
from counterfoil.core.status import IN_FLIGHT, legs_for

# --- invoices ---


def explain_invoice(books: Books, invoice: Invoice, paid: Mapping[tuple[str, str], int]) -> Explanation:
    """Explain what an invoice bills: which leg paid how much of it, and what is still due.

    `paid` says how much each leg paid of each invoice.
    """
    terms = tuple(_paid_by(books, leg, paid.get((leg.id, invoice.id), 0)) for leg in legs_for(books, invoice.id))
    shown = tuple(each for each in terms if each.amount)
    word = "drafted" if invoice.status is InvoiceStatus.DRAFT else "billed"
    result = Term("total", word, invoice.total_minor, (invoice.id,), _number(invoice))
    ending = _not_paid(books, invoice)
    equation = Equation(_number(invoice), invoice.currency, exponent(invoice.currency), result, (*shown, ending))
    return Explanation(_invoice_finding(books, invoice, equation), (equation,))


def _paid_by(books: Books, leg: Leg, minor: int) -> Term:
    return Term(leg.kind, means(books, leg), minor, _sources(books, leg), _leg_note(books, leg))


def _not_paid(books: Books, invoice: Invoice) -> Term:
    """What is left: due, taken back, or not billed yet."""
    rest = invoice.total_minor - invoice.paid_minor
    match invoice.status:
        case InvoiceStatus.VOID:
            return Term("voided", "voided", rest, (invoice.id,), "nothing is owed for it any more")
        case InvoiceStatus.DRAFT:
            return Term("draft", "not finalized", rest, (invoice.id,), "a draft is not owed yet")
        case InvoiceStatus.UNCOLLECTIBLE:
            return Term("due", "uncollectible", rest, (invoice.id,), _on_its_way(books, invoice))
        case _:
            return Term("due", "due", rest, (invoice.id,), _on_its_way(books, invoice) if rest else "")


def _on_its_way(books: Books, invoice: Invoice) -> str:
    """Say in words what is being done about what is due; the amounts of it are still due."""
    legs = legs_for(books, invoice.id)
    said = [_pending(books, leg, invoice) for leg in legs if leg.status in PENDING]
    if not any(leg.status in IN_FLIGHT for leg in legs):
        said.append(_last_refusal(books, invoice))
    return "; ".join(each for each in said if each) or "no payment of it is under way"


PENDING: Final = IN_FLIGHT | {LegStatus.RESERVED}


def _pending(books: Books, leg: Leg, invoice: Invoice) -> str:
    minor = sum(each.minor for each in allocations_of(books, leg.id) if each.invoice == invoice.id)
    return f"{_money(minor, invoice.currency)} {PENDING_WORDS[leg.status]} {_by(books, leg)}"


PENDING_WORDS: Final = {
    LegStatus.RESERVED: "is reserved",
    LegStatus.WAITING: "waits for an earlier try to end, then is asked",
    LegStatus.PROCESSING: "is on its way",
    LegStatus.REQUIRES_ACTION: "waits for the customer to confirm it",
}


def _last_refusal(books: Books, invoice: Invoice) -> str:
    legs = legs_for(books, invoice.id)
    if not legs:
        return "nobody was asked to pay it yet"
    refused = [leg for leg in legs if leg.status is LegStatus.REFUSED]
    if not refused:
        return ""
    last = max(refused, key=lambda leg: (leg.created_at, leg.position, leg.id))
    return f"the last try {_by(books, last)} was refused ({last.refusal_code}); nothing was charged"


def _invoice_finding(books: Books, invoice: Invoice, equation: Equation) -> str:
    total = _money(invoice.total_minor, invoice.currency)
    paid = _listing(each for each in equation.terms if each.kind in tuple(LegKind))
    subject = f"{_number(invoice)} over {total}"
    if not equation.adds_up:
        return f"{subject} does not add up: {equation.text}. Run `counterfoil verify`."
    match invoice.status:
        case InvoiceStatus.PAID:
            return f"{subject} is paid: {_amounts(equation)}."
        case InvoiceStatus.VOID:
            return f"{subject} is void: nothing is owed for it any more."
        case InvoiceStatus.DRAFT:
            return f"{subject} is a draft: nothing is owed for it until it is finalized."
        case _:
            due = _money(invoice.due_minor, invoice.currency)
            before = f"{paid} paid, " if paid else ""
            return f"{subject} is {invoice.status}: {before}{due} due; {equation.terms[-1].note}."


def _amounts(equation: Equation) -> str:
    paid = [each for each in equation.terms if each.amount and each.kind in tuple(LegKind)]
    return " and ".join(f"{amount_text(each.amount, equation.scale)} by {each.label}" for each in paid) or "nothing due"


def _listing(terms: Iterable[Term]) -> str:
    return " and ".join(each.label for each in terms if each.amount)


def _number(invoice: Invoice) -> str:
    return f"Invoice {invoice.number}" if invoice.number else "The draft"


# --- payments and their legs ---


def explain_payment(books: Books, payment: Payment) -> Explanation:
    """Explain a payment: what each of its legs brought, and what was not collected."""
    terms = tuple(_brought(books, leg) for leg in legs_of(books, payment.id))
    missing = payment.amount_minor - sum(each.amount for each in terms)
    result = Term("asked", "asked for", payment.amount_minor, (payment.id,))
    rest = (Term("missing", "not collected", missing, (payment.id,)),) if missing else ()
    equation = Equation("Payment", payment.currency, exponent(payment.currency), result, (*terms, *rest))
    return Explanation(_payment_finding(books, payment, equation), (equation,))


def _brought(books: Books, leg: Leg) -> Term:
    """What a leg counts for: all while it may come, what came once settled, nothing once it ended otherwise."""
    counted = leg.amount_minor if leg.status in PENDING else 0
    if leg.status is LegStatus.SETTLED:
        counted = min(leg.received_minor, leg.amount_minor)
    label = means(books, leg)
    if leg.status not in PENDING | {LegStatus.SETTLED}:
        label = f"{label} ({leg.status})"
    return Term(leg.kind, label, counted, _sources(books, leg), _leg_note(books, leg))


def _payment_finding(books: Books, payment: Payment, equation: Equation) -> str:
    amount = _money(payment.amount_minor, payment.currency)
    if payment.status is PaymentStatus.SUCCEEDED:
        return f"The payment of {amount} succeeded: {_amounts(equation)}."
    parts = "; ".join(_leg_sentence(books, leg) for leg in legs_of(books, payment.id))
    return f"The payment of {amount} {PAYMENT_WORDS[payment.status]}: {parts}."


PAYMENT_WORDS: Final = {
    PaymentStatus.PENDING: "has not started",
    PaymentStatus.PROCESSING: "is under way",
    PaymentStatus.REQUIRES_ACTION: "waits for the customer",
    PaymentStatus.SUCCEEDED: "succeeded",
    PaymentStatus.FAILED: "failed",
    PaymentStatus.CANCELED: "was given up",
}


def _leg_sentence(books: Books, leg: Leg) -> str:
    amount = _money(leg.amount_minor, leg.currency)
    words = PENDING_WORDS.get(leg.status) or ENDED_WORDS[leg.status]
    refusal = f" ({leg.refusal_code})" if leg.status is LegStatus.REFUSED and leg.refusal_code else ""
    return f"{amount} {words} {_by(books, leg)}{refusal}"


ENDED_WORDS: Final = {
    LegStatus.SETTLED: "was collected",
    LegStatus.REFUSED: "was refused",
    LegStatus.CANCELED: "was given up",
    LegStatus.RELEASED: "went back unused",
    LegStatus.RETURNED: "was returned",
}


def explain_leg(books: Books, leg: Leg, paid: Mapping[tuple[str, str], int]) -> Explanation:
    """Explain one part of a payment: which invoices it paid, and what was kept or never came."""
    names = {each.id: each.number or each.id for each in books.invoices}
    shares = [(each.invoice, paid.get((leg.id, each.invoice), 0)) for each in allocations_of(books, leg.id)]
    terms = [Term("invoice", names.get(invoice, invoice), minor, (invoice,)) for invoice, minor in shares]
    result = Term("asked", "asked for", leg.amount_minor, (leg.id,), means(books, leg))
    if leg.status is LegStatus.SETTLED and leg.received_minor != leg.amount_minor:
        note = f"{_money(leg.amount_minor, leg.currency)} was asked for"
        result = Term("received", "received", leg.received_minor, (leg.id,), note)
    rest = result.amount - sum(each.amount for each in terms)
    if leg.status is LegStatus.SETTLED:
        terms.append(Term("kept", "kept for the customer", rest, (leg.id,)))
    else:
        terms.append(Term("missing", "not collected", rest, (leg.id,), _leg_note(books, leg)))
    equation = Equation("Part of a payment", leg.currency, exponent(leg.currency), result, tuple(terms))
    return Explanation(f"This part of the payment: {_leg_sentence(books, leg)}.", (equation,))


def in_words(books: Books, leg: Leg) -> dict[str, str]:
    """Say what a leg pays with, and the card or the credits it is."""
    return {"means": means(books, leg), "note": _leg_note(books, leg)}


def means(books: Books, leg: Leg) -> str:
    """Say in one word what a leg pays with: credits, card, us_bank_account …"""
    if leg.kind is LegKind.CREDIT:
        return "credits"
    method = _method(books, leg)
    return method.kind.replace("_", " ") if method else "provider"


def _method(books: Books, leg: Leg) -> Method | None:
    return next((each for each in books.methods if each.id == leg.method), None)


def _by(books: Books, leg: Leg) -> str:
    word = means(books, leg)
    return "through the provider" if word == "provider" else f"by {word}" if word != "credits" else "from credits"


def _sources(books: Books, leg: Leg) -> tuple[str, ...]:
    """The ids that prove a leg: itself, its payment, and its wallet and lots, or the provider's objects."""
    lots = sorted({each.grant for each in books.holds if each.leg == leg.id})
    own = (leg.wallet, *lots, leg.provider_ref, leg.charge_ref)
    return (leg.id, leg.payment, *(str(each) for each in own if each))


def _leg_note(books: Books, leg: Leg) -> str:
    """Say what a leg is, in words: the card and how it ended, or how many credits of how many lots."""
    said = [_credits_note(books, leg) if leg.kind is LegKind.CREDIT else _card_note(books, leg)]
    if leg.status is LegStatus.SETTLED and leg.received_minor != leg.amount_minor:
        said.append(f"{_money(leg.received_minor, leg.currency)} arrived")
    if leg.status is not LegStatus.SETTLED:
        said.append(leg.status.replace("_", " ") + (f" ({leg.refusal_code})" if leg.refusal_code else ""))
    return ", ".join(each for each in said if each)


def _credits_note(books: Books, leg: Leg) -> str:
    unit = next((each.unit for each in books.wallets if each.id == leg.wallet), None)
    lots = len({each.grant for each in books.holds if each.leg == leg.id})
    drawn = f"{amount_text(leg.quantity, unit.scale)} {unit.code}" if unit else ""
    return f"{drawn} from {lots} lot{'s' if lots != 1 else ''}"


def _card_note(books: Books, leg: Leg) -> str:
    method = _method(books, leg)
    return " ".join(each for each in (method.brand, method.last4) if each) if method else ""


# --- wallets and lots ---


def explain_wallet(wallet: Wallet, grants: Iterable[Grant], now: datetime) -> Explanation:
    """Explain what a wallet can spend: granted − used − held − expired − voided − owed = available."""
    own = tuple(each for each in grants if each.wallet == wallet.id)
    return _available(f"Wallet in {wallet.unit.code}", wallet, own, now, wallet.debt)


def explain_grant(grant: Grant, wallet: Wallet, now: datetime) -> Explanation:
    """Explain what one lot can still give."""
    return _available(f"Lot of {wallet.unit.code}", wallet, (grant,), now)


def _available(label: str, wallet: Wallet, lots: tuple[Grant, ...], now: datetime, debt: int = 0) -> Explanation:
    voided = tuple(each for each in lots if each.voided_at)
    # What has expired counts from its instant on, also while the timer that books it is under way.
    over = tuple(each for each in lots if each.over_at(now) and each not in voided)
    early = tuple(each for each in lots if now < each.effective_at)
    live = tuple(each for each in lots if is_live(each, now))
    terms = [
        _term("granted", lots, sum(each.amount for each in lots)),
        _term("used", lots, -sum(each.amount - each.remaining - each.gone for each in lots)),
        _term("held", lots, -sum(each.held for each in lots)),
        _term("expired", over, -sum(each.gone + each.free for each in over)),
    ]
    if voided:
        terms.append(_term("voided", voided, -sum(each.gone + each.free for each in voided)))
    if early:
        terms.append(_term("not effective yet", early, -sum(each.free for each in early)))
    if debt:
        terms.append(Term("owed", "owed", -debt, (wallet.id,), is_taken=True))
    result = Term("available", "available", sum(each.free for each in live) - debt, (wallet.id,), _next_expiry(live))
    equation = Equation(label, wallet.unit.code, wallet.unit.scale, result, tuple(terms), result_first=False)
    return Explanation(_available_finding(wallet, equation), (equation,))


def _term(word: str, lots: tuple[Grant, ...], amount: int) -> Term:
    count = f"{len(lots)} lot{'s' if len(lots) != 1 else ''}" if word == "granted" else ""
    touched = lots if word == "granted" else tuple(each for each in lots if amount and _takes_part(word, each))
    sources = tuple(str(each.id) for each in touched[:SOURCES_MAX])
    return Term(word.replace(" ", "_"), word, amount, sources, count, is_taken=word != "granted")


def _takes_part(word: str, lot: Grant) -> bool:
    if word == "used":
        return lot.remaining + lot.gone < lot.amount
    return lot.held > 0 if word == "held" else lot.free + lot.gone > 0


SOURCES_MAX: Final = 20
"""How many sources a term names at most; the list of lots has them all."""


def _next_expiry(live: tuple[Grant, ...]) -> str:
    soonest = min((each.expires_at or NEVER for each in live if each.free), default=NEVER)
    return f"first expiry {soonest:%Y-%m-%d}" if soonest != NEVER else ""


def _available_finding(wallet: Wallet, equation: Equation) -> str:
    amounts = {each.kind: amount_text(abs(each.amount), equation.scale) for each in equation.terms if each.amount}
    available = f"{amount_text(equation.result.amount, equation.scale)} {wallet.unit.code}"
    blocked = "" if wallet.status == "active" else f" The wallet is {wallet.status}: nothing is spent from it."
    if not amounts:
        return f"{available} can be spent: nothing was granted yet.{blocked}"
    taken = [f"{amounts[kind]} {words}" for kind, words in TAKEN_WORDS.items() if kind in amounts]
    rest = ", ".join(taken) or "nothing was used"
    return f"{available} can be spent: {amounts.get('granted', '0')} granted, {rest}.{blocked}"


TAKEN_WORDS: Final = {
    "used": "used",
    "held": "held for what is under way",
    "expired": "expired",
    "voided": "voided",
    "not_effective_yet": "not effective yet",
    "owed": "owed for use that no lot covered",
}


# --- what a customer owes, and money that nobody explained ---


@dataclass(frozen=True, slots=True)
class Flow:
    """What one kind of movement did to an account, in all. Positive: it grew. `sources` are some of its subjects."""

    unit: str
    kind: str
    amount: int
    count: int
    sources: tuple[str, ...] = ()


def explain_customer(
    customer: str, owed: Iterable[Flow], kept: Iterable[Flow], wallets: Iterable[Explanation]
) -> Explanation:
    """Explain what a customer owes, per currency, what we keep for it, and what its wallets can spend."""
    owing = _by_unit(customer, "Owed by the customer", "owed", tuple(owed))
    keeping = _by_unit(customer, "Kept for the customer", "kept", tuple(kept))
    of_wallets = tuple(equation for each in wallets for equation in each.equations)
    return Explanation(_customer_finding(owing, keeping, of_wallets), (*owing, *keeping, *of_wallets))


def explain_suspense(ref: str, flows: Iterable[Flow]) -> tuple[Equation, ...]:
    """Explain money at the provider whose purpose nobody told: what came and what was claimed since."""
    return _by_unit(ref, f"Suspense of {ref}", "in suspense", tuple(flows))


def suspense_finding(ref: str, equations: tuple[Equation, ...]) -> str:
    """Say how much money of a provider's object waits in suspense; an empty text when none does."""
    waiting = [_result(each) for each in equations if each.result.amount]
    return f"{' and '.join(waiting)} of {ref} wait in suspense: nobody told us what for." if waiting else ""


def _by_unit(owner: str, label: str, result: str, flows: tuple[Flow, ...]) -> tuple[Equation, ...]:
    equations = []
    for unit in sorted({each.unit for each in flows}):
        own = tuple(each for each in flows if each.unit == unit)
        terms = tuple(_flow_term(each) for each in own)
        total = Term(result.replace(" ", "_"), result, sum(each.amount for each in own), (owner,))
        equations.append(Equation(label, unit, exponent(unit), total, terms, result_first=False))
    return tuple(equations)


def _flow_term(flow: Flow) -> Term:
    label, noun = FLOW_WORDS.get(flow.kind, (flow.kind.replace("_", " "), "entry"))
    plural = noun if flow.count == 1 else noun.replace("entry", "entrie") + "s"
    return Term(flow.kind, label, flow.amount, flow.sources, f"{flow.count} {plural}")


FLOW_WORDS: Final = {
    "billed": ("billed", "invoice"),
    "voided": ("voided", "invoice"),
    "credits_used": ("paid by credits", "payment"),
    "collected": ("collected", "payment"),
    "promised": ("promised", "purchase"),
    "collected_elsewhere": ("collected elsewhere", "purchase"),
    "balance_used": ("paid by the balance at the provider", "payment"),
    "claimed": ("claimed from suspense", "payment"),
    "returned": ("returned credits", "payment"),
    "surplus": ("surplus", "payment"),
    "received": ("received", "payment"),
}


def _customer_finding(owing: tuple[Equation, ...], keeping: tuple[Equation, ...], wallets: tuple[Equation, ...]) -> str:
    if not owing:
        said = ["This customer was billed nothing yet"]
    else:
        said = [f"This customer owes {_result(each)}: {_flows(each)}" for each in owing]
    said += [f"{_result(each)} is kept for it" for each in keeping if each.result.amount]
    said += [f"{_result(each)} can be spent" for each in wallets]
    return "; ".join(said) + "."


def _flows(equation: Equation) -> str:
    return ", ".join(f"{amount_text(abs(each.amount), equation.scale)} {each.label}" for each in equation.terms)


def _result(equation: Equation) -> str:
    return f"{amount_text(equation.result.amount, equation.scale)} {equation.unit}"


def _money(minor: int, currency: str) -> str:
    return f"{plain(minor, exponent(currency))} {currency}"
