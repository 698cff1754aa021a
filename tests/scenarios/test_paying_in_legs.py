"""An invoice paid in legs: credits first, the provider for the rest, and no outcome guessed at."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from behaviours import behaviour
from counterfoil.core.books import GrantSource
from counterfoil.core.ids import WalletId
from counterfoil.core.money import ServiceUnit
from counterfoil.core.wallets import Issue
from counterfoil.engine import operations
from counterfoil.engine.commands import Request
from counterfoil.engine.operations import Asked
from counterfoil.sim.desk import Desk, Terms, read
from counterfoil.sim.trouble import Trouble
from counterfoil.store import accounts
from counterfoil.store.database import CommitUnknown
from scenarios.meeting import Meeting
from scenarios.stage import BROWSER, Stage, assert_golden

GIFT = ServiceUnit("gift-credit", 2, 100, "USD")


# --- launching ---


@behaviour("R-SU-1")
def test_a_payment_starts_at_once_or_when_it_falls_due(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    due = stage.site.clock.now() + timedelta(days=3)
    later = read(stage.desk.draft(customer, 4000, collect_at=due))["id"]
    stage.desk.finalize(later)
    now = stage.bill(customer, 6000)

    stage.pay(now)
    stage.run()
    assert stage.charged() == [6000]
    stage.site.pass_time(timedelta(days=3))
    stage.run()

    assert stage.charged() == [6000, 4000]
    assert stage.invoice(later)["status"] == "paid"
    assert stage.at_rest()


@behaviour("R-SU-1")
@pytest.mark.parametrize("settled", [True, False], ids=["after it was paid", "while it is being paid"])
def test_the_scheduler_passes_the_same_guard_as_a_person(stage: Stage, settled: bool) -> None:
    """Whoever comes second finds the payment that is there: nothing is charged twice."""
    customer = stage.customer("pm_card_visa")
    due = stage.site.clock.now() + timedelta(hours=1)
    invoice = read(stage.desk.draft(customer, 4000, collect_at=due))["id"]
    stage.desk.finalize(invoice)

    if settled:
        stage.pay(invoice)
        stage.run()
        stage.site.pass_time(timedelta(hours=1))
    else:
        stage.site.pass_time(timedelta(hours=1))
        timer = stage.until("inbox.open")
        stage.pay(invoice)
        stage.finish(timer)
    stage.run()

    assert stage.charged() == [4000]
    assert stage.reasons()["nothing_due" if settled else "payment_in_progress"] == 1
    assert stage.at_rest()


@behaviour("R-SU-2")
def test_a_launch_checks_what_it_collects(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    draft = read(stage.desk.draft(customer, 1000))["id"]
    void = stage.bill(customer, 1000)
    stage.desk.void(void)
    paid = stage.bill(customer, 1000)
    stage.pay(paid)
    stage.run()
    busy = stage.bill(customer, 1000)
    stage.pay(busy)

    told = [stage.desk.pay(each) for each in (draft, void, paid, busy)]

    assert [(each.answer.status, read(each)["code"]) for each in told] == [
        (422, "invoice_not_open"),
        (422, "invoice_not_open"),
        (422, "nothing_due"),
        (409, "payment_in_progress"),
    ]
    stage.run()
    assert stage.charged() == [1000, 1000]


@behaviour("R-SU-2")
def test_only_what_is_left_of_the_total_is_charged(stage: Stage) -> None:
    """40 of 100 came by a payment of the host application; the card is asked for 60."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    stage.pay(invoice, terms=Terms(provider_ref=stage.intent(customer, 4000, "pm_card_visa")))
    stage.run()

    rest = stage.pay(invoice)
    stage.run()

    assert stage.charged() == [4000, 6000]
    assert stage.statuses(rest)[-1] == "provider 6000 settled"
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.at_rest()


# --- statuses ---


