"""Credits are bought: by an invoice of ours, by somebody else's, for nothing; now and later; and given once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from behaviours import behaviour
from counterfoil.core.books import Confirmation
from counterfoil.core.bought import GrantTiming, Settlement
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.sim.desk import Order, Terms, read
from counterfoil.store.database import Row
from scenarios.stage import Stage

DAY = timedelta(days=1)
EXTERNAL, PROMOTIONAL = Settlement.EXTERNAL, Settlement.PROMOTIONAL
AUTHORIZED, SETTLED = PurchaseStatus.AUTHORIZED, PurchaseStatus.SETTLED


def shop(stage: Stage, *cards: str) -> tuple[str, str]:
    """A customer with these cards, and an empty wallet."""
    customer = stage.customer(*(cards or ("pm_card_visa",)))
    return customer, read(stage.desk.wallet(customer))["id"]


def row(stage: Stage, purchase: str) -> Row:
    (found,) = stage.rows("select * from purchase where tenant = %(tenant)s and id = %(id)s", id=purchase)
    return found


def bought(stage: Stage, **order: Any) -> str:
    """Buy, and give the purchase's id."""
    identity: str = read(stage.desk.buy(Order(**order)))["id"]
    return identity


def lots(stage: Stage) -> list[tuple[int, int, int]]:
    """Amount, what is left and cost of every lot, in whole credits and cents."""
    sql = "select amount, remaining, cost_minor from grant_lot where tenant = %(tenant)s order by id"
    return [(each["amount"] // 10**6, each["remaining"] // 10**6, each["cost_minor"]) for each in stage.rows(sql)]


def entries(stage: Stage, subject: str) -> list[str]:
    """The steps that were booked of a subject, in order."""
    sql = """
        select entry, min(position) as at from posting where tenant = %(tenant)s and subject = %(subject)s
        group by entry order by at
    """
    return [each["entry"].rpartition(":")[2] for each in stage.rows(sql, subject=subject)]


# --- settled by an invoice of ours ---


@behaviour("R-CW-12")
def test_a_purchase_is_on_the_books_before_anybody_is_asked_for_money(stage: Stage) -> None:
    customer, wallet = shop(stage)

    result = stage.desk.buy(Order(customer, wallet))

    assert stage.requests("/v1/payment_intents") == []
    assert (result.answer.status, read(result)["status"]) == (202, "pending")
    assert row(stage, read(result)["id"])["line"]
    assert lots(stage) == []
    stage.run()
    assert stage.answer(result) == (201, "settled")
    assert lots(stage) == [(20, 20, 2000)]
    assert stage.charged() == [2000]
    assert stage.at_rest()


@behaviour("R-CW-11")
def test_what_is_bought_twice_adds_up(stage: Stage) -> None:
    customer, wallet = shop(stage)

    for credits, cents in (("500", 1000), ("1000", 2000)):
        bought(stage, customer=customer, wallet=wallet, credits=credits, cents=cents)
        stage.run()

    assert lots(stage) == [(500, 500, 1000), (1000, 1000, 2000)]
    bought(stage, customer=customer, wallet=wallet, credits="1000", cents=2000)
    stage.run()
    assert sum(left for _, left, _ in lots(stage)) == 2500
    assert stage.at_rest()


def test_a_refused_card_fails_the_purchase_and_a_success_after_it_completes_it(stage: Stage) -> None:
    customer, wallet = shop(stage, "pm_card_chargeCustomerFail")
    result = stage.desk.buy(Order(customer, wallet))
    stage.run()

    assert stage.answer(result) == (402, "failed")
    held = row(stage, read(result)["id"])
    assert (held["failures"], held["failure_code"], held["grant_lot"]) == (1, "generic_decline", None)
    assert lots(stage) == []
    assert stage.events("purchase.failed") == 1

    stage.desk.method(customer, "pm_card_visa")
    stage.run()
    stage.pay(held["invoice"])
    stage.run()

    assert (row(stage, held["id"])["status"], row(stage, held["id"])["failures"]) == ("settled", 1)
    assert lots(stage) == [(20, 20, 2000)]
    assert stage.at_rest()


def test_a_failure_is_counted_once_a_try_however_often_it_is_told(stage: Stage) -> None:
    customer, wallet = shop(stage, "pm_card_chargeCustomerFail")
    purchase = bought(stage, customer=customer, wallet=wallet)
    stage.work()
    for parcel in list(stage.post.under_way):
        stage.post.bring(parcel, keep=True)
    stage.run()
    assert row(stage, purchase)["failures"] == 1

    stage.pay(row(stage, purchase)["invoice"])
    stage.rest()

    assert row(stage, purchase)["failures"] == 2
    assert stage.events("purchase.failed") == 2
    assert stage.at_rest()


def test_credits_never_pay_for_credits(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    wallet = stage.credits(customer, 5000)

    purchase = bought(stage, customer=customer, wallet=wallet)
    by_timer = bought(stage, customer=customer, wallet=wallet, invoice_at=later(stage, DAY))
    stage.run()
    stage.site.pass_time(DAY)
    stage.run()

    assert [row(stage, each)["card_minor"] for each in (purchase, by_timer)] == [2000, 2000]
    assert stage.charged() == [2000, 2000]
    assert lots(stage) == [(50, 50, 5000), (20, 20, 2000), (20, 20, 2000)]
    assert stage.at_rest()


def test_an_invoice_that_is_void_cancels_what_it_billed(stage: Stage) -> None:
    customer, wallet = shop(stage, "pm_card_chargeCustomerFail")
    purchase = bought(stage, customer=customer, wallet=wallet)
    stage.run()

    stage.desk.void(row(stage, purchase)["invoice"])
    stage.run()

    assert row(stage, purchase)["status"] == "canceled"
    assert lots(stage) == []
    assert stage.at_rest()


def test_early_credits_are_taken_back_when_nobody_pays(stage: Stage) -> None:
    customer, wallet = shop(stage, "pm_card_chargeCustomerFail")
    purchase = bought(stage, customer=customer, wallet=wallet, timing=GrantTiming.AT_PURCHASE)
    assert lots(stage) == [(20, 20, 2000)]
    assert stage.sound()
    stage.run()
    spent = stage.bill(customer, 500)
    stage.pay(spent)
    stage.run()
    assert stage.invoice(spent)["status"] == "paid"
    assert stage.sound()

    stage.desk.cancel_purchase(purchase)
    stage.run()

    assert row(stage, purchase)["status"] == "canceled"
    assert lots(stage) == [(20, 0, 500)]
    assert entries(stage, row(stage, purchase)["grant_lot"]) == ["issued", "reversed"]
    assert stage.at_rest()


def test_early_credits_stay_when_the_money_comes_and_are_not_given_again(stage: Stage) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, timing=GrantTiming.AT_PURCHASE)
    stage.run()

    assert row(stage, purchase)["status"] == "settled"
    assert lots(stage) == [(20, 20, 2000)]
    assert stage.at_rest()


def test_what_is_not_paid_in_time_is_given_up(stage: Stage) -> None:
    customer, wallet = shop(stage)
    waits = bought(stage, customer=customer, wallet=wallet, confirm=Confirmation.CLIENT)
    stage.run()
    assert row(stage, waits)["status"] == "pending"

    stage.site.pass_time(timedelta(hours=24, seconds=1))
    stage.run()
    stage.site.pass_time(timedelta(minutes=6))
    stage.run()

    assert row(stage, waits)["status"] == "canceled"
    assert stage.invoice(row(stage, waits)["invoice"])["status"] == "void"
    assert stage.at_rest()


# --- settled by somebody else ---


@behaviour("R-OM-1")
@pytest.mark.parametrize("begins", [PurchaseStatus.PENDING, AUTHORIZED, SETTLED])
def test_what_others_collect_begins_where_they_say(stage: Stage, begins: PurchaseStatus) -> None:
    customer, wallet = shop(stage)

    purchase = bought(stage, customer=customer, wallet=wallet, settlement=EXTERNAL, begins=begins)
    free = bought(stage, customer=customer, wallet=wallet, settlement=PROMOTIONAL, cents=0)

    assert row(stage, purchase)["status"] == begins
    assert row(stage, free)["status"] == "settled"
    given = [(20, 20, 2000)] if begins is SETTLED else []
    assert sorted(lots(stage)) == sorted([*given, (20, 20, 0)])
    assert stage.charged() == []
    assert stage.sound()


@behaviour("R-OM-5")
@behaviour("R-OM-6")
@behaviour("R-OM-7")
@pytest.mark.parametrize(
    "steps",
    [
        (AUTHORIZED, SETTLED),
        (SETTLED, AUTHORIZED),
        (AUTHORIZED, AUTHORIZED, SETTLED, SETTLED, AUTHORIZED),
        (SETTLED, SETTLED),
    ],
)
def test_steps_are_taken_once_and_in_order_whatever_the_order_they_are_told_in(
    stage: Stage, steps: tuple[PurchaseStatus, ...]
) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, settlement=EXTERNAL)

    for step in steps:
        assert stage.desk.step_purchase(purchase, step).answer.status == 200

    held = row(stage, purchase)
    assert (held["status"], held["external_minor"]) == ("settled", 2000)
    assert entries(stage, purchase) == ["authorized", "settled"]
    assert entries(stage, held["grant_lot"]) == ["issued"]
    assert lots(stage) == [(20, 20, 2000)]
    assert stage.events("purchase.authorized") == stage.events("purchase.settled") == 1
    assert stage.sound()


def test_what_others_collect_is_canceled_by_its_way_back_and_late_money_is_a_question(stage: Stage) -> None:
    customer, wallet = shop(stage)
    order = {"customer": customer, "wallet": wallet, "settlement": EXTERNAL, "timing": GrantTiming.AT_PURCHASE}
    purchase = bought(stage, begins=AUTHORIZED, **order)
    assert stage.sound()

    stage.desk.cancel_purchase(purchase)
    stage.desk.cancel_purchase(purchase)

    assert entries(stage, purchase) == ["authorized", "canceled"]
    assert lots(stage) == [(20, 0, 0)]
    assert stage.sound()
    stage.desk.step_purchase(purchase, SETTLED)
    assert row(stage, purchase)["status"] == "held"
    assert stage.questions() == ["purchase_mismatch"]
    assert lots(stage) == [(20, 0, 0)]
    assert stage.sound()


@behaviour("R-OM-18")
def test_void_twice_is_one_void_and_what_is_left_leaves_once(stage: Stage) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, settlement=EXTERNAL, begins=SETTLED)
    stage.pay(stage.bill(customer, 500))
    stage.run()

    first, second = stage.desk.void_purchase(purchase), stage.desk.void_purchase(purchase)

    assert (first.answer.status, second.answer.status) == (200, 200)
    held = row(stage, purchase)
    assert (held["status"], held["clawed"] // 10**6) == ("voided", 15)
    assert lots(stage) == [(20, 0, 2000)]
    assert stage.events("purchase.voided") == 1
    assert stage.sound()


def test_a_step_is_refused_of_what_we_collect_ourselves_and_after_the_end(stage: Stage) -> None:
    customer, wallet = shop(stage)
    ours = bought(stage, customer=customer, wallet=wallet)
    theirs = bought(stage, customer=customer, wallet=wallet, settlement=EXTERNAL)
    stage.desk.cancel_purchase(theirs)

    refused = [
        stage.desk.step_purchase(ours, SETTLED),
        stage.desk.step_purchase(theirs, AUTHORIZED),
        stage.desk.void_purchase(theirs),
    ]

    assert [read(each)["code"] for each in refused] == [
        "purchase_collected_by_invoice",
        "purchase_closed",
        "purchase_not_settled",
    ]
    assert {each.answer.status for each in refused} == {409}


# --- billed later ---


def later(stage: Stage, by: timedelta = 30 * DAY) -> datetime:
    now: datetime = stage.site.clock.now()
    return now + by


def test_a_purchase_that_is_billed_later_settles_without_another_call(stage: Stage) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, invoice_at=later(stage), about="For July")

    assert row(stage, purchase)["status"] == "scheduled"
    assert [each["status"] for each in stage.rows("select status from pending_line")] == ["waiting"]
    stage.rest()
    assert stage.charged() == []

    stage.site.pass_time(30 * DAY)
    stage.run()

    held = row(stage, purchase)
    assert held["status"] == "settled"
    assert stage.invoice(held["invoice"])["description"] == "For July"
    assert (stage.charged(), lots(stage)) == ([2000], [(20, 20, 2000)])
    (line,) = stage.rows("select * from pending_line")
    assert (line["status"], line["invoice"], line["line"]) == ("invoiced", held["invoice"], held["line"])
    assert stage.at_rest()


