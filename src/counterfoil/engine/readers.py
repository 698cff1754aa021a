"""What each noun contributes to its explanation. Every reader looks at one snapshot and locks nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import explain as core
from counterfoil.core.agreed import month_of
from counterfoil.core.attempts import spent
from counterfoil.core.books import Books, Customer, Leg, Payment
from counterfoil.core.equation import Explanation, amount_text
from counterfoil.core.explain import Flow
from counterfoil.core.explain_purchases import explain_purchase
from counterfoil.core.explain_refunds import explain_refund
from counterfoil.core.explain_spends import explain_hold, explain_spend
from counterfoil.core.explain_topups import explain_topup
from counterfoil.core.status import legs_for
from counterfoil.core.story import Step, attribute, title
from counterfoil.engine import auto_topup_views, run_views, views
from counterfoil.engine.flush import hold_of
from counterfoil.engine.refund_views import refund_view
from counterfoil.engine.spend_views import hold_view, spend_view
from counterfoil.engine.story_views import case_view, decision_view, notice_view, step_of
from counterfoil.engine.views import View, instant
from counterfoil.store import accounts, auto_topups, decisions, refunds, runs, spends, stories, subjects
from counterfoil.store import purchases as bought
from counterfoil.store.database import Tx


@dataclass(frozen=True, slots=True)
class Told:
    """What one kind of subject contributes; the rest of the answer is the same for all.

    `about` are the ids whose news make the timeline; `accounts` the journal accounts whose entries belong to it.
    """

    subject: View
    explanation: Explanation
    about: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    entries: tuple[str, ...] | None = None
    """The keys of its entries, where they are known; else those that `about` caused or that touch `accounts`."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one id: the snapshot it is made in, and the instant it is true of."""

    tx: Tx
    now: datetime


# --- invoices, payments, legs ---


def _books(look: Look, noun: str, identity: str) -> Books | None:
    """Read the books around an invoice or a payment, whole: its payments, their legs, what those are to pay."""
    owner = subjects.customer_of(look.tx, noun, identity)
    held = stories.customer(look.tx, owner) if owner else None
    if held is None:
        return None
    payments = [identity] if noun == "payment" else subjects.related_payments(look.tx, [identity])
    invoices = [identity] if noun == "invoice" else []
    return stories.read_books(look.tx, held, invoices, payments)


def _paid(tx: Tx, books: Books) -> dict[tuple[str, str], int]:
    """Say how much each leg paid of each invoice, from the decisions that posted for these legs."""
    return attribute(step_of(row) for row in stories.that_posted_for(tx, [each.id for each in books.legs]))


def _refs(legs: Iterable[Leg]) -> tuple[str, ...]:
    """Give the ids under which legs are spoken of: ours, their payments', and the provider's."""
    ids = [(leg.id, leg.payment, leg.provider_ref, leg.charge_ref) for leg in legs]
    return tuple(dict.fromkeys(str(each) for group in ids for each in group if each))


def _invoice(look: Look, identity: str) -> Told | None:
    books = _books(look, "invoice", identity)
    if books is None:
        return None
    invoice = next(each for each in books.invoices if each.id == identity)
    legs = legs_for(books, invoice.id)
    subject = {**views.invoice_view(books, invoice), "title": f"Invoice {invoice.number or 'draft'}"}
    own = {leg.id for leg in legs}
    payments = [each for each in books.payments if any(leg.payment == each.id for leg in legs)]
    subject["payments"] = [_payment_view(books, each) for each in payments]
    return Told(
        subject,
        core.explain_invoice(books, invoice, _paid(look.tx, books)),
        (identity, *_refs(leg for leg in books.legs if leg.id in own)),
    )


def _payment_view(books: Books, payment: Payment) -> View:
    """Show a payment whose legs say in words what they pay with."""
    view = views.payment_view(books, payment)
    legs = {leg.id: leg for leg in books.legs}
    view["legs"] = [{**each, **core.in_words(books, legs[each["id"]])} for each in view["legs"]]
    return view


def _payment(look: Look, identity: str) -> Told | None:
    books = _books(look, "payment", identity)
    if books is None:
        return None
    payment = next(each for each in books.payments if each.id == identity)
    amount = views.formatted(payment.amount_minor, payment.currency)
    subject = {**_payment_view(books, payment), "title": f"Payment of {amount}"}
    legs = [leg for leg in books.legs if leg.payment == payment.id]
    return Told(subject, core.explain_payment(books, payment), (identity, *_refs(legs)))


