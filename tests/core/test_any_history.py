"""After any history of commands, calls, faults and news the books add up, and when the faults end they are at rest."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.factories import ACCOUNT, CUSTOMER, CUSTOMER_REF, ONE
from core.world import World
from counterfoil.core import invoicing, launch, wallets
from counterfoil.core.books import Confirmation, GrantSource, Invoice, Leg, LegKind, LineKind
from counterfoil.core.facts import IntentFact, IntentStatus
from counterfoil.core.ids import InvoiceId, PaymentId, ProviderRef
from counterfoil.core.launch import Launch
from counterfoil.core.lifecycle import InvoiceStatus, LegStatus, PaymentStatus
from counterfoil.core.money import USD_CREDIT, Money

PICK = st.integers(0, 7)
RESULTS = st.sampled_from(["succeeded", "declined", "needs_action", "processing"])
CHANCE = st.sampled_from([1, 1, 1, 0])
"""Rare things happen on 0, so that a history gets somewhere between them."""
WAYS = st.sampled_from(["done", "done", "lost_before", "lost_after", "busy"])


class AnyHistory(RuleBasedStateMachine):
    """Everything that callers, customers, the provider and the network can do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.numbers = iter(range(1, 1_000))

    @initialize(
        lots=st.lists(st.tuples(st.integers(1, 60), st.integers(0, 2_000)), max_size=3), minor=st.integers(1, 9_000)
    )
    def begin(self, lots: list[tuple[int, int]], minor: int) -> None:
        world = self.world
        world.decide(lambda books: wallets.decide_open_wallet(books, USD_CREDIT, world.now, world.new_id))
        wallet = world.books.wallets[0].id
        for whole, cost in lots:
            source = GrantSource.PURCHASE if cost else GrantSource.PROMOTIONAL
            issue = wallets.Issue(wallet, source, whole * ONE + 1, cost, None, world.now)
            self.grant(issue)
        self.bill(minor)

    def grant(self, issue: wallets.Issue) -> None:
        self.world.decide(lambda books: wallets.decide_grant(books, issue, self.world.now, self.world.new_id))

    @rule(minor=st.integers(1, 9_000))
    @precondition(lambda self: len(self.world.books.invoices) < 3)
    def bill(self, minor: int) -> None:
        world, identity = self.world, InvoiceId(self.world.new_id("invoice"))
        draft = Invoice(identity, CUSTOMER, ACCOUNT, "USD", InvoiceStatus.DRAFT, PaymentStatus.PENDING, world.now)
        lines = (invoicing.NewLine(LineKind.GOODS, "Seats", minor, 7), invoicing.NewLine(LineKind.FEE, "Fee", 1))
        world.decide(lambda books: invoicing.decide_draft(books, draft, lines, world.new_id))
        number = f"INV-{next(self.numbers)}"
        world.decide(lambda books: invoicing.decide_finalize(books, identity, number, world.now))

    @rule(first=PICK, second=PICK, use_credits=st.booleans(), confirmation=st.sampled_from(["server", "client"]))
    def launch(self, first: int, second: int, use_credits: bool, confirmation: str) -> None:
        chosen = tuple(dict.fromkeys((self._invoice(first), self._invoice(second))))
        self._launch(Launch(chosen, use_credits=use_credits, confirmation=Confirmation(confirmation)))

    @rule(which=PICK, use_credits=st.booleans())
    def launch_one(self, which: int, use_credits: bool) -> None:
        self._launch(Launch((self._invoice(which),), use_credits=use_credits))

    @rule(which=PICK, minor=st.integers(1, 12_000), result=RESULTS)
    def host_pays_and_claims(self, which: int, minor: int, result: str) -> None:
        """The host application made a payment of its own, for whatever amount, and claims it for an invoice."""
        ref = ProviderRef(f"pi_host{next(self.numbers)}")
        made = IntentFact(ref, IntentStatus.NEEDS_METHOD, Money(minor, "USD"), Money(0, "USD"), CUSTOMER_REF)
        self.world.intents[ref] = made
        if minor % 2:
            self.world.answer(ref, result)
            self.world.hear(ref)
        self._launch(Launch((self._invoice(which),), provider_ref=ref))

    def _launch(self, wanted: Launch) -> None:
        world = self.world
        world.decide(lambda books: launch.decide_launch(books, wanted, world.now, world.new_id))

    @rule(which=PICK, way=WAYS, result=RESULTS)
    @precondition(lambda self: any(each.open for each in self.world.books.orders))
    def dispatch(self, which: int, way: str, result: str) -> None:
        orders = [each for each in self.world.books.orders if each.open]
        self.world.send(orders[which % len(orders)], way, result)

    @rule(result=RESULTS)
    @precondition(lambda self: any(each.open for each in self.world.books.orders))
    def carry_on(self, result: str) -> None:
        self.world.send_all(result)

    @rule(which=PICK, result=RESULTS)
    @precondition(lambda self: self.world.intents)
    def customer_answers(self, which: int, result: str) -> None:
        self.world.answer(self._intent(which), result)

    @rule(which=PICK)
    @precondition(lambda self: self.world.intents)
    def hear(self, which: int) -> None:
        self.world.hear(self._intent(which))

    @rule(which=PICK, chance=CHANCE)
    @precondition(lambda self: self.world.intents)
    def canceled_on_the_dashboard(self, which: int, chance: int) -> None:
        if chance:
            return
        self.world._cancel(self._intent(which))

    @rule(which=PICK, chance=CHANCE)
    @precondition(lambda self: self.world.books.payments)
    def cancel(self, which: int, chance: int) -> None:
        if chance:
            return
        world, payment = self.world, self._payment(which)
        world.decide(lambda books: invoicing.decide_cancel(books, payment, world.now, world.new_id))

    @rule(which=PICK, chance=CHANCE)
    @precondition(lambda self: self.world.books.payments)
    def release(self, which: int, chance: int) -> None:
        if chance:
            return
        self.world.decide(
            lambda books: invoicing.decide_release(books, self._payment(which), self.world.now, self.world.new_id)
        )

    @rule(which=PICK, chance=CHANCE)
    def void(self, which: int, chance: int) -> None:
        if chance:
            return
        world, wanted = self.world, self._invoice(which)
        world.decide(lambda books: invoicing.decide_void(books, wanted, world.now, world.new_id))

    @invariant()
    def the_books_add_up(self) -> None:
        assert self.world.breaches() == []

    def teardown(self) -> None:
        self.world.settle_down()
        assert self.world.breaches() == []
        self._nothing_is_left_over()

    def _nothing_is_left_over(self) -> None:
        world = self.world
        collected = sum(each.received.minor for each in world.intents.values())
        fees = -world.balance("provider_fees")
        assert -world.balance(f"clearing:{ACCOUNT}") == collected - fees
        assert [each for each in world.books.orders if each.open] == []
        resting = (LegStatus.SETTLED, LegStatus.REFUSED, LegStatus.CANCELED, LegStatus.REQUIRES_ACTION)
        busy = [leg for leg in world.books.legs if leg.kind is LegKind.PROVIDER and leg.status not in resting]
        assert [leg for leg in busy if not self._is_undecided(leg)] == []

    def _is_undecided(self, leg: Leg) -> bool:
        """A payment that the customer or the bank has not decided yet may stay open for ever, and who waits for it."""
        if leg.status is LegStatus.WAITING:
            others = (each for each in self.world.books.legs if each.payment == leg.payment and each.provider_ref)
            return any(self._is_undecided(each) for each in others)
        held = self.world.intents.get(leg.provider_ref) if leg.provider_ref else None
        undecided = (IntentStatus.PROCESSING, IntentStatus.NEEDS_ACTION, IntentStatus.NEEDS_METHOD)
        return held is not None and held.status in undecided

    def _invoice(self, which: int) -> InvoiceId:
        return self.world.books.invoices[which % len(self.world.books.invoices)].id

    def _payment(self, which: int) -> PaymentId:
        return self.world.books.payments[which % len(self.world.books.payments)].id

    def _intent(self, which: int) -> ProviderRef:
        return list(self.world.intents)[which % len(self.world.intents)]


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