@behaviour("R-OM-9")
@behaviour("R-OM-11")
@behaviour("R-OM-16")
def test_everything_that_is_due_is_billed_by_one_invoice_and_each_purchase_finds_its_own_line(stage: Stage) -> None:
    customer, wallet = shop(stage)
    at = later(stage)
    stage.desk.bill_later(customer, 700, at, about="Support in July")
    stage.desk.bill_later(customer, 700, at, about="More of it")
    first = bought(stage, customer=customer, wallet=wallet, invoice_at=at, about="Ours")
    second = bought(stage, customer=customer, wallet=wallet, credits="10", cents=1000, invoice_at=at)

    stage.site.pass_time(30 * DAY)
    stage.run()

    one, two = row(stage, first), row(stage, second)
    assert one["invoice"] == two["invoice"]
    assert (stage.invoice(one["invoice"])["total_minor"], stage.invoice(one["invoice"])["description"]) == (4400, "")
    billed = {
        each["id"]: (each["purchase"], each["net_minor"])
        for each in stage.rows("select * from invoice_line where invoice = %(id)s", id=one["invoice"])
    }
    assert (billed[one["line"]], billed[two["line"]]) == ((first, 2000), (second, 1000))
    assert stage.charged() == [4400]
    assert sorted(lots(stage)) == [(10, 10, 1000), (20, 20, 2000)]
    assert stage.at_rest()


