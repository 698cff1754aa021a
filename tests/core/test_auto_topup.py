"""Auto top-up as a rule: one attempt per need, within what was agreed to, and never silently stopped."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from core.factories import METHOD, NOW, ONE, grant, method, purchase, wallet
from core.world import World
from counterfoil.core import agreements, auto_topup, invoicing, wallets, watching
from counterfoil.core.agreed import BACKOFF, AutoTopup, Consent, NoPrice, Price, Step, Terms, Trigger
from counterfoil.core.books import GrantSource
from counterfoil.core.bought import Purchase
from counterfoil.core.effects import Act, Decision, Reason, Refuse, Skip
from counterfoil.core.ids import MethodId, typeid
from counterfoil.core.lifecycle import AutoTopupStatus, PaymentStatus, PurchaseStatus, WalletStatus

TEN = Price(10 * ONE, 1000)
"""One step: ten credits for ten dollars."""
HOUR = timedelta(hours=1)


def terms(**changes: Any) -> Terms:
    made = Terms(
        trigger=Trigger.THRESHOLD,
        step=Step(quantity=10 * ONE, price_minor=1000),
        currency="USD",
        attempt_max_minor=1000,
        month_max_minor=5000,
        consent=Consent("user-1", NOW, "2026-01"),
        below=10 * ONE,
    )
    return replace(made, **changes)


class Topped(World):
    """A world whose only wallet has an auto top-up."""

    price: Price | NoPrice = TEN

    def __init__(self, whole: int = 5, **agreed: Any) -> None:
        super().__init__()
        self.numbers = count(1)
        self.books = replace(self.books, wallets=(wallet(),), grants=(grant(1, whole),) if whole else ())
        self.agree(**agreed)

    def agree(self, **changes: Any) -> Decision:
        wanted = terms(**changes)
        return self.decide(
            lambda books: agreements.decide_set(books, wallet().id, wanted, self.price, self.now, self.new_id)
        )

    def off(self) -> Decision:
        return self.decide(lambda books: agreements.decide_off(books, wallet().id, self.now, self.new_id))

    @property
    def policy(self) -> AutoTopup:
        (held,) = self.books.topups
        return held

    @property
    def bought(self) -> tuple[Purchase, ...]:
        """What was bought, oldest first."""
        return tuple(sorted(self.books.purchases, key=lambda each: (each.created_at, each.id)))

    def look(self) -> Decision:
        return self.decide(
            lambda books: auto_topup.decide_look(
                books, self.policy.id, self.price, lambda: f"INV-{next(self.numbers)}", self.now, self.new_id
            )
        )

    def pay(self, result: str = "succeeded") -> None:
        """Let the provider answer every order, and those that follow."""
        while any(each.open for each in self.books.orders):
            self.send_all(result)

    def attempt(self, result: str = "succeeded") -> Decision:
        """Look, let the provider answer, and look again."""
        self.look()
        self.pay(result)
        return self.look()

    def use(self, whole: int) -> None:
        """Use so many credits, whatever for."""
        lots = [each for each in self.books.grants if each.free >= whole * ONE]
        self._change(lots[0], replace(lots[0], remaining=lots[0].remaining - whole * ONE))

    def rings_at(self, at: datetime) -> bool:
        """Say whether a timer wakes the policy then."""
        return any((each.subject, each.due_at) == (self.policy.id, at) for each in self.alarms)

    def said(self) -> list[str]:
        return [each.kind for each in self.told.values() if each.kind.startswith("auto_topup")]


# --- when it buys ---


def test_below_the_threshold_one_step_is_bought_and_only_then() -> None:
    world = Topped(whole=12)

    assert isinstance(world.look(), Skip)
    world.use(3)
    begun = world.look()
    again = world.look()
    world.pay()
    done = world.look()

    assert (begun.why.reason, again.why.reason) == (Reason.AUTO_TOPUP_STARTED, Reason.AUTO_TOPUP_WAITS)
    assert isinstance(again, Skip)
    assert (done.why.reason, world.policy.attempt) == (Reason.AUTO_TOPUP_DONE, None)
    assert [(each.status, each.gross_minor) for each in world.bought] == [(PurchaseStatus.SETTLED, 1000)]
    assert watching.spendable(world.books, world.books.wallets[0], world.now) == 19 * ONE


def test_exactly_at_the_threshold_nothing_is_bought() -> None:
    world = Topped(whole=10)

    assert world.look().why.reason is Reason.AUTO_TOPUP_NOT_NEEDED
    world.use(1)
    assert world.look().why.reason is Reason.AUTO_TOPUP_STARTED


def test_credits_that_are_coming_are_counted() -> None:
    """Somebody has bought ten credits by hand, and they are not paid yet."""
    world = Topped(whole=5)
    world.books = replace(world.books, purchases=(purchase(quantity=10 * ONE),))
    assert world.look().why.reason is Reason.AUTO_TOPUP_NOT_NEEDED

    given_up = purchase(quantity=10 * ONE, status=PurchaseStatus.CANCELED, canceled_at=NOW)
    world.books = replace(world.books, purchases=(given_up,))
    assert world.look().why.reason is Reason.AUTO_TOPUP_STARTED


def test_up_to_a_target_as_many_steps_are_bought_as_it_takes() -> None:
    world = Topped(whole=5, trigger=Trigger.TARGET, target=40 * ONE, attempt_max_minor=4000)

    world.attempt()

    assert [(each.quantity, each.gross_minor) for each in world.bought] == [(40 * ONE, 4000)]


def test_an_interval_buys_when_it_is_over_and_makes_up_for_nothing() -> None:
    world = Topped(whole=50, trigger=Trigger.INTERVAL, below=None, every_s=86_400)

    assert world.look().why.reason is Reason.AUTO_TOPUP_NOT_NEEDED
    world.now += timedelta(days=5, hours=1)
    world.attempt()

    assert len(world.bought) == 1
    assert world.policy.due_at == NOW + timedelta(days=6)
    assert world.look().why.reason is Reason.AUTO_TOPUP_NOT_NEEDED


def test_lots_that_are_kept_for_a_feature_and_reserved_shares_are_not_counted() -> None:
    world = Topped(whole=0)
    world.books = replace(
        world.books, grants=(grant(1, 30, features=("chat",)), grant(2, 30, held=25 * ONE), grant(3, 4))
    )

    assert watching.spendable(world.books, world.books.wallets[0], world.now) == 9 * ONE
    assert world.look().why.reason is Reason.AUTO_TOPUP_STARTED


# --- caps ---


def test_a_month_costs_no_more_than_agreed_and_goes_on_in_the_next() -> None:
    world = Topped(whole=0, month_max_minor=2500)

    for _ in range(4):
        world.attempt()
        if world.books.grants:
            world.books = replace(world.books, grants=())
    assert sum(each.gross_minor for each in world.bought) == 2000
    assert world.policy.retry_at == datetime(2026, 7, 1, tzinfo=UTC)
    assert world.said().count("auto_topup.capped") == 1
    assert world.rings_at(datetime(2026, 7, 1, tzinfo=UTC))

    world.now = datetime(2026, 7, 1, tzinfo=UTC)
    world.attempt()
    assert len(world.bought) == 3


def test_a_price_above_the_cap_is_a_failure_and_nothing_is_asked_of_the_provider() -> None:
    world = Topped()
    world.price = Price(10 * ONE, 1001)

    decision = world.look()

    assert (decision.why.reason, world.policy.failure_code) == (Reason.AUTO_TOPUP_FAILED, "cap_exceeded")
    assert not world.bought
    assert not world.books.orders


# --- failures ---


def test_refusals_are_tried_again_later_and_later_and_after_seven_days_it_is_switched_off() -> None:
    """LLM Gateway: 1, 2, 4, 8, 16, 24 hours; a week of failure switches it off, with a message."""
    world = Topped()
    pauses: list[timedelta] = []
    while world.policy.is_on:
        assert len(pauses) < 20
        world.attempt("declined")
        if world.policy.retry_at:
            pauses.append(world.policy.retry_at - world.now)
            assert isinstance(world.look(), Skip), "nothing is tried before its time"
            world.now = world.policy.retry_at

    assert pauses == [*BACKOFF, *[BACKOFF[-1]] * 5]
    assert world.now - NOW == timedelta(hours=175)
    assert world.policy.status is AutoTopupStatus.SUSPENDED
    assert world.books.wallets[0].watch_below is None
    assert world.said().count("auto_topup.failed") == len(pauses) + 1
    assert world.said()[-1] == "auto_topup.switched_off"
    assert world.decisions[-1].why.reason is Reason.AUTO_TOPUP_SUSPENDED
    assert {each.status for each in world.bought} == {PurchaseStatus.CANCELED}
    assert isinstance(world.look(), Skip)


def test_success_forgets_what_failed() -> None:
    world = Topped()
    for result in ("declined", "declined", "succeeded"):
        world.attempt(result)
        world.now = world.policy.retry_at or world.now

    assert (world.policy.failures, world.policy.failing_since, world.policy.failure_code) == (0, None, None)


@pytest.mark.parametrize(
    "methods", [(), (method(attached=False, is_default=False),), (method(2),)], ids=["none", "detached", "another"]
)
def test_without_the_method_that_was_agreed_to_it_fails_and_asks_nothing(methods: tuple[Any, ...]) -> None:
    world = Topped(method=METHOD)
    world.books = replace(world.books, methods=methods)

    for failures in (1, 2):
        assert world.look().why.reason is Reason.AUTO_TOPUP_FAILED
        assert (world.policy.failures, world.policy.failure_code) == (failures, "no_payment_method")
        world.now = world.policy.retry_at or world.now
    assert not world.books.orders


def test_what_is_not_on_sale_any_more_is_a_failure() -> None:
    world = Topped()
    world.price = NoPrice("invalid_option", "The pack is not on sale any more.")

    assert world.look().why.reason is Reason.AUTO_TOPUP_FAILED
    assert world.policy.failure_code == "invalid_option"


def test_a_failure_series_that_finds_no_need_at_its_time_starts_its_week_anew() -> None:
    world = Topped()
    world.attempt("declined")
    world.books = replace(world.books, grants=(grant(1, 30),))
    world.now += timedelta(days=8)

    assert world.look().why.reason is Reason.AUTO_TOPUP_NOT_NEEDED
    world.books = replace(world.books, grants=())
    world.attempt("declined")

    assert (world.policy.is_on, world.policy.failures) == (True, 2)
    assert world.policy.retry_at == world.now + BACKOFF[1]


# --- the customer is asked ---


def test_what_the_bank_asks_about_waits_for_the_customer_and_ends_by_time() -> None:
    world = Topped()
    world.look()
    world.pay("needs_action")

    first, second = world.look(), world.look()
    assert first.why.reason is Reason.AUTO_TOPUP_WAITS
    assert isinstance(second, Skip)
    assert world.said().count("auto_topup.action_required") == 1
    assert world.policy.action_by == NOW + 23 * HOUR
    assert world.rings_at(NOW + 23 * HOUR)

    world.now = NOW + 23 * HOUR
    world.look()
    world.pay()
    world.look()

    assert (world.policy.failures, world.policy.failure_code) == (1, "action_expired")
    assert [each.status for each in world.bought] == [PurchaseStatus.CANCELED]


def test_what_the_customer_confirms_in_time_is_paid() -> None:
    world = Topped()
    world.look()
    world.pay("needs_action")
    world.look()
    (ref,) = world.intents

    world.answer(ref, "succeeded")
    world.hear(ref)
    world.look()

    assert (world.policy.attempt, world.policy.action_by, world.policy.failures) == (None, None, 0)
    assert [each.status for each in world.bought] == [PurchaseStatus.SETTLED]


# --- right before the charge ---


def change_nothing(world: Topped) -> None:
    """The charge is made."""


def use_a_grant(world: Topped) -> None:
    issue = wallets.Issue(wallet().id, GrantSource.ADJUSTMENT, 30 * ONE, 0, None, world.now)
    world.decide(lambda books: wallets.decide_grant(books, issue, world.now, world.new_id))


def detach(world: Topped) -> None:
    world.books = replace(world.books, methods=(method(attached=False, is_default=False),))


def suspend(world: Topped) -> None:
    world.decide(lambda books: wallets.decide_move_wallet(books, wallet().id, WalletStatus.SUSPENDED))


@pytest.mark.parametrize(
    ("meanwhile", "charges"),
    [(change_nothing, 1), (use_a_grant, 0), (detach, 0), (suspend, 0), (Topped.off, 0)],
    ids=["nothing", "credits came", "method detached", "wallet suspended", "consent withdrawn"],
)
def test_everything_is_read_again_before_the_charge(meanwhile: Callable[[Topped], Any], charges: int) -> None:
    """The attempt was made, the provider's object too; then something changed before it was confirmed."""
    world = Topped()
    world.look()
    (create,) = world.books.orders
    world.send(create, "lost_after")

    meanwhile(world)
    world.hear(*world.intents)
    world.pay()
    world.look()

    paid = [each for each in world.intents.values() if each.received.minor]
    assert len(paid) == charges
    assert world.policy.attempt is None
    assert all(each.status is not PaymentStatus.PROCESSING for each in world.books.payments)


