"""What is heard from the provider: kept before it is answered, decided once, and never more than it proves."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from behaviours import behaviour
from counterfoil.core.facts import LEG_MARK, Fact, Outcome
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import Order
from counterfoil.engine import claims, setup
from counterfoil.engine.house import House
from counterfoil.engine.intake import Accepted, Rejected
from counterfoil.providers.port import Changes, Credentials, Listing, Provider, ProviderPort, Refs, Verifier
from counterfoil.sandbox.deliveries import signature
from counterfoil.sim.desk import Terms
from counterfoil.sim.provider import ADDRESS
from counterfoil.sim.site import WEBHOOK_SECRET
from counterfoil.sim.trouble import Trouble
from counterfoil.store.database import CommitUnknown
from counterfoil.store.work import LeaseLost
from counterfoil.worker.loop import work_on
from scenarios.stage import BROWSER, Stage, assert_golden

CHARGE, INTENT = "charge.succeeded", "payment_intent.succeeded"
OLD_SECRET = "whsec_before_the_rotation"


def paid_in_browser(stage: Stage) -> tuple[str, str]:
    """A payment that succeeded at the provider, its last news still under way. Gives invoice and payment."""
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    assert stage.confirm(stage.intent_of(payment), "pm_card_visa") == "succeeded"
    return invoice, payment


def settlements(stage: Stage) -> int:
    return len(stage.rows("select 1 from posting where tenant = %(tenant)s and entry like 'leg:%%:settled'"))


# --- at the door ---


@behaviour("R-LG-12")
@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, OLD_SECRET], ids=["the new secret", "the old one"])
def test_every_secret_of_the_endpoint_is_believed(stage: Stage, secret: str) -> None:
    secrets = (WEBHOOK_SECRET, OLD_SECRET)
    wanted = setup.Connection(stage.site.provider.key, secrets, base_url=ADDRESS, slug=stage.site.slug)
    setup.connect(stage.site.house, stage.site.tenant, wanted)
    invoice, _ = paid_in_browser(stage)
    body = stage.parcel(INTENT).attempt.body

    told = stage.site.deliver({"Stripe-Signature": signature([secret], int(stage.site.clock.seconds()), body)}, body)
    stage.worker.work()

    assert isinstance(told, Accepted)
    assert stage.invoice(invoice)["status"] == "paid"


@behaviour("R-LG-12")
def test_an_event_of_the_other_mode_is_kept_apart(stage: Stage) -> None:
    """It names a payment of ours, is signed and true in its own mode; here it changes nothing."""
    stage.site.provider.control("POST", "faults", {"match": {"event": INTENT}, "do": "livemode"})
    invoice, _ = paid_in_browser(stage)
    before = stage.standing()

    stage.bring(INTENT)
    looked = len(stage.requests("/v1/"))
    stage.worker.work()

    assert stage.questions() == ["wrong_mode"]
    assert stage.invoice(invoice)["status"] == "open"
    assert [each for each in stage.standing() if each["kind"] != "case"] == before
    assert len(stage.requests("/v1/")) == looked
    stage.rest()
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.at_rest()


@behaviour("R-LG-12")
@pytest.mark.parametrize(
    ("age_s", "secret", "code"),
    [
        (0, "whsec_forged", "webhook_signature_invalid"),
        (301, WEBHOOK_SECRET, "webhook_signature_expired"),
        (-301, WEBHOOK_SECRET, "webhook_signature_expired"),
    ],
    ids=["forged", "stale", "from the future"],
)
def test_what_is_not_believed_is_not_stored(stage: Stage, age_s: int, secret: str, code: str) -> None:
    invoice, _ = paid_in_browser(stage)
    body = stage.parcel(INTENT).attempt.body
    before = stage.rows("select id from inbox where tenant = %(tenant)s order by id")

    at = int(stage.site.clock.seconds()) - age_s
    told = stage.site.deliver({"Stripe-Signature": signature([secret], at, body)}, body)
    stage.worker.work()

    assert isinstance(told, Rejected)
    assert (told.status, told.code) == (400, code)
    assert stage.rows("select id from inbox where tenant = %(tenant)s order by id") == before
    assert stage.invoice(invoice)["status"] == "open"


@behaviour("R-LG-13")
def test_an_event_is_in_the_database_before_it_is_answered(stage: Stage) -> None:
    """The connection breaks while it is stored: the provider hears no 2xx, and brings it again."""
    invoice, _ = paid_in_browser(stage)
    parcel = stage.parcel(INTENT)
    attempt = parcel.attempt

    stage.commits[:] = [None, *[Trouble.COMMIT_LOST] * 5]
    with pytest.raises(CommitUnknown):
        stage.site.deliver(attempt.headers, attempt.body)
    assert stage.rows("select 1 from inbox where tenant = %(tenant)s and kind = %(kind)s", kind=INTENT) == []
    told = stage.site.deliver(attempt.headers, attempt.body)

    assert isinstance(told, Accepted)
    (row,) = stage.rows("select * from inbox where tenant = %(tenant)s and kind = %(kind)s", kind=INTENT)
    assert (row["status"], attempt.event in row["identity"]) == ("received", True)
    stage.worker.work()
    assert stage.invoice(invoice)["status"] == "paid"


# --- poison ---


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A provider port that is the real one, but for one object that breaks whoever looks at it."""

    port: ProviderPort
    poison: str

    def open(self, credentials: Credentials) -> Provider:
        return PoisonedProvider(self.port.open(credentials), self.poison)

    @property
    def verify(self) -> Verifier:
        return self.port.verify