def _leg(look: Look, identity: str) -> Told | None:
    payment = stories.payment_of_leg(look.tx, identity)
    books = _books(look, "payment", payment) if payment else None
    if books is None:
        return None
    leg = next(each for each in books.legs if each.id == identity)
    amount = views.formatted(leg.amount_minor, leg.currency)
    subject = {
        **views.leg_view(books, leg),
        "customer": books.customer.id,
        "payment": leg.payment,
        "means": core.means(books, leg),
        "title": f"{amount} by {core.means(books, leg)}",
    }
    own = (identity, *(str(each) for each in (leg.provider_ref, leg.charge_ref) if each))
    return Told(subject, core.explain_leg(books, leg, _paid(look.tx, books)), own)


# --- customers, wallets, lots ---


def _customer(look: Look, identity: str) -> Told | None:
    held = stories.customer(look.tx, identity)
    if held is None:
        return None
    wallets = subjects.wallets(look.tx, identity)
    lots = stories.lots(look.tx, [each.id for each in wallets])
    person = accounts.person(look.tx, identity)
    subject = {
        **views.customer_view(held, person),
        "title": (person["name"] or person["email"] if person else None) or held.external_id or "Customer",
        "wallets": [views.wallet_view(each, lots, look.now) for each in wallets],
        "payment_methods": [views.method_view(each) for each in subjects.methods(look.tx, identity)],
    }
    explanation = core.explain_customer(
        identity,
        _flows(look.tx, f"receivable:{identity}", OWED),
        [replace(each, amount=-each.amount) for each in _flows(look.tx, f"customer_balance:{identity}", KEPT)],
        [core.explain_wallet(each, lots, look.now) for each in wallets],
    )
    return Told(subject, explanation, _names(held), _accounts_of(identity, (each.id for each in lots)))


def _names(held: Customer) -> tuple[str, ...]:
    return (held.id, held.provider_ref) if held.provider_ref else (held.id,)


def _accounts_of(customer: str, lots: Iterable[str]) -> tuple[str, ...]:
    return (f"receivable:{customer}", f"customer_balance:{customer}", *(f"grant:{each}" for each in lots))


OWED: Final = {
    ("invoice", "finalized"): "billed",
    ("invoice", "voided"): "voided",
    ("purchase", "authorized"): "promised",
    ("purchase", "settled"): "collected_elsewhere",
    ("purchase", "canceled"): "voided",
    ("leg", "returned"): "returned",
    ("leg", "clearing"): "collected",
    ("leg", "suspense"): "claimed",
    ("leg", "customer_balance_provider"): "balance_used",
    ("leg", "clearing_external"): "collected_elsewhere",
    ("leg", "deferred_revenue"): "credits_used",
    ("leg", "promotion_cost"): "credits_used",
}
KEPT: Final = {("leg", "clearing"): "surplus", ("leg", "suspense"): "surplus"}
SUSPENSE: Final = {("suspense", "received"): "received", ("leg", "settled"): "claimed"}


def _flows(tx: Tx, account: str, words: dict[tuple[str, str], str]) -> list[Flow]:
    """Sum what moved an account, kind by kind, in the words of a table: by step first, else by the other account."""
    summed: dict[tuple[str, str], Flow] = {}
    for row in stories.flows(tx, account):
        keys = ((row["cause"], row["step"]), (row["cause"], row["other"]))
        word = next((words[key] for key in keys if key in words), row["other"])
        flow = Flow(row["unit"], word, row["amount"], row["count"], tuple(row["sources"]))
        before = summed.get((flow.unit, word))
        summed[flow.unit, word] = _joined(before, flow) if before else flow
    return list(summed.values())


def _joined(one: Flow, other: Flow) -> Flow:
    sources = tuple(dict.fromkeys((*one.sources, *other.sources)))
    return replace(one, amount=one.amount + other.amount, count=max(one.count, other.count), sources=sources)


def _wallet(look: Look, identity: str) -> Told | None:
    owner = subjects.customer_of(look.tx, "wallet", identity)
    wallet = next((each for each in subjects.wallets(look.tx, owner) if each.id == identity), None) if owner else None
    if wallet is None:
        return None
    lots = stories.lots(look.tx, [identity])
    subject = {
        **views.wallet_view(wallet, lots, look.now),
        "title": f"Wallet in {wallet.unit.code}",
        "grants": [views.grant_view(each, wallet.unit) for each in lots],
    }
    ids = tuple(str(each.id) for each in lots)
    accounts_of = tuple(f"grant:{each}" for each in ids)
    return Told(subject, core.explain_wallet(wallet, lots, look.now), (identity, *ids), accounts_of)