@behaviour("R-SU-3")
def test_a_status_is_what_all_legs_and_the_remainder_say(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa", "pm_card_chargeCustomerFail")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    seen = [stage.invoice(invoice)["payment_status"]]

    payment = stage.pay(invoice)
    seen.append(stage.invoice(invoice)["payment_status"])
    stage.run()
    seen.append(stage.invoice(invoice)["payment_status"])
    stage.pay(invoice, terms=Terms(method=visa(stage, customer)))
    seen.append(stage.invoice(invoice)["payment_status"])
    stage.run()
    seen.append(stage.invoice(invoice)["payment_status"])

    assert seen == ["pending", "processing", "failed", "processing", "succeeded"]
    assert stage.statuses(payment) == ["credit 3000 settled", "provider 7000 canceled", "provider 7000 settled"]
    assert stage.charged() == [7000]
    assert_golden("refused_then_retried", stage.story())


@behaviour("R-SU-7")
def test_reserved_credits_alone_do_not_make_an_invoice_paid(stage: Stage) -> None:
    """The newest leg that succeeded says nothing: the remainder is still to come."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)

    payment = stage.pay(invoice)

    assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 processing"]
    held = stage.invoice(invoice)
    assert (held["status"], held["payment_status"], held["paid_minor"]) == ("open", "processing", 0)
    stage.run()
    assert stage.invoice(invoice)["status"] == "paid"


# --- credits ---


@behaviour("R-SU-4")
def test_several_wallets_pay_first_each_by_a_leg_of_its_own(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    with stage.database.transaction(stage.site.tenant) as tx:
        accounts.declare_unit(tx, GIFT)
    asked = Asked(stage.site.house, stage.site.tenant, Request("POST /v1/wallets", "key_1", None, b"{}"))
    gift = read(operations.open_wallet(asked, customer, GIFT.code))["id"]
    issue = Issue(WalletId(gift), GrantSource.PROMOTIONAL, 2000, 0, None, stage.site.clock.now())
    operations.issue_grant(asked, customer, issue)
    invoice = stage.bill(customer, 10000)

    payment = stage.pay(invoice)
    stage.run()

    assert sorted(stage.statuses(payment)) == ["credit 2000 settled", "credit 3000 settled", "provider 5000 settled"]
    assert [leg["kind"] for leg in stage.legs(payment)] == ["credit", "credit", "provider"]
    assert stage.charged() == [5000]
    assert stage.at_rest()


@behaviour("R-SU-5")
def test_credits_that_cover_everything_pay_without_the_provider(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 12000)
    invoice = stage.bill(customer, 10000)
    asked = len(stage.requests("/v1/"))

    result = stage.desk.pay(invoice)

    assert result.answer.status == 200
    assert stage.invoice(invoice)["status"] == "paid"
    stage.worker.work()
    assert len(stage.requests("/v1/")) == asked
    assert_golden("paid_by_credits", stage.story())
    assert stage.at_rest()


@behaviour("R-SU-5", "R-LG-24")
def test_wallet_leg_and_invoice_change_together_or_not_at_all(stage: Stage) -> None:
    """The connection breaks at the commit, over and over: nothing of it is seen. Then all of it is."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 12000)
    invoice = stage.bill(customer, 10000)
    before = stage.standing()

    stage.commits[:] = [None, *[Trouble.COMMIT_LOST] * 5]
    with pytest.raises(CommitUnknown):
        stage.desk.pay(invoice, key="click")
    assert stage.standing() == before
    stage.desk.pay(invoice, key="click")

    (cause,) = stage.rows("select distinct decision from posting where tenant = %(tenant)s and entry like 'leg:%%'")
    (decided,) = stage.rows(
        "select effects from decision where tenant = %(tenant)s and id = %(id)s", id=cause["decision"]
    )
    changed = {each["subject"] for each in decided["effects"] if each["effect"] == "change"}
    assert changed >= {"grant", "hold", "leg", "payment", "invoice"}
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.at_rest()


@behaviour("R-LG-24")
def test_an_acknowledgement_that_is_lost_does_not_draw_credits_twice(stage: Stage) -> None:
    customer = stage.customer()
    stage.credits(customer, 12000)
    invoice = stage.bill(customer, 10000)

    stage.commits[:] = [None, Trouble.ACKNOWLEDGEMENT_LOST]
    result = stage.desk.pay(invoice, key="click")

    assert (result.answer.status, result.replayed) == (200, True)
    (lot,) = stage.rows("select remaining from grant_lot where tenant = %(tenant)s")
    assert lot["remaining"] == 20_000_000
    assert stage.at_rest()


@behaviour("R-SU-6")
@pytest.mark.parametrize("credits", [1, 3333, 9950], ids=str)
def test_the_parts_add_up_to_the_total(stage: Stage, credits: int) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, credits)
    invoice = stage.bill(customer, 10000)

    result = stage.desk.pay(invoice)

    assert result.answer.status == 202
    assert stage.invoice(invoice)["payment_status"] == "processing"
    stage.run()
    assert [leg["amount_minor"] for leg in stage.legs(result.awaits or "")] == [credits, 10000 - credits]
    assert stage.charged() == [10000 - credits]
    assert stage.invoice(invoice)["paid_minor"] == 10000
    assert stage.at_rest()


