"""A purchase and its invoice: written in one step, linked once, moved by payment alone, healed by what comes next."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg.errors import ForeignKeyViolation, UniqueViolation

from behaviours import behaviour
from counterfoil.core.books import Confirmation
from counterfoil.core.bought import GrantTiming
from counterfoil.engine import catalogue
from counterfoil.sim.desk import Order, Terms, read
from counterfoil.sim.trouble import Trouble
from counterfoil.store.database import CommitUnknown
from scenarios.stage import Stage
from scenarios.test_purchases import DAY, bought, later, lots, row, shop


def paused(stage: Stage, customer: str, is_paused: bool) -> None:
    """A person stops, or lets, everything be collected from a customer."""
    sql = "update customer set paused = %(paused)s where tenant = %(tenant)s and id = %(id)s returning id"
    assert stage.rows(sql, id=customer, paused=is_paused)


def billed(stage: Stage, **order: Any) -> str:
    """A purchase on an invoice that nobody collects yet."""
    purchase = bought(stage, invoice_at=later(stage), **order)
    paused(stage, order["customer"], True)
    stage.site.pass_time(30 * DAY)
    stage.run()
    paused(stage, order["customer"], False)
    return purchase


@behaviour("R-OM-2")
def test_a_purchase_its_credits_and_its_line_are_one_commit_or_none(stage: Stage) -> None:
    """The origin wrote the line afterwards, if all went well."""
    customer, wallet = shop(stage)
    order = Order(customer, wallet, invoice_at=later(stage), timing=GrantTiming.AT_PURCHASE)
    tables = ("purchase", "pending_line", "grant_lot")

    stage.commits.extend([Trouble.COMMIT_LOST] * 20)
    with pytest.raises(CommitUnknown):
        stage.desk.buy(order, "one")
    stage.commits.clear()
    assert [len(stage.rows(f"select id from {table}")) for table in tables] == [0, 0, 0]

    stage.commits.append(Trouble.ACKNOWLEDGEMENT_LOST)
    purchase = read(stage.desk.buy(order, "one"))["id"]
    assert [len(stage.rows(f"select id from {table}")) for table in tables] == [1, 1, 1]
    sql = "select distinct decision from posting where tenant = %(tenant)s and subject = %(lot)s"
    (posted,) = stage.rows(sql, lot=row(stage, purchase)["grant_lot"])
    about = stage.rows("select subject from decision_about where decision = %(id)s", id=posted["decision"])
    assert purchase in {each["subject"] for each in about}
    assert stage.sound()


@behaviour("R-OM-3")
@pytest.mark.parametrize("by", [timedelta(days=-2), timedelta(), timedelta(days=30)])
def test_what_is_due_is_billed_at_once_and_what_is_not_by_itself_on_its_day(stage: Stage, by: timedelta) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, invoice_at=later(stage, by))
    is_later = by > timedelta()

    assert row(stage, purchase)["status"] == ("scheduled" if is_later else "pending")
    assert len(stage.rows("select id from pending_line where line is null")) == is_later
    stage.site.pass_time(max(by, timedelta()))
    stage.run()

    held = row(stage, purchase)
    assert (held["status"], held["authorized_at"] <= held["settled_at"]) == ("settled", True)
    assert (stage.charged(), lots(stage)) == ([2000], [(20, 20, 2000)])
    assert stage.at_rest()


@behaviour("R-OM-4")
@behaviour("R-OM-19")
def test_an_invoice_that_is_written_and_not_paid_links_the_purchase_and_does_nothing_else(stage: Stage) -> None:
    customer, wallet = shop(stage)
    purchase = billed(stage, customer=customer, wallet=wallet)
    before = row(stage, purchase)

    stage.rest()

    assert (before["status"], before["authorized_at"], before["grant_lot"]) == ("pending", None, None)
    assert row(stage, purchase) == before
    assert lots(stage) == []
    assert stage.events("purchase.authorized") == stage.events("purchase.settled") == 0
    (line,) = stage.rows("select * from invoice_line where purchase = %(id)s", id=purchase)
    assert (line["id"], line["invoice"]) == (before["line"], before["invoice"])
    assert stage.sound()
    stage.pay(before["invoice"])
    stage.run()
    assert row(stage, purchase)["status"] == "settled"


@behaviour("R-OM-10")
@pytest.mark.parametrize("trouble", [Trouble.COMMIT_LOST, Trouble.ACKNOWLEDGEMENT_LOST])
def test_what_fails_after_a_purchase_was_made_is_never_said_to_have_failed_it(stage: Stage, trouble: Trouble) -> None:
    """The purchase stands, and what has to come after it is tried again until it is there, once."""
    customer, wallet = shop(stage)
    result = stage.desk.buy(Order(customer, wallet, invoice_at=later(stage)))
    assert (result.answer.status, read(result)["status"]) == (201, "scheduled")

    stage.site.pass_time(30 * DAY)
    flow = stage.until("inbox.decide")
    stage.commits.append(trouble)
    stage.finish(flow)
    stage.trouble("status", "/v1/payment_intents", status=500)
    stage.rest()

    held = row(stage, read(result)["id"])
    assert held["status"] == "settled"
    assert len(stage.rows("select id from invoice")) == 1
    assert (stage.charged(), lots(stage)) == ([2000], [(20, 20, 2000)])
    assert stage.at_rest()


@behaviour("R-OM-12")
def test_a_step_that_was_left_out_is_taken_before_the_next_one(stage: Stage) -> None:
    """A line fell due while its customer's timer was lost with its worker: whatever comes next takes it along."""
    customer, wallet = shop(stage)
    at = later(stage, DAY)
    purchase = bought(stage, customer=customer, wallet=wallet, invoice_at=at)
    assert stage.rows("delete from work where queue in ('inbox', 'sweep') returning id")
    stage.site.pass_time(2 * DAY)
    stage.run()
    assert row(stage, purchase)["status"] == "scheduled"

    stage.desk.bill_later(customer, 700, stage.site.clock.now())
    stage.run()

    held = row(stage, purchase)
    assert (held["status"], stage.invoice(held["invoice"])["total_minor"]) == ("settled", 2700)
    assert stage.charged() == [2700]


