"""Starting a payment: the one guarded launch behind the API, the due-date timer and a retry.

Credits come first, wallet by wallet, each a leg of its own; then money that is kept for the customer; the provider
collects the remainder. A retry continues the same payment: what was reserved stays reserved, and only the remainder is
charged again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from counterfoil.core import credits, legs
from counterfoil.core.books import (
    Allocation,
    Books,
    Case,
    Confirmation,
    Invoice,
    Leg,
    LegKind,
    Method,
    Payment,
    allocations_of,
    default_method,
    invoice_of,
    legs_of,
    payments_for,
    with_changes,
)
from counterfoil.core.bought import Collector
from counterfoil.core.effects import (
    Act,
    Allocate,
    Change,
    Decision,
    Effect,
    Notify,
    Observe,
    Park,
    Reason,
    Refuse,
    Skip,
    Why,
    changes_of,
)
from counterfoil.core.ids import CaseId, InvoiceId, LegId, MethodId, NewId, PaymentId, ProviderRef
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import MINOR_MAX, Money, chargeable, smallest_charge, smallest_step
from counterfoil.core.status import open_provider_legs, reserved_minor
from counterfoil.core.terms import ClaimStatus

RULE: Final = "launch-payment@1"


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be collected, and how. `method` None means the customer's default.

    `use_balance` lets money that is kept for the customer pay before the provider; None is as the policy says.
    `provider_ref` names a payment that the host application made at the provider; we then only watch it.
    """

    invoices: tuple[InvoiceId, ...]
    method: MethodId | None = None
    use_credits: bool = True
    confirmation: Confirmation = Confirmation.SERVER
    provider_ref: ProviderRef | None = None
    use_balance: bool | None = None
    return_url: str | None = None
    """Where a hosted page sends the customer back to."""


def decide_launch(books: Books, launch: Launch, now: datetime, new_id: NewId) -> Decision:
    """Say how the remainder of these invoices is collected, or why it can't be. Nothing is deducted when refused."""
    refusal = _refusal(books, launch)
    if refusal:
        return refusal
    invoices = _invoices(books, launch)
    remaining = {each.id: _remaining(books, each) for each in invoices}
    payment, earlier = _payment(books, launch, sum(each.due_minor for each in invoices), now, new_id)
    plan = _Plan(books, payment, position=len(legs_of(books, payment.id)), now=now, new_id=new_id)
    if payment != earlier:
        plan.add(Change(earlier, payment))
    if launch.provider_ref is None:
        remaining = _with_own_means(plan, launch, invoices, remaining)
    if any(remaining.values()):
        refused = _with_provider(plan, launch, invoices, remaining)
        if refused:
            return refused
        return _launched(plan, invoices, Reason.PAYMENT_CLAIMED if launch.provider_ref else Reason.PAYMENT_LAUNCHED)
    if _earlier_collectors(plan.books, payment):
        # It could still collect: the credits pay when it is gone, and go back should it have collected first.
        _give_up_earlier(plan, LegStatus.PROCESSING)
        return _launched(plan, invoices, Reason.PAYMENT_LAUNCHED)
    plan.extend(legs.settle_credits(plan.books, payment.id, now, new_id))
    by_balance = any(leg.kind is LegKind.BALANCE for leg in legs_of(plan.books, payment.id))
    return _launched(plan, invoices, Reason.PAID_BY_BALANCE if by_balance else Reason.PAID_BY_CREDITS)


def decide_due(books: Books, invoice: InvoiceId, now: datetime, new_id: NewId) -> Decision:
    """Collect an invoice that has fallen due.

    What has been seen to already is no effect for the scheduler; what keeps it from collecting is put to a person.
    """
    decision = decide_launch(books, Launch((invoice,)), now, new_id)
    if not isinstance(decision, Refuse):
        return decision
    why = replace(decision.why, about=(*decision.why.about, invoice))
    if why.reason in SEEN_TO:
        return Skip(why)
    sentence = f"The invoice fell due and could not be collected. {why.sentence}"
    case = Case(CaseId(new_id("case")), why.reason, invoice, sentence, now, customer=books.customer.id)
    told = Notify(f"invoice.collection_failed:{invoice}", "invoice.collection_failed", books.customer.id, invoice, {})
    return Park(replace(why, sentence=sentence), (Change(None, case), told))