def _grant(look: Look, identity: str) -> Told | None:
    owner = subjects.customer_of(look.tx, "grant", identity)
    wallets = subjects.wallets(look.tx, owner) if owner else ()
    for grant in stories.lots(look.tx, [each.id for each in wallets]):
        if grant.id == identity:
            wallet = next(each for each in wallets if each.id == grant.wallet)
            amount = amount_text(grant.amount, wallet.unit.scale)
            view = {**views.grant_view(grant, wallet.unit), "title": f"Lot of {amount} {wallet.unit.code}"}
            explanation = core.explain_grant(grant, wallet, look.now)
            return Told(view | {"customer": owner}, explanation, (identity,), (f"grant:{identity}",))
    return None


def _purchase(look: Look, identity: str) -> Told | None:
    found = bought.purchases(look.tx, (identity,))
    if not found:
        return None
    (purchase,) = found
    wallet = next(each for each in subjects.wallets(look.tx, purchase.customer) if each.id == purchase.wallet)
    lot = next((each for each in stories.lots(look.tx, [wallet.id]) if each.id == purchase.grant), None)
    amount = amount_text(purchase.quantity, wallet.unit.scale)
    subject = {**views.purchase_view(purchase, wallet.unit), "title": f"Purchase of {amount} {wallet.unit.code}"}
    about = (identity, *(str(each) for each in (purchase.invoice, purchase.grant, purchase.provider_ref) if each))
    return Told(subject, explain_purchase(purchase, wallet, lot), about)


def _auto_topup(look: Look, identity: str) -> Told | None:
    found = auto_topups.by_id(look.tx, (identity,))
    if not found:
        return None
    (policy,) = found
    wallet = next(each for each in subjects.wallets(look.tx, policy.customer) if each.id == policy.wallet)
    shown = auto_topup_views.show(look.tx, policy.wallet, look.now) or {}
    bought = auto_topups.bought(look.tx, (policy.wallet,), month_of(look.now))
    explained = explain_topup(policy, wallet, spent(bought, policy, look.now), look.now)
    about = (identity, *((str(policy.attempt),) if policy.attempt else ()))
    return Told({**shown, "title": f"Auto top-up of {wallet.unit.code}"}, explained, about)


def _refund(look: Look, identity: str) -> Told | None:
    found = refunds.by_id(look.tx, (identity,))
    if not found:
        return None
    (refund,) = found
    subject = {**refund_view(refund), "title": f"Refund of {views.formatted(refund.amount_minor, refund.currency)}"}
    about = (identity, *(str(each) for each in (refund.provider_ref,) if each))
    return Told(subject, explain_refund(refund), about)


def _spend(look: Look, identity: str) -> Told | None:
    spend = spends.by_id(look.tx, [identity]).get(identity)
    if spend is None:
        return None
    explanation = explain_spend(identity, spend.unit, spend.scale, spend.draws, spend.balance_after)
    subject = {
        **spend_view(spend),
        "title": f"Use of {spend.unit}" + (f" for {spend.feature}" if spend.feature else ""),
    }
    # A spend decided itself: no news led to it, and its own entry is all that it posted.
    return Told(subject, explanation, (identity,), entries=(f"spend:{identity}",))


def _hold(look: Look, identity: str) -> Told | None:
    held = hold_of(look.tx, identity)
    if held is None:
        return None
    hold = held.hold
    subject = {**hold_view(held), "title": f"Hold of {amount_text(hold.amount, hold.scale)} {hold.unit}"}
    entries = (f"spend:{hold.spend}",) if hold.spend else ()
    return Told(subject, explain_hold(hold, look.now), (identity,), entries=entries)


# --- news, decisions, and what else has an id ---


def _notice(look: Look, identity: str) -> Told | None:
    row = stories.news(look.tx, identity)
    if row is None:
        return None
    about = tuple(each for each in (identity, row["subject_ref"]) if each)
    step = next(step_of(each) for each in stories.timeline(look.tx, (identity,), 1))
    decided = decisions.get(look.tx, step.decision) if step.decision else None
    made = decision_view(decided, step) if decided else None
    keys = tuple(each["entry"] for each in step.effects if each["effect"] == "post")
    finding = step.sentence or f"It is stored and not decided yet; it waits for {row['waiting_for'] or 'a worker'}."
    return Told(notice_view(row, step) | {"decision": made}, Explanation(finding), about, entries=keys)