# --- what a person asks for ---


@pytest.mark.parametrize(
    ("changes", "reason", "param"),
    [
        ({"below": 0}, Reason.INVALID_THRESHOLD, "trigger.below"),
        ({"below": None}, Reason.INVALID_THRESHOLD, "trigger.below"),
        ({"trigger": Trigger.TARGET, "target": 10 * ONE}, Reason.INVALID_TARGET, "trigger.target"),
        ({"trigger": Trigger.TARGET}, Reason.INVALID_TARGET, "trigger.target"),
        ({"target": 20 * ONE}, Reason.INVALID_TARGET, "trigger.target"),
        ({"trigger": Trigger.TARGET, "target": 20 * ONE}, Reason.INVALID_CAP, "limits.per_attempt"),
        ({"trigger": Trigger.INTERVAL, "below": None, "every_s": 60}, Reason.INVALID_REQUEST, "trigger.every_s"),
        ({"attempt_max_minor": 999}, Reason.INVALID_CAP, "limits.per_attempt"),
        ({"month_max_minor": 999}, Reason.INVALID_CAP, "limits.per_month"),
        ({"method": MethodId(typeid("pmeth", 9))}, Reason.NOT_FOUND, "payment_method"),
        ({"consent": Consent("user-1", NOW + HOUR, "2026-01")}, Reason.CONSENT_REQUIRED, "consent.given_at"),
    ],
)
def test_terms_that_can_not_be_kept_are_refused(changes: dict[str, Any], reason: Reason, param: str) -> None:
    world = Topped()

    decision = world.agree(**changes)

    assert isinstance(decision, Refuse)
    assert (decision.why.reason, decision.param) == (reason, param)