def test_a_purchase_that_was_canceled_before_its_date_is_never_billed(stage: Stage) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, invoice_at=later(stage))

    assert read(stage.desk.cancel_purchase(purchase))["status"] == "canceled"
    stage.site.pass_time(31 * DAY)
    stage.rest()

    assert stage.rows("select id from invoice") == []
    assert stage.at_rest()


@behaviour("R-OM-8")
def test_a_purchase_that_is_asked_for_again_has_one_line(stage: Stage) -> None:
    customer, wallet = shop(stage)
    order = Order(customer, wallet, invoice_at=later(stage), external_id="order-7")

    answers = [stage.desk.buy(order, key) for key in ("first", "first", "again", None)]

    assert len({read(each)["id"] for each in answers}) == 1
    other = stage.desk.buy(Order(customer, wallet, credits="21", external_id="order-7"))
    assert (other.answer.status, read(other)["code"]) == (409, "external_id_taken")
    assert len(stage.rows("select id from pending_line")) == 1
    stage.site.pass_time(31 * DAY)
    stage.rest()
    assert (stage.charged(), lots(stage)) == ([2000], [(20, 20, 2000)])
    assert stage.at_rest()


@pytest.mark.parametrize("paid", [1999, 2000, 2999, 3000])
def test_a_part_of_the_money_buys_whole_lines_in_their_order(stage: Stage, paid: int) -> None:
    """Of 20 and 10 dollars on one invoice: what does not reach the end of a line does not buy it."""
    customer, wallet = shop(stage)
    at = later(stage)
    first = bought(stage, customer=customer, wallet=wallet, invoice_at=at)
    second = bought(stage, customer=customer, wallet=wallet, credits="10", cents=1000, invoice_at=at)
    stage.rows("update customer set paused = true where tenant = %(tenant)s returning id")
    stage.site.pass_time(30 * DAY)
    stage.run()
    stage.rows("update customer set paused = false where tenant = %(tenant)s returning id")

    invoice = row(stage, first)["invoice"]
    intent = stage.intent(customer, paid, "pm_card_visa")
    stage.desk.pay(invoice, terms=claim(intent))
    stage.run()

    assert stage.invoice(invoice)["paid_minor"] == paid
    statuses = (row(stage, first)["status"], row(stage, second)["status"])
    assert statuses == {1999: ("pending", "pending"), 3000: ("settled", "settled")}.get(paid, ("settled", "pending"))
    assert stage.sound()


def claim(intent: str) -> Terms:
    return Terms(provider_ref=intent)