def _decision(look: Look, identity: str) -> Told | None:
    made = decisions.get(look.tx, identity)
    told = _notice(look, made["inbox"]) if made else None
    if told is None:
        return None
    notice = {name: value for name, value in told.subject.items() if name != "decision"}
    return replace(told, subject=told.subject["decision"] | {"title": notice["title"], "notice": notice})


def _method(look: Look, identity: str) -> Told | None:
    owner = subjects.customer_of(look.tx, "method", identity)
    method = next((each for each in subjects.methods(look.tx, owner) if each.id == identity), None) if owner else None
    if method is None:
        return None
    name = " ".join(each for each in (method.brand or method.kind, method.last4) if each)
    state = "is saved" if method.attached else "was detached and can't be charged"
    default = " and is what is charged by default" if method.is_default else ""
    subject = {**views.method_view(method), "title": name}
    return Told(subject, Explanation(f"{name} {state}{default}."), (identity, method.provider_ref))


def _case(look: Look, identity: str) -> Told | None:
    row = next((each for each in stories.cases(look.tx, (identity,)) if each["id"] == identity), None)
    if row is None:
        return None
    subject = {**case_view(row), "title": "Question"}
    return Told(subject, Explanation(row["detail"]), (identity, row["subject"]))


def _run(look: Look, identity: str) -> Told | None:
    row = runs.run(look.tx, identity)
    if row is None:
        return None
    subject = {**run_views.run_view(row), "title": "Reconciliation run"}
    # Its timeline is that of what it had looked at: what needs a person, and what changed, first.
    about = tuple(dict.fromkeys(each["ref"] for each in runs.report(look.tx, identity)))[:50]
    return Told(subject, Explanation(run_views.sentence(row)), (identity, *about), entries=())


def _order(look: Look, identity: str) -> Told | None:
    order = subjects.order_by_id(look.tx, identity)
    if order is None:
        return None
    verb = type(order.instruction).__name__
    words = title(Step("", "reply", f"{verb}.{order.status}", None, order.queued_at, order.queued_at))
    subject = {
        "object": "order",
        "id": order.id,
        "title": words,
        "verb": verb,
        "status": order.status,
        "subject": order.subject,
        "customer": order.customer,
        "key": order.key,
        "tries": order.try_no,
        "queued_at": instant(order.queued_at),
        "sent_at": instant(order.sent_at),
        "why": order.why,
    }
    return Told(subject, Explanation(f"{words}."), (identity,))


def _provider_object(look: Look, ref: str) -> Told | None:
    row = stories.provider_object(look.tx, ref)
    known = row or {"kind": None, "status": None, "observed": 0, "applied_at": None}
    subject = {
        "object": "provider_object",
        "id": ref,
        "title": ref,
        "kind": known["kind"],
        "status": known["status"],
        "looks": known["observed"],
        "seen_at": instant(known["applied_at"]),
    }
    flows = [replace(each, amount=-each.amount) for each in _flows(look.tx, f"suspense:{ref}", SUSPENSE)]
    equations = core.explain_suspense(ref, flows)
    finding = core.suspense_finding(ref, equations) or _last_word(look.tx, ref)
    return Told(subject, Explanation(finding, equations), (ref,), (f"suspense:{ref}",))


def _last_word(tx: Tx, ref: str) -> str:
    said = [row["sentence"] for row in stories.timeline(tx, (ref,), 20) if row["sentence"]]
    return said[-1] if said else f"{ref} was named to us, and nothing is decided about it yet."


READERS: Final[dict[str, Callable[[Look, str], Told | None]]] = {
    "customer": _customer,
    "wallet": _wallet,
    "grant": _grant,
    "invoice": _invoice,
    "payment": _payment,
    "purchase": _purchase,
    "auto_topup": _auto_topup,
    "refund": _refund,
    "spend": _spend,
    "hold": _hold,
    "leg": _leg,
    "inbox": _notice,
    "decision": _decision,
    "method": _method,
    "case": _case,
    "run": _run,
    "order": _order,
    "provider_object": _provider_object,
}