# --- the provider's part ---


@behaviour("R-SU-8")
def test_the_leg_is_stored_before_the_provider_hears_of_it(stage: Stage) -> None:
    """Its id travels as the mark, its order as the key; and the process may die in between."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    (leg,) = stage.legs(payment)
    assert (leg["status"], leg["provider_ref"], stage.requests("/v1/payment_intents")) == ("processing", None, [])

    stage.until("order.record")
    stage.worker.crash()
    assert stage.legs(payment)[0]["provider_ref"] is None
    stage.site.pass_time(timedelta(minutes=2))
    stage.work()

    created = [each for each in stage.requests("/v1/payment_intents") if each["path"] == "/v1/payment_intents"]
    assert [each["replayed"] for each in created] == [False, True]
    assert len({each["idempotency_key"] for each in created}) == 1
    (intent,) = stage.site.provider.objects("/v1/payment_intents")
    assert intent["metadata"]["counterfoil_leg"] == leg["id"]
    assert stage.charged() == [10000]
    assert stage.at_rest()


@behaviour("R-SU-8")
def test_a_reply_moves_payment_and_invoice_together(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    before = stage.statuses(payment), stage.invoice(invoice)["payment_status"]

    stage.finish(stage.until("order.send"))
    confirm = stage.until("order.send")
    stage.worker.step(confirm)
    assert stage.charged() == [10000]
    during = stage.statuses(payment), stage.invoice(invoice)["payment_status"]
    stage.finish(confirm)

    assert before == during == (["provider 10000 processing"], "processing")
    assert (stage.statuses(payment), stage.invoice(invoice)["payment_status"]) == (
        ["provider 10000 settled"],
        "succeeded",
    )
    assert stage.invoice(invoice)["status"] == "paid"


@behaviour("R-SU-9")
def test_a_definite_refusal_fails_the_leg(stage: Stage) -> None:
    customer = stage.customer("pm_card_chargeCustomerFail")
    invoice = stage.bill(customer, 10000)

    result = stage.desk.pay(invoice)
    stage.run()

    assert stage.answer(result) == (402, "failed")
    assert stage.statuses(result.awaits or "") == ["provider 10000 refused"]
    assert stage.charged() == []
    assert stage.at_rest()


@behaviour("R-SU-9")
@pytest.mark.parametrize("call", ["/v1/payment_intents", "/v1/payment_intents/*/confirm"], ids=["create", "confirm"])
@pytest.mark.parametrize(
    ("do", "options"),
    [
        ("timeout_before", {}),
        ("timeout_after", {}),
        ("reset", {}),
        ("status", {"status": 500}),
        ("status", {"status": 500, "when": "after"}),
        ("status", {"status": 503}),
    ],
    ids=["timeout before", "timeout after", "reset", "500 before", "500 after", "503"],
)
def test_an_unknown_outcome_is_never_failed(stage: Stage, call: str, do: str, options: dict[str, object]) -> None:
    """The reply is lost at either step. It stays processing until we have looked, and is charged once."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    stage.trouble(do, call, **options)

    payment = stage.pay(invoice)
    stage.work()

    assert stage.reasons()["outcome_unknown"] == 1
    assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 processing"]
    assert stage.invoice(invoice)["payment_status"] == "processing"
    assert stage.sound()
    stage.rest()
    assert stage.statuses(payment) == ["credit 3000 settled", "provider 7000 settled"]
    assert stage.charged() == [7000]
    assert stage.reasons()["intent_refused"] == 0
    assert stage.at_rest()


