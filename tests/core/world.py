"""Books in memory that believe nothing: every effect of a decision is applied under the rules that Postgres enforces.

Whatever a rule says is checked against the lifecycles, the journal's rules and the sums, so a test only has to make
things happen. The provider is a value too: a few payments and their states.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from core.factories import ACCOUNT, CUSTOMER_REF, NOW, Counting, customer, method
from counterfoil.core.books import Books, Case, Hold, Invoice, Leg, LegKind, Line, with_changes
from counterfoil.core.effects import (
    Allocate,
    Change,
    Decision,
    Defer,
    Instruct,
    Notify,
    Observe,
    Post,
    Timer,
    effects_of,
)
from counterfoil.core.facts import (
    ChargeFee,
    Done,
    IntentFact,
    IntentStatus,
    Outcome,
    Refusal,
    Refused,
    Unfinished,
    Unknown,
)
from counterfoil.core.ids import GrantId, ProviderRef
from counterfoil.core.invariants import INVARIANTS, Breach
from counterfoil.core.journal import USED, Entry, Posting, lot, read_account
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, OrderStatus, may_move
from counterfoil.core.money import Money
from counterfoil.core.orders import CancelIntent, ConfirmIntent, CreateIntent, Order
from counterfoil.core.replies import decide_reply
from counterfoil.core.settlement import decide_intent, leg_for
from counterfoil.core.status import standing
from counterfoil.core.strangers import Held, decide_stranger

MACHINE_OF = {
    "Invoice": "invoice",
    "Payment": "payment",
    "Leg": "leg",
    "Order": "provider_order",
    "Wallet": "wallet",
    "Hold": "hold",
    "Case": "review_case",
    "Purchase": "purchase",
    "AutoTopup": "auto_topup",
    "SalesOrder": "sales_order",
    "PendingLine": "pending_line",
}
Rule = Callable[[Books], Decision]


@dataclass(slots=True)
class World:
    """One customer's books, the provider's payments, and everything that was told to the outside."""

    books: Books = field(default_factory=lambda: Books(customer(), (method(),)))
    now: datetime = NOW
    new_id: Counting = field(default_factory=Counting)
    journal: dict[str, Entry] = field(default_factory=dict)
    cases: dict[tuple[str, str], Case] = field(default_factory=dict)
    told: dict[str, Notify] = field(default_factory=dict)
    timers: set[tuple[str, str]] = field(default_factory=set)
    alarms: list[Timer] = field(default_factory=list)
    intents: dict[ProviderRef, IntentFact] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)

    # --- deciding ---

    def decide(self, rule: Rule) -> Decision:
        """Decide by the books as they are, and apply what was decided."""
        decision = rule(self._read())
        assert decision.why.sentence, "a decision says why"
        for effect in effects_of(decision):
            self._apply(effect)
        self.decisions.append(decision)
        return decision

    def _read(self) -> Books:
        """The books as the store would load them: what is in suspense, asked and booked is read from the journal."""
        held = {ref: self.balance(f"suspense:{ref}") for ref in self.intents}
        return replace(
            self.books,
            suspense=tuple((ref, minor) for ref, minor in sorted(held.items()) if minor),
            questions=frozenset(self.cases),
            charged=frozenset(ProviderRef(key.partition(":")[2]) for key in self.journal if key.startswith("fee:")),
        )

    def _apply(self, effect: Any) -> None:
        match effect:
            case Post(entry):
                self._post(entry)
            case Change(before, after):
                self._change(before, after)
            case Allocate(allocation):
                assert allocation.minor > 0
                assert any(leg.id == allocation.leg for leg in self.books.legs)
                self.books = replace(self.books, allocations=(*self.books.allocations, allocation))
            case Instruct(order):
                self._instruct(order)
            case Notify(key=key):
                self.told.setdefault(key, effect)
            case Timer(kind=kind, subject=subject):
                self.timers.add((kind, subject))
                self.alarms.append(effect)
            case Observe():
                pass

    def _post(self, entry: Entry) -> None:
        assert entry.key not in self.journal, f"{entry.key} was posted twice"
        assert entry.postings, f"{entry.key} is empty"
        self.journal[entry.key] = entry

    def draw(self, grant: str, quantity: int, *, change: bool = False) -> None:
        """A spend of one lot, as the spend door journals it; with `change` the lot is drawn as well."""
        if quantity:
            key = f"spend:{len(self.journal)}"
            self._post(Entry(key, key, self.now, (Posting(lot(GrantId(grant)), USED, "usd-credit", quantity),)))
        if change:
            held = next(each for each in self.books.grants if each.id == grant)
            self._change(held, replace(held, remaining=held.remaining - quantity))

    def spend(self, draws: list[tuple[str, int]]) -> Entry:
        """A spend as the door journals it, taken out of the lots that it draws."""
        postings = tuple(Posting(read_account(account), USED, "usd-credit", amount) for account, amount in draws)
        entry = Entry(f"spend:{len(self.journal)}", "spend", self.now, postings)
        self._post(entry)
        for account, amount in draws:
            held = next((each for each in self.books.grants if account == f"grant:{each.id}"), None)
            if held:
                self._change(held, replace(held, remaining=held.remaining - amount))
        return entry

    def _change(self, before: Any, after: Any) -> None:
        if isinstance(after, Case):
            assert (after.question, after.subject) not in self.cases, "the same question twice"
            self.cases[after.question, after.subject] = after
            return
        held = self._held(after)
        assert held == before, f"{type(after).__name__} was not as the rule saw it"
        machine = MACHINE_OF.get(type(after).__name__)
        if before and machine:
            assert may_move(machine, before.status, after.status), f"{machine} {before.status} -> {after.status}"
        if before and isinstance(after, Order) and after.status is OrderStatus.QUEUED:
            assert before.status is OrderStatus.SENT
        self.books = with_changes(self.books, (after,))

    def _held(self, subject: Any) -> Any:
        if type(subject).__name__ == "Customer":
            return self.books.customer
        shelves = (getattr(self.books, each) for each in self.books.__slots__)
        values = (each for shelf in shelves if isinstance(shelf, tuple) for each in shelf)
        return next((each for each in values if type(each) is type(subject) and each.id == subject.id), None)

    def _instruct(self, order: Order) -> None:
        same = [each for each in self.books.orders if each.subject == order.subject]
        verbs = {type(each.instruction) for each in same} - {CancelIntent}
        assert type(order.instruction) not in verbs, "an order was given twice"
        self.books = with_changes(self.books, (order,))

    # --- the provider ---

    def send(self, order: Order, way: str, result: str = "succeeded") -> None:
        """Send an order. `way` is what becomes of the call: done, lost_before, lost_after, busy."""
        sent = replace(order, status=OrderStatus.SENT, sent_at=order.sent_at or self.now, why=None)
        self._change(order, sent)
        if way == "lost_before":
            outcome: Outcome = Unknown("no_reply")
        elif way == "busy":
            outcome = Unfinished("rate_limited")
        else:
            outcome = self._act(sent, result)
            outcome = Unknown("no_reply") if way == "lost_after" else outcome
        current = next(each for each in self.books.orders if each.id == order.id)
        self.decide(lambda books: decide_reply(books, current, outcome, self.now, self.new_id))

    def send_all(self, result: str = "succeeded") -> None:
        """Send every order that is open, unless what came before has closed it."""
        for identity in [each.id for each in self.books.orders if each.open]:
            current = next(each for each in self.books.orders if each.id == identity)
            if current.open:
                self.send(current, "done", result)

    def _act(self, order: Order, result: str) -> Outcome:
        match order.instruction:
            case CreateIntent(leg=leg, amount=amount, method=named):
                ref = ProviderRef(f"pi_{leg[-6:]}")
                status = IntentStatus.NEEDS_CONFIRMATION if named else IntentStatus.NEEDS_METHOD
                fact = IntentFact(
                    ref, status, amount, Money(0, amount.currency), CUSTOMER_REF, metadata={"counterfoil_leg": leg}
                )
                self.intents.setdefault(ref, fact)
                return Done(self.intents[ref])
            case ConfirmIntent(ref=ref):
                return self._confirm(ref, result)
            case CancelIntent(ref=ref):
                return self._cancel(ref)
            case _:
                raise AssertionError(order)

    def _confirm(self, ref: ProviderRef, result: str) -> Outcome:
        held = self.intents[ref]
        if held.status not in (IntentStatus.NEEDS_CONFIRMATION, IntentStatus.NEEDS_METHOD):
            return Refused(Refusal("payment_intent_unexpected_state"), held)
        self.intents[ref] = moved(held, result)
        refusal = self.intents[ref].refusal
        return Refused(refusal, self.intents[ref]) if result == "declined" and refusal else Done(self.intents[ref])

    def _cancel(self, ref: ProviderRef) -> Outcome:
        held = self.intents[ref]
        if held.status in (IntentStatus.SUCCEEDED, IntentStatus.CANCELED, IntentStatus.PROCESSING):
            return Refused(Refusal("payment_intent_unexpected_state"), held)
        self.intents[ref] = replace(held, status=IntentStatus.CANCELED)
        return Done(self.intents[ref])

    def answer(self, ref: ProviderRef, result: str) -> None:
        """The customer, or time, decides a payment that waits."""
        held = self.intents[ref]
        waiting = (IntentStatus.NEEDS_ACTION, IntentStatus.PROCESSING)
        by_browser = held.status is IntentStatus.NEEDS_METHOD
        if held.status in waiting or by_browser:
            self.intents[ref] = moved(held, result)

    def hear(self, ref: ProviderRef) -> None:
        """News of a payment: its current state is decided, whoever's it is."""
        fact = self.intents[ref]
        if leg_for(self.books, fact) is None:
            known = Held(self.balance(f"suspense:{ref}") > 0, f"fee:{ref.replace('pi_', 'txn_')}" in self.journal)
            later = self.now + timedelta(minutes=2)
            decision = self.decide(lambda _: decide_stranger(ACCOUNT, fact, known, self.now, later, self.new_id))
            assert not isinstance(decision, Defer)
            return
        self.decide(lambda books: decide_intent(books, fact, self.now, self.new_id))

    def settle_down(self) -> None:
        """Faults are over: every order is sent and answered, every payment heard of, until nothing changes."""
        for _ in range(50):
            before = (self.books, len(self.journal))
            self.send_all()
            for ref in list(self.intents):
                self.hear(ref)
            if (self.books, len(self.journal)) == before:
                return
        raise AssertionError("the world does not come to rest")

    # --- what must hold ---

    def balance(self, account: str, unit: str | None = None) -> int:
        """Credits less debits of an account."""
        postings = [each for entry in self.journal.values() for each in entry.postings if unit in (None, each.unit)]
        credited = sum(each.amount for each in postings if str(each.credit) == account)
        return credited - sum(each.amount for each in postings if str(each.debit) == account)

    def breaches(self) -> list[Breach]:
        """Check the named invariants, and those that need the whole picture."""
        found = [breach for identity, rows in self._rows().items() for breach in INVARIANTS[identity].breaches(rows)]
        return [*found, *(Breach("I8", each, "two collectors") for each in self._twice_collected())]

    def _twice_collected(self) -> Iterator[str]:
        capturing = {
            leg.id
            for leg in self.books.legs
            if leg.kind is LegKind.PROVIDER and leg.status in (LegStatus.PROCESSING, LegStatus.REQUIRES_ACTION)
        }
        for invoice in self.books.invoices:
            if sum(each.invoice == invoice.id and each.leg in capturing for each in self.books.allocations) > 1:
                yield invoice.id

    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "I1": [row for entry in self.journal.values() for row in posting_rows(entry)],
            "I4": self._balance_rows(),
            "I5": [self._lot_row(each) for each in self.books.grants],
            "I33": [self._lot_row(each) for each in self.books.grants],
            "I7": [self._leg_row(leg) for leg in self.books.legs if leg.kind is LegKind.PROVIDER],
            "I10": [*self._payment_rows(), *self._invoice_rows()],
            "I13": [self._paid_row(each) for each in self.books.invoices],
        }

    def _balance_rows(self) -> list[dict[str, Any]]:
        owed = sum(
            each.total_minor - each.paid_minor
            for each in self.books.invoices
            if each.status in (InvoiceStatus.OPEN, InvoiceStatus.PAID)
        )
        receivable = f"receivable:{self.books.customer.id}"
        deferred = sum(each.cost_minor - each.released_minor for each in self.books.grants)
        billed = {
            each.id for each in self.books.invoices if each.status not in (InvoiceStatus.DRAFT, InvoiceStatus.VOID)
        }
        deferred += sum(each.net_minor for each in self.books.purchases if each.invoice in billed and not each.grant)
        rows = [
            {"account": receivable, "unit": "", "stored": owed, "posted": -self.balance(receivable)},
            {"account": "deferred_revenue", "unit": "", "stored": deferred, "posted": self.balance("deferred_revenue")},
        ]
        return rows + [
            {"account": each.id, "unit": "", "stored": each.remaining, "posted": self.balance(f"grant:{each.id}")}
            for each in self.books.grants
        ]

    def _lot_row(self, grant: Any) -> dict[str, Any]:
        returned = {leg.id for leg in self.books.legs if leg.status is LegStatus.RETURNED}
        own = [each for each in self.books.holds if each.grant == grant.id and each.leg not in returned]

        def total(status: str, of: Callable[[Hold], int]) -> int:
            return sum(of(each) for each in own if each.status == status)

        return {
            "lot": grant.id,
            "amount": grant.amount,
            "remaining": grant.remaining,
            "held": grant.held,
            "gone": grant.gone,
            "cost_minor": grant.cost_minor,
            "released_minor": grant.released_minor,
            "drawn": total("settled", lambda each: each.quantity) + self._drawn(f"grant:{grant.id}"),
            "reserved": total("open", lambda each: each.quantity),
            "recognised": total("settled", lambda each: each.released_minor) + self._moved(grant.id, {"revenue"}),
            "forgone": self._moved(grant.id, {"breakage", "refund_due", "disputed"}),
        }

    def _drawn(self, lot: str) -> int:
        """What use took out of a lot that no leg did, less what came back."""
        entries = [each for key, each in self.journal.items() if not key.startswith("leg:")]
        postings = [each for entry in entries for each in entry.postings]
        out = sum(each.amount for each in postings if str(each.debit) == lot and each.credit.kind in ("used", "debt"))
        back = (each for each in postings if str(each.credit) == lot and each.debit.kind in ("used", "debt"))
        return out - sum(each.amount for each in back)

    def _moved(self, grant: str, to: set[str]) -> int:
        """What a lot's own entries moved of its price from what is owed as service."""
        own = [each for entry in self.journal.values() if entry.subject == grant for each in entry.postings]
        there = sum(each.amount for each in own if str(each.debit) == "deferred_revenue" and str(each.credit) in to)
        return there - sum(
            each.amount for each in own if str(each.credit) == "deferred_revenue" and str(each.debit) in to
        )

    def _leg_row(self, leg: Leg) -> dict[str, Any]:
        entry = self.journal.get(f"leg:{leg.id}:settled")
        posted = sum(each.amount for each in entry.postings) if entry else 0
        return {
            "subject": leg.id,
            "status": leg.status,
            "charge": leg.charge_ref,
            "received": leg.received_minor,
            "posted": posted,
        }

    def _payment_rows(self) -> Iterator[dict[str, Any]]:
        for payment in self.books.payments:
            own = [leg for leg in self.books.legs if leg.payment == payment.id]
            settled = sum(leg.amount_minor for leg in own if leg.status is LegStatus.SETTLED)
            statuses = {standing(leg) for leg in own}
            yield {
                "subject": payment.id,
                "stored": payment.status,
                "statuses": statuses,
                "amount": payment.amount_minor,
                "settled": settled,
                "invoice_status": None,
            }

    def _invoice_rows(self) -> Iterator[dict[str, Any]]:
        for invoice in self.books.invoices:
            paying = {each.leg for each in self.books.allocations if each.invoice == invoice.id}
            statuses = {standing(leg) for leg in self.books.legs if leg.id in paying}
            row = {"subject": invoice.id, "stored": invoice.payment_status, "statuses": statuses}
            yield {**row, "amount": invoice.total_minor, "settled": 0, "invoice_status": invoice.status}

    def _paid_row(self, invoice: Invoice) -> dict[str, Any]:
        lines = [each for each in self.books.lines if each.invoice == invoice.id]
        return {
            "invoice": invoice.id,
            "status": invoice.status,
            "payment_status": invoice.payment_status,
            "total": invoice.total_minor,
            "paid": invoice.paid_minor,
            "paid_at": invoice.paid_at,
            "paid_with": invoice.paid_with,
            "lines": sum(line_total(each) for each in lines),
        }