SEEN_TO: Final = frozenset({Reason.NOTHING_DUE, Reason.PAYMENT_IN_PROGRESS, Reason.INVOICE_NOT_OPEN, Reason.NOT_FOUND})
"""Reasons not to collect a due invoice that need nobody's attention."""


# --- the guard: identity, then history, then money ---


def _refusal(books: Books, launch: Launch) -> Refuse | None:
    if launch.confirmation is Confirmation.HOSTED and not launch.return_url:
        text = "A hosted page needs an address to send the customer back to."
        return _no(Reason.RETURN_URL_REQUIRED, text, "return_url")
    if not launch.invoices or len(set(launch.invoices)) != len(launch.invoices):
        return _no(Reason.INVALID_REQUEST, "Name each invoice to collect once.", "invoices")
    if books.customer.paused:
        return _no(Reason.CUSTOMER_PAUSED, "This customer is paused by a person; nothing is collected until resumed.")
    for each in launch.invoices:
        refusal = _invoice_refusal(books, each)
        if refusal:
            return refusal
    return _sum_refusal(_invoices(books, launch)) or _overlap_refusal(books, launch)


def _sum_refusal(invoices: tuple[Invoice, ...]) -> Refuse | None:
    if len({each.currency for each in invoices}) > 1:
        return _no(Reason.CURRENCIES_DIFFER, "One payment collects one currency; pay these invoices apart.", "invoices")
    if sum(each.due_minor for each in invoices) > MINOR_MAX:
        text = "Together these invoices are more than one payment can hold; pay them apart."
        return _no(Reason.AMOUNT_NOT_CHARGEABLE, text, "invoices")
    return None


def _invoice_refusal(books: Books, wanted: InvoiceId) -> Refuse | None:
    invoice = invoice_of(books, wanted)
    if invoice is None:
        return _no(Reason.NOT_FOUND, f"This customer has no invoice {wanted}.", "invoices")
    if invoice.status is InvoiceStatus.PAID:
        return _no(Reason.NOTHING_DUE, f"Invoice {wanted} is already paid.", "invoices", wanted)
    if invoice.status not in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE):
        return _no(
            Reason.INVOICE_NOT_OPEN,
            f"Invoice {wanted} is {invoice.status}; only an open one is collected.",
            None,
            wanted,
        )
    busy = open_provider_legs(books, wanted)
    if busy:
        text = f"Payment {busy[0].payment} of invoice {wanted} is still {busy[0].status}; wait for it or cancel it."
        return _no(Reason.PAYMENT_IN_PROGRESS, text, None, wanted, busy[0].payment)
    if invoice.collector is not Collector.OURS:
        text = f"The provider collects invoice {wanted} itself; pay it there."
        return _no(Reason.COLLECTED_BY_PROVIDER, text, "invoices", wanted)
    if invoice.void_asked_at:
        return _no(Reason.INVOICE_NOT_OPEN, f"Invoice {wanted} is being taken back.", "invoices", wanted)
    if _remaining(books, invoice) < 0:
        text = f"More credits are reserved for invoice {wanted} than it still owes; cancel its earlier payment first."
        return _no(Reason.PAYMENT_IN_PROGRESS, text, None, wanted)
    return None


def _remaining(books: Books, invoice: Invoice) -> int:
    """Give what an invoice owes beyond the credits that are reserved for it."""
    return invoice.due_minor - reserved_minor(books, invoice.id)


def _overlap_refusal(books: Books, launch: Launch) -> Refuse | None:
    """A failed payment is continued by the same set of invoices only; its reserved credits belong to all of them."""
    for each in launch.invoices:
        for payment in _unfinished(books, each):
            if _collected_by(books, payment) != frozenset(launch.invoices):
                text = f"Payment {payment.id} collects {each} together with others; retry it as a whole or cancel it."
                return _no(Reason.PAYMENT_IN_PROGRESS, text, "invoices", each, payment.id)
    return None


def _no(reason: Reason, sentence: str, param: str | None = None, *about: str) -> Refuse:
    return Refuse(Why(RULE, reason, sentence, about), param)


# --- the parts of the plan ---