def test_fifty_clicks_at_once_make_one_charge(stage: Stage) -> None:
    """Fifty threads, fifty keys, one invoice: one provider leg is ever open, the others are told so."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    statuses: list[int] = []
    start = threading.Barrier(50)

    def click(number: int) -> None:
        start.wait()
        statuses.append(stage.desk.pay(invoice, key=f"tab-{number}").answer.status)

    threads = [threading.Thread(target=click, args=(number,)) for number in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    stage.run()

    assert sorted(statuses) == [202] + [409] * 49
    assert stage.charged() == [10000]
    assert stage.at_rest()


def test_two_launches_in_one_moment_make_one_payment(stage: Stage) -> None:
    """Two tabs, and nothing but the customer's lock between them: the second reads what the first has written."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    house = replace(stage.site.house, database=Meeting(stage.database, threading.Barrier(2)))
    desk = Desk(replace(stage.site, house=house))
    statuses: list[int] = []

    def click(key: str) -> None:
        statuses.append(desk.pay(invoice, key=key).answer.status)

    threads = [threading.Thread(target=click, args=(key,)) for key in ("first", "second")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    stage.run()

    assert sorted(statuses) == [202, 409]
    assert len(stage.rows("select id from payment where tenant = %(tenant)s")) == 1
    assert stage.charged() == [10000]
    assert stage.at_rest()


def test_two_launches_in_one_moment_share_the_credits(stage: Stage) -> None:
    """Two invoices, 30 of credits, both paid at once: the credits are there once."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    invoices = [stage.bill(customer, 10000), stage.bill(customer, 10000)]
    house = replace(stage.site.house, database=Meeting(stage.database, threading.Barrier(2)))
    desk = Desk(replace(stage.site, house=house))

    threads = [threading.Thread(target=desk.pay, args=(each,)) for each in invoices]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert stage.sound()
    stage.run()

    assert sorted(stage.charged()) == [7000, 10000]
    assert [stage.invoice(each)["status"] for each in invoices] == ["paid", "paid"]
    assert stage.at_rest()


def test_a_retry_begins_only_when_the_earlier_try_has_ended(stage: Stage) -> None:
    """No two of our payments could ever capture at once: the cancel is on its way, and nothing new is made before."""
    customer = stage.customer("pm_card_visa", "pm_card_chargeCustomerFail")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    stage.trouble("refuse", "/v1/payment_intents/*/cancel", times=2)

    stage.pay(invoice, terms=Terms(method=visa(stage, customer)))
    stage.run()
    assert stage.statuses(payment) == ["provider 10000 refused", "provider 10000 waiting"]
    assert len(list(stage.site.provider.objects("/v1/payment_intents"))) == 1
    assert stage.sound()

    stage.site.pass_time(timedelta(minutes=1))
    stage.run()
    stage.site.pass_time(timedelta(minutes=1))
    stage.run()
    assert stage.statuses(payment) == ["provider 10000 canceled", "provider 10000 settled"]
    assert stage.charged() == [10000]
    stage.site.pass_time(timedelta(hours=24))
    stage.rest()
    assert stage.at_rest()


def test_an_earlier_try_that_succeeds_after_all_stops_the_retry(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa", "pm_card_chargeCustomerFail")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    first = stage.intent_of(payment)

    stage.pay(invoice, terms=Terms(method=visa(stage, customer)))
    assert stage.confirm(first, "pm_card_visa") == "succeeded"
    stage.run()

    assert stage.statuses(payment) == ["provider 10000 settled", "provider 10000 canceled"]
    assert stage.charged() == [10000]
    stage.site.pass_time(timedelta(hours=24))
    stage.rest()
    assert stage.at_rest()


def test_fifty_clicks_with_one_key_get_one_answer(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    told: list[str] = []
    start = threading.Barrier(50)

    def click() -> None:
        start.wait()
        told.append(read(stage.desk.pay(invoice, key="one"))["id"])

    threads = [threading.Thread(target=click) for _ in range(50)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    stage.run()

    assert len(told) == 50
    assert len(set(told)) == 1
    assert stage.charged() == [10000]


def test_credits_that_stay_reserved_go_back_a_day_after_the_refusal(stage: Stage) -> None:
    customer = stage.customer("pm_card_chargeCustomerFail")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 refused"]

    stage.site.pass_time(timedelta(hours=23))
    stage.run()
    kept = stage.statuses(payment)[0]
    stage.site.pass_time(timedelta(hours=1))
    stage.run()

    assert kept == "credit 3000 reserved"
    assert stage.statuses(payment)[0] == "credit 3000 released"
    assert stage.at_rest()


def test_a_customer_confirms_in_the_browser(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    assert stage.statuses(payment) == ["provider 10000 requires_action"]

    assert stage.confirm(stage.intent_of(payment), "pm_card_visa") == "succeeded"
    stage.run()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert stage.at_rest()


def visa(stage: Stage, customer: str) -> str:
    sql = "select id from method where tenant = %(tenant)s and customer = %(customer)s order by created_at limit 1"
    return str(stage.rows(sql, customer=customer)[0]["id"])