@behaviour("R-OM-13")
def test_a_purchase_is_on_one_line_of_its_own_customer_or_the_books_refuse(stage: Stage) -> None:
    customer, wallet = shop(stage)
    first = bought(stage, customer=customer, wallet=wallet)
    second = bought(stage, customer=customer, wallet=wallet, invoice_at=later(stage))
    stage.run()
    line = row(stage, first)["line"]

    with pytest.raises(UniqueViolation):
        stage.rows("update purchase set line = %(line)s, invoice = 'x' where id = %(id)s", line=line, id=second)
    with pytest.raises(UniqueViolation):
        stage.rows(
            "insert into invoice_line "
            "(tenant, id, invoice, position, kind, description, net_minor, tax_minor, purchase) "
            "select tenant, 'line_x', invoice, 7, kind, description, net_minor, tax_minor, purchase "
            "from invoice_line where id = %(line)s",
            line=line,
        )
    with pytest.raises(ForeignKeyViolation):
        stage.rows("update purchase set invoice = 'inv_x', line = 'line_x' where id = %(id)s returning id", id=second)
    assert stage.sound()


@behaviour("R-OM-20")
@pytest.mark.parametrize(("paid", "settled"), [(1999, 0), (2000, 1), (2999, 1), (3000, 2)])
def test_purchases_on_one_invoice_are_paid_line_by_line_whole_lines_only(stage: Stage, paid: int, settled: int) -> None:
    """20 and 10 dollars on one invoice. All of it settles both; a part reaches as far as whole lines go, in order."""
    customer, wallet = shop(stage)
    at = later(stage)
    first = bought(stage, customer=customer, wallet=wallet, invoice_at=at)
    second = bought(stage, customer=customer, wallet=wallet, credits="10", cents=1000, invoice_at=at)
    paused(stage, customer, True)
    stage.site.pass_time(30 * DAY)
    stage.run()
    paused(stage, customer, False)

    intent = stage.intent(customer, paid, "pm_card_visa")
    stage.desk.pay(row(stage, first)["invoice"], terms=Terms(provider_ref=intent))
    stage.run()

    statuses = [row(stage, each)["status"] for each in (first, second)]
    assert statuses == ["settled"] * settled + ["pending"] * (2 - settled)
    assert lots(stage) == [(20, 20, 2000), (10, 10, 1000)][:settled]
    assert stage.sound()