class _Plan:
    """Effects gathered so far, and the books as they leave them."""

    def __init__(self, books: Books, payment: Payment, position: int, now: datetime, new_id: NewId) -> None:
        self.books, self.payment, self.position, self.now, self.new_id = books, payment, position, now, new_id
        self.begun_at = position
        self.effects: list[Effect] = []

    def add(self, *effects: Effect) -> None:
        self.extend(effects)

    def extend(self, effects: tuple[Effect, ...]) -> None:
        self.effects.extend(effects)
        self.books = with_changes(self.books, changes_of(effects))
        new = tuple(effect.allocation for effect in effects if isinstance(effect, Allocate))
        self.books = replace(self.books, allocations=(*self.books.allocations, *new))

    def leg(self, kind: LegKind, status: LegStatus, minor: int) -> Leg:
        """Make the next leg of the payment; the caller completes it."""
        self.position += 1
        identity = LegId(self.new_id("leg"))
        payment = self.payment
        return Leg(identity, payment.id, kind, status, minor, payment.currency, self.now, position=self.position)


def _payment(books: Books, launch: Launch, due: int, now: datetime, new_id: NewId) -> tuple[Payment, Payment | None]:
    """Give the payment to continue, as this launch wants it and as it was before, or a new one."""
    confirmation = launch.confirmation if launch.provider_ref is None else Confirmation.HOST
    earlier = next(iter(_unfinished(books, launch.invoices[0])), None)
    if earlier:
        changed = replace(earlier, confirmation=confirmation, method=launch.method, return_url=launch.return_url)
        return changed, earlier
    invoices = _invoices(books, launch)
    payment = Payment(
        id=PaymentId(new_id("payment")),
        customer=books.customer.id,
        account=books.customer.account,
        status=PaymentStatus.PENDING,
        amount_minor=due,
        currency=invoices[0].currency,
        created_at=now,
        confirmation=confirmation,
        method=launch.method,
        return_url=launch.return_url,
    )
    return payment, None


def _sells_credits(books: Books, invoice: Invoice) -> bool:
    """Say whether an invoice bills credits: those are paid with money, never with other credits."""
    return any(each.purchase for each in books.lines if each.invoice == invoice.id)


def _with_own_means(
    plan: _Plan, launch: Launch, invoices: tuple[Invoice, ...], remaining: dict[InvoiceId, int]
) -> dict[InvoiceId, int]:
    """Reserve what the customer has with us already, credits before the balance, and give what is left of each."""
    payable = tuple(each for each in invoices if not _sells_credits(plan.books, each)) if launch.use_credits else ()
    total, due = sum(remaining.values()), sum(remaining[each.id] for each in payable)
    worth = min(due, _worth(plan, due))
    balance = min(total - worth, _balance(plan.books, launch, plan.payment.currency))
    budget = _budget(plan.payment.currency, total, worth + balance)
    if worth:
        remaining = _with_credits(plan, payable, remaining, budget)
    left = sum(remaining.values())
    return _with_balance(plan, invoices, remaining, min(balance, budget - (total - left)))


def _worth(plan: _Plan, due: int) -> int:
    """Give what the wallets can cover of an amount."""
    wallets = credits.paying_wallets(plan.books, plan.payment.currency)
    return sum(each.minor for wallet in wallets for each in credits.cover(plan.books, wallet, due, plan.now))


def _balance(books: Books, launch: Launch, currency: str) -> int:
    """Give what is kept for the customer and may pay."""
    is_used = books.policy.uses_balance if launch.use_balance is None else launch.use_balance
    return max(0, dict(books.balances).get(currency, 0)) if is_used else 0