def test_without_a_method_or_an_open_wallet_there_is_nothing_to_agree_to() -> None:
    world = Topped()
    world.off()
    world.books = replace(world.books, methods=())
    no_method = world.agree()
    world.books = replace(
        world.books, methods=(method(),), wallets=(replace(world.books.wallets[0], status=WalletStatus.CLOSED),)
    )
    closed = world.agree()

    assert [each.why.reason for each in (no_method, closed)] == [Reason.NO_PAYMENT_METHOD, Reason.WALLET_NOT_ACTIVE]


def test_the_same_terms_again_change_nothing_and_other_terms_start_anew() -> None:
    world = Topped()

    assert isinstance(world.agree(), Skip)
    world.attempt("declined")
    assert world.policy.failures == 1
    assert isinstance(world.agree(below=9 * ONE), Act)

    assert (world.policy.failures, world.policy.retry_at, world.books.wallets[0].watch_below) == (0, None, 9 * ONE)


def test_a_closed_wallet_or_an_erased_customer_switches_it_off() -> None:
    world = Topped(whole=0)
    world.books = replace(world.books, wallets=(replace(world.books.wallets[0], status=WalletStatus.CLOSED),))

    assert world.look().why.reason is Reason.AUTO_TOPUP_OFF
    assert world.policy.status is AutoTopupStatus.OFF
    erased = Topped(whole=0)
    erased.books = replace(erased.books, customer=replace(erased.books.customer, erased_at=NOW))
    assert erased.look().why.reason is Reason.AUTO_TOPUP_OFF


def test_an_attempt_that_a_person_canceled_counts_as_a_failure_and_is_not_begun_again_at_once() -> None:
    world = Topped()
    world.look()
    (payment,) = world.books.payments

    world.decide(lambda books: invoicing.decide_cancel(books, payment.id, world.now, world.new_id))
    world.pay()
    world.look()

    assert (world.policy.failures, world.policy.failure_code) == (1, "canceled")
    assert isinstance(world.look(), Skip)