@behaviour("R-LG-22")
def test_what_a_customer_does_not_confirm_in_time_is_given_up_and_its_share_of_the_cap_comes_back(
    stage: Stage,
) -> None:
    """35 minutes, by policy; what the bank is working on is kept."""
    customer, wallet = shop(stage)
    terms = {"gives_up_after_s": 35 * 60, "caps": [{"amount": 2500, "currency": "USD"}]}
    catalogue.declare(stage.site.house, stage.site.tenant, {"policy": terms})
    waits = bought(stage, customer=customer, wallet=wallet, confirm=Confirmation.CLIENT)
    stage.run()
    assert stage.desk.buy(Order(customer, wallet)).answer.status == 422

    stage.site.pass_time(timedelta(minutes=35, seconds=1))
    stage.run()
    stage.site.pass_time(timedelta(minutes=6))
    stage.run()

    held = row(stage, waits)
    assert (held["status"], stage.invoice(held["invoice"])["status"]) == ("canceled", "void")
    stage.desk.method(customer, "pm_usBankAccount_success")
    stage.run()
    slow = stage.desk.buy(Order(customer, wallet))
    assert slow.answer.status == 202
    stage.run()
    stage.site.pass_time(timedelta(minutes=40))
    stage.run()
    assert row(stage, read(slow)["id"])["status"] == "pending"
    stage.site.pass_time(7 * DAY)
    stage.rest()
    assert row(stage, read(slow)["id"])["status"] == "settled"
    assert lots(stage) == [(20, 20, 2000)]


@behaviour("R-LG-23")
def test_a_purchase_has_one_owner_and_waits_for_money_that_takes_its_time(stage: Stage) -> None:
    """A debit under way brings nothing, and nobody else may collect meanwhile; its end brings the credits, once."""
    customer, wallet = shop(stage, "pm_usBankAccount_success")
    purchase = bought(stage, customer=customer, wallet=wallet)
    stage.run()
    invoice = row(stage, purchase)["invoice"]

    other = stage.desk.pay(invoice, terms=Terms(confirm=Confirmation.CLIENT))

    assert (other.answer.status, read(other)["code"]) == (409, "payment_in_progress")
    assert (row(stage, purchase)["status"], lots(stage)) == ("pending", [])
    stage.site.pass_time(7 * DAY)
    stage.rest()
    assert row(stage, purchase)["status"] == "settled"
    assert (lots(stage), stage.charged()) == ([(20, 20, 2000)], [2000])
    assert stage.at_rest()


@behaviour("R-LG-25")
def test_success_after_a_refusal_completes_and_a_late_refusal_changes_nothing(stage: Stage) -> None:
    customer, wallet = shop(stage)
    purchase = bought(stage, customer=customer, wallet=wallet, confirm=Confirmation.CLIENT)
    stage.work()
    (payment,) = stage.rows("select id from payment")
    intent = stage.intent_of(payment["id"])
    stage.confirm(intent, "pm_card_chargeCustomerFail")
    failure = stage.parcel("payment_intent.payment_failed")
    stage.bring("charge.failed")
    stage.worker.work()
    assert row(stage, purchase)["status"] == "failed"
    stage.confirm(intent, "pm_card_visa")
    stage.bring("payment_intent.succeeded")
    stage.worker.work()
    assert row(stage, purchase)["status"] == "settled"

    stage.post.bring(failure)
    stage.rest()

    assert (row(stage, purchase)["status"], row(stage, purchase)["failures"]) == ("settled", 1)
    assert lots(stage) == [(20, 20, 2000)]
    assert stage.at_rest()