def _budget(currency: str, total: int, own: int) -> int:
    """Give how much of a total may be paid with what the customer has, so that the provider can be asked for what is
    left: its least charge, in its steps."""
    rest, step = total - own, smallest_step(currency)
    asked = max(smallest_charge(currency).minor, -(-rest // step) * step) if rest else 0
    return max(0, total - asked)


def _with_balance(
    plan: _Plan, invoices: tuple[Invoice, ...], remaining: dict[InvoiceId, int], minor: int
) -> dict[InvoiceId, int]:
    """Reserve a part of what is kept for the customer, and give what is left of each invoice."""
    if minor <= 0:
        return remaining
    leg = plan.leg(LegKind.BALANCE, LegStatus.RESERVED, minor)
    plan.add(Change(None, leg))
    return _allocate(plan, leg, invoices, remaining, minor)


def _with_credits(
    plan: _Plan, invoices: tuple[Invoice, ...], remaining: dict[InvoiceId, int], budget: int
) -> dict[InvoiceId, int]:
    """Reserve what the wallets can cover of these invoices, and give what is left of each."""
    left = {each.id: remaining[each.id] for each in invoices}
    for wallet in credits.paying_wallets(plan.books, plan.payment.currency):
        shares = credits.cover(plan.books, wallet, min(budget, sum(left.values())), plan.now)
        minor = sum(each.minor for each in shares)
        if minor == 0:
            continue
        budget -= minor
        quantity = sum(each.quantity for each in shares)
        leg = replace(plan.leg(LegKind.CREDIT, LegStatus.RESERVED, minor), wallet=wallet.id, quantity=quantity)
        before = {grant.id: grant for grant in plan.books.grants}
        holds, grants = credits.reserve(leg, shares, plan.new_id)
        plan.add(Change(None, leg), *(Change(before[each.id], each) for each in grants))
        plan.add(*(Change(None, hold) for hold in holds))
        left = _allocate(plan, leg, invoices, left, minor)
    return remaining | left


def _allocate(
    plan: _Plan, leg: Leg, invoices: tuple[Invoice, ...], left: dict[InvoiceId, int], minor: int
) -> dict[InvoiceId, int]:
    """Spread a leg over the invoices in the order they were named, and give what is left of each."""
    after = dict(left)
    for invoice in invoices:
        part = min(minor, after[invoice.id])
        if part:
            plan.add(Allocate(Allocation(leg.id, invoice.id, part)))
            after[invoice.id] -= part
            minor -= part
    return after


def _with_provider(
    plan: _Plan, launch: Launch, invoices: tuple[Invoice, ...], remaining: dict[InvoiceId, int]
) -> Refuse | None:
    """Add the provider leg for the remainder, or say why the provider can't be asked."""
    money = Money(sum(remaining.values()), plan.payment.currency)
    if launch.provider_ref is None and not chargeable(money):
        least, step = smallest_charge(money.currency), Money(smallest_step(money.currency), money.currency)
        text = f"The provider can't be asked for {money}; it takes {least} and more, in steps of {step}."
        return _no(Reason.AMOUNT_NOT_CHARGEABLE, text, "invoices")
    method = _method(plan.books, launch)
    if isinstance(method, Refuse):
        return method
    # One collector per invoice: the earlier ones are given up first, and only their end lets this leg begin. A payment
    # that the host application made is there already, so nothing of it can wait.
    waits = launch.provider_ref is None and bool(_earlier_collectors(plan.books, plan.payment))
    leg = replace(
        plan.leg(LegKind.PROVIDER, LegStatus.WAITING if waits else LegStatus.PROCESSING, money.minor),
        account=plan.payment.account,
        method=method.id if method else None,
        provider_ref=launch.provider_ref,
        claim=ClaimStatus.UNCHECKED if launch.provider_ref else None,
    )
    plan.add(Change(None, leg))
    _allocate(plan, leg, invoices, remaining, money.minor)
    _give_up_earlier(plan)
    if launch.provider_ref:
        kind = kind_of_ref(launch.provider_ref)
        plan.add(Observe(plan.payment.account, kind, launch.provider_ref, plan.now, "claimed"))
    elif not waits:
        plan.add(legs.create_intent(plan.books, plan.payment, leg, plan.now, plan.new_id))
    return None


def _method(books: Books, launch: Launch) -> Method | Refuse | None:
    """Choose the method: the named one, else the default, else the oldest saved. A browser brings its own."""
    if launch.confirmation is not Confirmation.SERVER or launch.provider_ref:
        return None
    if launch.method is None:
        chosen = default_method(books)
        text = "This customer has no saved payment method; add one, or let the customer confirm in the browser."
        return chosen or _no(Reason.NO_PAYMENT_METHOD, text, "payment_method")
    named = next((each for each in books.methods if each.id == launch.method), None)
    if named is None:
        return _no(Reason.NOT_FOUND, f"This customer has no payment method {launch.method}.", "payment_method")
    if not named.attached:
        return _no(
            Reason.METHOD_NOT_USABLE, f"Payment method {named.id} was detached; choose another.", "payment_method"
        )
    return named


def _earlier_collectors(books: Books, payment: Payment) -> tuple[Leg, ...]:
    """Give the refused legs whose object at the provider could still be confirmed."""
    refused = (leg for leg in legs_of(books, payment.id) if leg.status is LegStatus.REFUSED)
    return tuple(leg for leg in refused if leg.provider_ref or leg.session_ref)


def _give_up_earlier(plan: _Plan, until_gone: LegStatus = LegStatus.REFUSED) -> None:
    """Have the provider cancel the earlier collectors; `until_gone` is how they stand until it has."""
    for leg in _earlier_collectors(plan.books, plan.payment):
        plan.extend(legs.give_up(plan.books, leg, plan.now, plan.new_id))
        if leg.status is not until_gone:
            plan.add(Change(leg, replace(leg, status=until_gone)))


def _launched(plan: _Plan, invoices: tuple[Invoice, ...], reason: Reason) -> Act:
    payment = next(each for each in plan.books.payments if each.id == plan.payment.id)
    if payment.status is not PaymentStatus.SUCCEEDED:
        plan.extend(legs.restate(plan.books, payment.id, plan.now, plan.new_id))
    parts = [leg for leg in legs_of(plan.books, payment.id) if _collects(leg, plan.begun_at)]
    names = ", ".join(invoice.number or invoice.id for invoice in invoices)
    return Act(
        Why(
            RULE,
            reason,
            _sentence(parts, names, payment.currency, reason),
            (payment.id, *(invoice.id for invoice in invoices)),
            {
                "due_minor": sum(invoice.due_minor for invoice in invoices),
                **{f"{name}_minor": _sum_of(parts, kind) for name, kind in PARTS.items()},
                "draw_order": credits.DRAW_ORDER,
            },
        ),
        tuple(plan.effects),
    )


def _collects(leg: Leg, begun_at: int) -> bool:
    """Say whether a leg is a part of what this launch collects: what is reserved, or the provider leg it made."""
    if leg.kind is not LegKind.PROVIDER:
        return leg.status in (LegStatus.RESERVED, LegStatus.SETTLED)
    return leg.position > begun_at


PARTS: Final = {"credits": LegKind.CREDIT, "balance": LegKind.BALANCE, "provider": LegKind.PROVIDER}


def _sum_of(parts: list[Leg], kind: LegKind) -> int:
    return sum(leg.amount_minor for leg in parts if leg.kind is kind)


def _sentence(parts: list[Leg], names: str, currency: str, reason: Reason) -> str:
    by_credit, by_balance, by_provider = (Money(_sum_of(parts, kind), currency) for kind in PARTS.values())
    if reason is Reason.PAYMENT_CLAIMED:
        return f"The provider's payment was claimed for {names}; {by_provider} is expected of it."
    if by_balance.minor:
        return _with_balance_in_words(by_credit, by_balance, by_provider, names, reason)
    if reason is Reason.PAID_BY_CREDITS:
        return f"Credits pay all of {names}: {by_credit}. The provider is not asked."
    if not by_provider.minor:
        return f"Credits reserve all of {names}: {by_credit}. They pay once the try before can no longer collect."
    if by_credit.minor:
        return f"Credits reserve {by_credit} of {names}; the provider is asked for the remaining {by_provider}."
    return f"The provider is asked for {by_provider}, what {names} has left to pay."


def _with_balance_in_words(by_credit: Money, by_balance: Money, rest: Money, names: str, reason: Reason) -> str:
    own = f"{by_credit} by credits and {by_balance}" if by_credit.minor else f"{by_balance}"
    if reason is Reason.PAID_BY_BALANCE:
        return f"{own} by the customer's balance pay all of {names}. The provider is not asked."
    if rest.minor:
        return f"{own} by the customer's balance are reserved for {names}; the provider is asked for {rest}."
    return f"{own} by the customer's balance are reserved for {names}; they pay once the try before has ended."


def kind_of_ref(ref: ProviderRef) -> str:
    """Say what kind of provider object may be claimed by this reference."""
    return "checkout.session" if ref.startswith("cs_") else "payment_intent"


def _invoices(books: Books, launch: Launch) -> tuple[Invoice, ...]:
    found = (invoice_of(books, each) for each in launch.invoices)
    return tuple(each for each in found if each)


def _unfinished(books: Books, invoice: InvoiceId) -> tuple[Payment, ...]:
    done = (PaymentStatus.SUCCEEDED, PaymentStatus.CANCELED)
    return tuple(each for each in payments_for(books, invoice) if each.status not in done)


def _collected_by(books: Books, payment: Payment) -> frozenset[InvoiceId]:
    return frozenset(each.invoice for leg in legs_of(books, payment.id) for each in allocations_of(books, leg.id))