@dataclass(frozen=True, slots=True)
class PoisonedProvider:
    """One account with the object that breaks."""

    provider: Provider
    poison: str

    def fetch(self, kind: str, ref: ProviderRef) -> Fact:
        if ref == self.poison:
            raise ZeroDivisionError("a bug in whoever reads this object")
        return self.provider.fetch(kind, ref)

    def execute(self, order: Order, refs: Refs) -> Outcome:
        return self.provider.execute(order, refs)

    def find(self, order: Order, refs: Refs) -> Fact | None:
        return self.provider.find(order, refs)

    def changes_since(self, cursor: str | None) -> Changes:
        return self.provider.changes_since(cursor)

    def made_since(self, kind: str, since: datetime | None, after: ProviderRef | None) -> Listing:
        return self.provider.made_since(kind, since, after)


def work_as_a_process(house: House, stage: Stage) -> None:
    """Work as the worker's loop does: a flow that breaks comes back, later and later."""
    for claim in claims.claim_due(house):
        work_on(house, claim)


@behaviour("R-LG-13")
def test_a_poison_event_is_parked_after_its_tries_and_holds_nothing_up(stage: Stage) -> None:
    customer = stage.customer()
    healthy = stage.bill(customer, 500)
    invoice, payment = paid_in_browser(stage)
    port = Poisoned(stage.site.provider.port, stage.intent_of(payment))
    house = replace(stage.site.house, providers=port)
    stage.bring(INTENT)
    fine = stage.pay(healthy, terms=Terms(provider_ref=stage.intent(customer, 500, "pm_card_visa")))

    work_as_a_process(house, stage)
    assert stage.statuses(fine) == ["provider 500 settled"]
    for _ in range(house.settings.tries_before_parking + 1):
        stage.site.pass_time(house.settings.retry_max)
        work_as_a_process(house, stage)

    (row,) = stage.rows(
        "select status from inbox where tenant = %(tenant)s and kind = %(kind)s and source = 'webhook' "
        "and subject_ref = %(ref)s",
        kind=INTENT,
        ref=stage.intent_of(payment),
    )
    assert row["status"] == "parked"
    assert "gave_up" in stage.questions()
    assert stage.invoice(invoice)["status"] == "open"
    stage.rest()  # the bug is fixed: the next sweep looks at the payment again
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.at_rest()


# --- one effect ---


@behaviour("R-LG-14")
def test_one_object_has_one_effect_by_whatever_events_it_is_told(stage: Stage) -> None:
    """Two kinds of event, each twice under its own id and once more under another."""
    for kind in (CHARGE, INTENT):
        stage.site.provider.control("POST", "faults", {"match": {"event": kind}, "do": "duplicate_as_new"})
        stage.site.provider.control("POST", "faults", {"match": {"event": kind}, "do": "duplicate"})
    invoice, _ = paid_in_browser(stage)
    stage.run()

    told = stage.rows(
        "select kind, deliveries from inbox where tenant = %(tenant)s and kind = any(%(kinds)s) order by kind, id",
        kinds=[CHARGE, INTENT],
    )
    assert len(told) == 4
    assert sum(each["deliveries"] for each in told) >= 6
    assert settlements(stage) == 1
    assert stage.reasons()["intent_settled"] == 1
    assert stage.events("invoice.paid") == 1
    assert stage.invoice(invoice)["paid_minor"] == 10000
    assert stage.at_rest()


@behaviour("R-LG-15")
def test_an_event_is_done_only_with_its_effect(stage: Stage) -> None:
    """The commit of the decision is lost, over and over: the event is not done, and the next worker decides it."""
    invoice, _ = paid_in_browser(stage)
    stage.bring(INTENT)
    flow = stage.until("inbox.decide")

    stage.commits[:] = [Trouble.COMMIT_LOST] * 5
    with pytest.raises(CommitUnknown):
        flow.phase.run(stage.site.house)
    stage.worker.crash()

    sql = "select status from inbox where tenant = %(tenant)s and kind = %(kind)s"
    assert stage.rows(sql, kind=INTENT)[0]["status"] == "received"
    assert (stage.invoice(invoice)["status"], settlements(stage)) == ("open", 0)
    stage.site.pass_time(timedelta(minutes=2))
    stage.worker.work()
    assert stage.rows(sql, kind=INTENT)[0]["status"] == "decided"
    assert (stage.invoice(invoice)["status"], settlements(stage)) == ("paid", 1)


