"""After any history of uses, refusals, lost calls, clocks and changes of mind an auto top-up has bought within what was
agreed to, one attempt at a time, and either goes on at a time that is set or has said that it stopped."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.factories import ONE, method, wallet
from core.test_auto_topup import TEN, Topped
from counterfoil.core import invoicing, wallets, watching
from counterfoil.core.agreed import NoPrice, Trigger, month_of
from counterfoil.core.attempts import spent
from counterfoil.core.books import GrantSource
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import Refuse, Timer
from counterfoil.core.ids import ProviderRef
from counterfoil.core.lifecycle import AutoTopupStatus, PaymentStatus, PurchaseStatus
from counterfoil.core.watching import WATCH_TIMER

PICK = st.integers(0, 7)
RESULTS = st.sampled_from(["succeeded", "declined", "declined", "needs_action", "processing"])
WAYS = st.sampled_from(["done", "done", "lost_before", "lost_after", "busy"])
ATTEMPT_MAX, MONTH_MAX = 2000, 6500
AGREED: dict[Trigger, dict[str, Any]] = {
    Trigger.THRESHOLD: {},
    Trigger.TARGET: {"target": 20 * ONE},
    Trigger.INTERVAL: {"below": None, "every_s": 36_000},
}
MAY_BE_CHARGED = (PurchaseStatus.SCHEDULED, PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED, PurchaseStatus.FAILED)


class AnyTopUp(RuleBasedStateMachine):
    """Everything that can happen to a wallet that fills itself."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Topped(whole=0)
        self.rung: set[tuple[str, datetime, str]] = set()

    @initialize(trigger=st.sampled_from(Trigger))
    def begin(self, trigger: Trigger) -> None:
        self.agree(trigger)

    @rule(trigger=st.sampled_from(Trigger))
    def agree(self, trigger: Trigger) -> None:
        changes: dict[str, Any] = {"trigger": trigger, "attempt_max_minor": ATTEMPT_MAX, "month_max_minor": MONTH_MAX}
        decision = self.world.agree(**changes, **AGREED[trigger])
        assert not isinstance(decision, Refuse) or not self._has_method() or isinstance(self.world.price, NoPrice)

    @rule(chance=PICK)
    def change_of_mind(self, chance: int) -> None:
        if chance == 0:
            self.world.off()

    @rule(whole=st.integers(1, 30))
    def given(self, whole: int) -> None:
        world = self.world
        issue = wallets.Issue(wallet().id, GrantSource.ADJUSTMENT, whole * ONE, 0, None, world.now)
        world.decide(lambda books: wallets.decide_grant(books, issue, world.now, world.new_id))

    @rule(which=PICK)
    @precondition(lambda self: self.world.books.grants)
    def used_up(self, which: int) -> None:
        world = self.world
        lot = world.books.grants[which % len(world.books.grants)].id
        world.decide(lambda books: wallets.decide_void_grant(books, lot, world.now))

    @rule(attached=st.booleans())
    def method_comes_and_goes(self, attached: bool) -> None:
        self.world.books = replace(self.world.books, methods=(method(attached=attached, is_default=attached),))

    @rule(on_sale=st.booleans())
    def pack_comes_and_goes(self, on_sale: bool) -> None:
        self.world.price = TEN if on_sale else NoPrice("invalid_option", "It is not on sale.")

    @rule()
    def triggered(self) -> None:
        self.world.look()

    @rule(hours=st.sampled_from([1, 2, 12, 24, 24 * 9, 24 * 40]))
    def time_passes(self, hours: int) -> None:
        """Timers ring at their time, one after the other; each of them may be the last that is heard of."""
        until = self.world.now + timedelta(hours=hours)
        while due := [each for each in self._alarms() if each.due_at <= until]:
            alarm = min(due, key=lambda each: each.due_at)
            self.rung.add((alarm.subject, alarm.due_at, alarm.nth))
            self.world.now = max(self.world.now, alarm.due_at)
            self.world.look()
        self.world.now = until

    @rule(which=PICK, way=WAYS, result=RESULTS)
    @precondition(lambda self: any(each.open for each in self.world.books.orders))
    def dispatch(self, which: int, way: str, result: str) -> None:
        orders = [each for each in self.world.books.orders if each.open]
        self.world.send(orders[which % len(orders)], way, result)

    @rule(result=RESULTS)
    def pay(self, result: str) -> None:
        self.world.pay(result)

    @rule(which=PICK, result=RESULTS)
    @precondition(lambda self: self.world.intents)
    def customer_answers(self, which: int, result: str) -> None:
        self.world.answer(self._intent(which), result)

    @rule(which=PICK)
    @precondition(lambda self: self.world.intents)
    def hear(self, which: int) -> None:
        self.world.hear(self._intent(which))

    @rule(which=PICK)
    @precondition(lambda self: self.world.books.payments)
    def canceled_by_a_person(self, which: int) -> None:
        world = self.world
        payment = world.books.payments[which % len(world.books.payments)].id
        world.decide(lambda books: invoicing.decide_cancel(books, payment, world.now, world.new_id))

    @invariant()
    def one_attempt_at_a_time(self) -> None:
        world = self.world
        under_way = [each.id for each in world.books.purchases if each.status in MAY_BE_CHARGED]
        assert len(under_way) <= 1
        assert not under_way or under_way == [world.policy.attempt]

    @invariant()
    def within_what_was_agreed(self) -> None:
        world = self.world
        assert all(each.amount.minor <= ATTEMPT_MAX for each in world.intents.values())
        assert spent(world.books.purchases, world.policy, world.now) <= MONTH_MAX
        months: dict[datetime, int] = defaultdict(int)
        for each in world.books.purchases:
            months[month_of(each.created_at)] += self._received(each)
        assert max(months.values(), default=0) <= MONTH_MAX

    @invariant()
    def the_books_add_up(self) -> None:
        assert self.world.breaches() == []

    def teardown(self) -> None:
        """Calls are answered, news is heard, timers ring: then nothing is due that nobody will come back to."""
        for _ in range(20):
            self.world.settle_down()
            self.time_passes(0)
        world = self.world
        if world.policy.attempt:
            self._attempt_goes_on()
        world.look()
        policy = world.policy
        if policy.status is AutoTopupStatus.SUSPENDED:
            assert "auto_topup.switched_off" in world.said()
            return
        if not policy.is_on:
            return
        if policy.attempt:
            self._attempt_goes_on()
        elif policy.retry_at:
            assert policy.retry_at > world.now
            assert policy.retry_at in {each.due_at for each in self._alarms()}
        else:
            assert not watching.is_due(world.books, policy, world.now)

    def _attempt_goes_on(self) -> None:
        """It waits for the bank, for a person, or for the customer until a time that is set."""
        world, policy = self.world, self.world.policy
        (purchase,) = (each for each in world.books.purchases if each.id == policy.attempt)
        (invoice,) = (each for each in world.books.invoices if each.id == purchase.invoice)
        if purchase.status is PurchaseStatus.HELD or invoice.payment_status is PaymentStatus.PROCESSING:
            return
        assert policy.action_by is not None
        assert policy.action_by in {each.due_at for each in self._alarms()}

    def _alarms(self) -> list[Timer]:
        own = (each for each in self.world.alarms if each.kind == WATCH_TIMER)
        return [each for each in own if (each.subject, each.due_at, each.nth) not in self.rung]

    def _received(self, purchase: Purchase) -> int:
        legs = {each.leg for each in self.world.books.allocations if each.invoice == purchase.invoice}
        return sum(each.received_minor for each in self.world.books.legs if each.id in legs)

    def _intent(self, which: int) -> ProviderRef:
        return list(self.world.intents)[which % len(self.world.intents)]

    def _has_method(self) -> bool:
        return any(each.attached for each in self.world.books.methods)


TestAnyTopUp = AnyTopUp.TestCase
TestAnyTopUp.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