def line_total(line: Line) -> int:
    return line.net_minor + line.tax_minor


def posting_rows(entry: Entry) -> Iterator[dict[str, Any]]:
    for n, each in enumerate(entry.postings, start=1):
        assert read_account(str(each.debit)) == each.debit
        yield {
            "tenant": "tnt",
            "entry": entry.key,
            "n": n,
            "of_n": len(entry.postings),
            "debit": str(each.debit),
            "credit": str(each.credit),
            "unit": each.unit,
            "amount": each.amount,
            "recorded_at": entry.occurred_at,
        }


def moved(fact: IntentFact, result: str) -> IntentFact:
    """The payment after it was tried, or after what it waited for."""
    match result:
        case "succeeded":
            ref = ProviderRef(fact.ref.replace("pi_", "ch_"))
            kept = ChargeFee(ProviderRef(fact.ref.replace("pi_", "txn_")), Money(30, fact.amount.currency))
            return replace(
                fact, status=IntentStatus.SUCCEEDED, received=fact.amount, charge_ref=ref, charge_fee=kept, refusal=None
            )
        case "declined":
            return replace(fact, status=IntentStatus.NEEDS_METHOD, refusal=Refusal("card_declined", "generic_decline"))
        case "needs_action":
            return replace(fact, status=IntentStatus.NEEDS_ACTION, refusal=None)
        case "processing":
            return replace(fact, status=IntentStatus.PROCESSING, refusal=None)
        case _:
            raise AssertionError(result)