@behaviour("R-LG-15")
@pytest.mark.parametrize("before", ["open", "number", "fetch", "decide"])
def test_a_worker_may_die_anywhere(stage: Stage, before: str) -> None:
    invoice, _ = paid_in_browser(stage)
    stage.bring(INTENT)
    stage.until(f"inbox.{before}")
    stage.worker.crash()

    stage.worker.work()
    assert stage.invoice(invoice)["status"] == "open"
    stage.site.pass_time(timedelta(minutes=2))
    stage.worker.work()

    assert (stage.invoice(invoice)["status"], settlements(stage)) == ("paid", 1)
    stage.rest()
    assert stage.at_rest()


@behaviour("R-LG-15")
def test_a_worker_that_comes_back_late_writes_nothing(stage: Stage) -> None:
    """It stood still for longer than its lease; another has done the work meanwhile."""
    invoice, _ = paid_in_browser(stage)
    stage.bring(INTENT)
    zombie = stage.set_aside(stage.until("inbox.decide"))
    stage.site.pass_time(timedelta(minutes=2))
    stage.worker.work()
    settled = stage.standing()

    with pytest.raises(LeaseLost):
        zombie.finish()

    assert stage.standing() == settled
    assert stage.invoice(invoice)["status"] == "paid"


# --- whose is it ---


@behaviour("R-LG-16")
def test_news_that_overtakes_our_own_reply_is_found_by_our_mark(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    create = stage.until("order.record")
    assert stage.legs(payment)[0]["provider_ref"] is None
    stage.set_aside(create)

    stage.bring("payment_intent.created")
    stage.worker.work()

    assert stage.legs(payment)[0]["provider_ref"] is not None
    assert stage.statuses(payment) == ["provider 10000 settled"]
    stage.site.pass_time(timedelta(minutes=2))
    stage.rest()
    assert stage.charged() == [10000]
    assert stage.at_rest()


@behaviour("R-LG-16")
@pytest.mark.parametrize("whose", ["nobody's", "a leg that has its payment"])
def test_a_mark_alone_never_routes_money(stage: Stage, whose: str) -> None:
    """Metadata can be copied. Money that is not on our books is kept apart, and a person is asked."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    mark = "leg_01kv24syw00000000000009999" if whose == "nobody's" else stage.legs(payment)[0]["id"]
    form = {"customer": stage.customer_ref(customer), "amount": 10000, "currency": "usd", f"metadata[{LEG_MARK}]": mark}
    intent = stage.site.provider.ask("POST", "/v1/payment_intents", **form)["id"]

    stage.confirm(intent, "pm_card_visa")
    stage.run()
    stage.rest()

    assert stage.invoice(invoice)["status"] == "open"
    assert stage.statuses(payment) == ["provider 10000 requires_action"]
    assert stage.questions() == ["money_unexplained"]
    assert stage.at_rest()


@behaviour("R-LG-16")
def test_money_of_an_unknown_customer_is_kept_and_alarmed(stage: Stage) -> None:
    stage.customer()
    intent = stage.site.provider.ask("POST", "/v1/payment_intents", amount=4200, currency="usd")["id"]
    stage.confirm(intent, "pm_card_visa")

    stage.run()

    (kept,) = stage.rows(
        "select debit, credit, amount from posting where tenant = %(tenant)s and entry like 'suspense:%%'"
    )
    assert (kept["credit"], kept["amount"]) == (f"suspense:{intent}", 4200)
    assert stage.questions() == ["money_unexplained"]
    stage.rest()
    assert stage.at_rest()


# --- never back ---


@behaviour("R-LG-25")
def test_a_success_after_a_refused_try_completes_and_a_late_failure_changes_nothing(stage: Stage) -> None:
    customer = stage.customer()
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    intent = stage.intent_of(payment)
    assert stage.confirm(intent, "pm_card_chargeCustomerFail") == "card_declined"
    failure = stage.parcel("payment_intent.payment_failed")
    stage.bring("charge.failed")
    stage.worker.work()
    refused = stage.statuses(payment)
    assert stage.confirm(intent, "pm_card_visa") == "succeeded"
    stage.bring(INTENT)
    stage.worker.work()
    settled = stage.standing()

    stage.post.bring(failure)
    stage.worker.work()

    assert refused == ["credit 3000 reserved", "provider 7000 refused"]
    assert stage.statuses(payment) == ["credit 3000 settled", "provider 7000 settled"]
    assert stage.standing() == settled
    assert_golden("late_failure", stage.story())
    stage.site.pass_time(timedelta(hours=24))
    stage.rest()
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.at_rest()


@behaviour("R-LG-25")
def test_a_refusal_that_was_seen_before_the_success_and_decided_after_it_is_old_news(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    intent = stage.intent_of(payment)
    stage.confirm(intent, "pm_card_chargeCustomerFail")
    stage.bring("payment_intent.payment_failed")
    slow = stage.set_aside(stage.until("inbox.decide"))

    stage.confirm(intent, "pm_card_visa")
    stage.bring(INTENT)
    stage.worker.work()
    slow.finish()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert stage.reasons()["superseded"] == 1
    assert stage.sound()
