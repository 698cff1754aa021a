"""Money that others took, money that is too much or too little, debts that are given up, and invoices taken back."""

from datetime import timedelta

import pytest

from behaviours import behaviour
from counterfoil.core.terms import CollectionPolicy
from counterfoil.engine import collecting
from counterfoil.engine.looks import customer_state, look
from counterfoil.sim.desk import Terms, read
from scenarios.stage import BROWSER, Stage


def kept(stage: Stage, customer: str) -> list[tuple[int, int]]:
    """What is kept for a customer, and what of it open payments have reserved."""
    site = stage.site
    state = look(site.house, site.tenant, lambda tx: customer_state(tx, site.house, customer))
    assert state is not None
    return [(each["balance"]["amount"], each["reserved"]["amount"]) for each in state["balances"]]


def owed(stage: Stage, account: str) -> int:
    """Debits less credits of an account."""
    sql = """
        select coalesce(sum(case when debit = %(account)s then amount else -amount end), 0) as minor from posting
        where tenant = %(tenant)s and %(account)s in (debit, credit)
    """
    return int(stage.rows(sql, account=account)[0]["minor"])


# --- payments that others took ---


@behaviour("R-CO-18")
def test_a_bank_transfer_pays_an_invoice_and_is_recorded_once(stage: Stage) -> None:
    customer = stage.customer()
    invoice, other = stage.bill(customer, 10000), stage.bill(customer, 10000)

    first = stage.desk.external(invoice, 10000, "statement 7, line 3")
    again = stage.desk.external(other, 10000, "statement 7, line 3")

    assert (first.answer.status, read(first)["status"]) == (201, "succeeded")
    assert (stage.invoice(invoice)["status"], stage.invoice(invoice)["paid_with"]) == ("paid", "bank transfer")
    assert (again.answer.status, read(again)["code"]) == (409, "reference_taken")
    assert owed(stage, "clearing_external") == 10000
    assert stage.invoice(other)["status"] == "open"
    assert stage.questions() == []
    assert stage.at_rest()


@behaviour("R-CO-18")
def test_a_part_leaves_the_rest_to_be_collected(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)

    stage.desk.external(invoice, 4000, "cash 1", means="cash")
    stage.pay(invoice)
    stage.run()

    assert stage.questions() == ["underpaid"]
    assert stage.charged() == [6000]
    assert stage.invoice(invoice)["paid_with"] == "cash and visa 4242"
    assert stage.at_rest()


@behaviour("R-CO-18")
def test_what_was_paid_too_much_pays_next_after_credits_and_before_the_card(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    stage.desk.external(stage.bill(customer, 10000), 12500, "transfer 1")
    assert kept(stage, customer) == [(2500, 0)]

    payment = stage.pay(stage.bill(customer, 10000))
    assert kept(stage, customer) == [(2500, 2500)]
    stage.run()

    assert stage.statuses(payment) == ["credit 3000 settled", "balance 2500 settled", "provider 4500 settled"]
    assert kept(stage, customer) == [(0, 0)]
    assert stage.charged() == [4500]
    assert stage.questions() == ["overpaid"]
    assert stage.at_rest()


def test_a_balance_that_covers_everything_pays_without_the_provider(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.desk.external(stage.bill(customer, 1000), 12000, "transfer 1")
    asked = len(stage.requests("/v1/"))

    result = stage.desk.pay(stage.bill(customer, 10000))

    assert result.answer.status == 200
    stage.worker.work()
    assert len(stage.requests("/v1/")) == asked
    assert kept(stage, customer) == [(1000, 0)]
    assert stage.at_rest()


def test_a_balance_pays_only_when_it_may_and_goes_back_when_the_payment_is_given_up(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.desk.external(stage.bill(customer, 1000), 3000, "transfer 1")
    invoice = stage.bill(customer, 10000)

    payment = stage.pay(invoice, terms=Terms(confirm=BROWSER.confirm))
    stage.run()
    stage.desk.cancel(payment)
    stage.run()
    assert kept(stage, customer) == [(2000, 0)]
    site = stage.site
    collecting.declare_policy(site.house, site.tenant, CollectionPolicy(uses_balance=False))
    payment = stage.pay(invoice)
    stage.run()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert kept(stage, customer) == [(2000, 0)]
    assert stage.at_rest()


def test_two_payments_at_once_share_the_balance(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    stage.desk.external(stage.bill(customer, 1000), 3500, "transfer 1")

    first, second = stage.pay(stage.bill(customer, 10000)), stage.pay(stage.bill(customer, 10000))
    stage.run()

    assert stage.statuses(first) == ["balance 2500 settled", "provider 7500 settled"]
    assert stage.statuses(second) == ["provider 10000 settled"]
    assert stage.at_rest()


@behaviour("R-CO-18")
@pytest.mark.parametrize("minor", [10000, 4000], ids=["all of it", "a part"])
def test_money_that_comes_while_a_card_is_asked_stops_the_card(stage: Stage, minor: int) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()

    stage.desk.external(invoice, minor, "transfer 1")
    stage.run()

    assert stage.statuses(payment) == ["credit 3000 released", "provider 7000 canceled"]
    held = stage.invoice(invoice)
    assert (held["status"], held["paid_minor"]) == ("paid" if minor == 10000 else "open", minor)
    assert stage.charged() == []
    assert stage.at_rest()


@behaviour("R-CO-18", "R-CO-19")
def test_a_card_that_took_money_all_the_same_is_recorded_kept_and_told(stage: Stage) -> None:
    """The card and a transfer pay the same invoice: both are on the books, and one of them is the customer's."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.finish(stage.until("order.send"))
    stage.worker.step(stage.until("order.send"))
    assert stage.charged() == [10000]

    stage.desk.external(invoice, 10000, "transfer 1")
    stage.run()

    assert stage.statuses(payment) == ["provider 10000 settled"]
    assert kept(stage, customer) == [(10000, 0)]
    assert stage.questions() == ["duplicate_payment"]
    assert stage.at_rest()


@behaviour("R-CO-18")
def test_money_for_what_is_void_is_kept_and_told(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    stage.desk.void(invoice)

    result = stage.desk.external(invoice, 10000, "transfer 1")

    assert result.answer.status == 201
    assert stage.invoice(invoice)["status"] == "void"
    assert kept(stage, customer) == [(10000, 0)]
    assert stage.questions() == ["paid_when_void"]
    assert stage.at_rest()


# --- debts that are given up ---


def test_a_debt_that_is_given_up_is_a_loss_and_later_money_makes_it_smaller(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)

    stage.desk.write_off(invoice)
    assert stage.invoice(invoice)["status"] == "uncollectible"
    assert (owed(stage, "bad_debt"), owed(stage, f"receivable:{customer}")) == (10000, 0)
    assert stage.sound()
    stage.desk.external(invoice, 4000, "transfer 1")
    assert (stage.invoice(invoice)["status"], owed(stage, "bad_debt")) == ("uncollectible", 6000)
    assert stage.sound()
    stage.desk.external(invoice, 6000, "transfer 2")

    assert stage.invoice(invoice)["status"] == "paid"
    assert (owed(stage, "bad_debt"), owed(stage, f"receivable:{customer}")) == (0, 0)
    assert stage.at_rest()


def test_a_debt_that_was_given_up_can_be_taken_back(stage: Stage) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    stage.desk.write_off(invoice)

    twice = stage.desk.write_off(invoice)
    stage.desk.void(invoice)

    assert twice.answer.status == 200
    assert stage.invoice(invoice)["status"] == "void"
    assert (owed(stage, "bad_debt"), owed(stage, f"receivable:{customer}"), owed(stage, "revenue")) == (0, 0, 0)
    assert stage.at_rest()


@behaviour("R-SU-12")
def test_what_was_reserved_for_a_debt_that_is_given_up_comes_back(stage: Stage) -> None:
    customer = stage.customer("pm_card_chargeCustomerFail")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 refused"]

    stage.desk.write_off(invoice)
    stage.run()

    assert stage.statuses(payment) == ["credit 3000 released", "provider 7000 canceled"]
    assert stage.at_rest()


# --- invoices that are taken back ---


@behaviour("R-SU-12")
def test_an_invoice_is_void_once_its_collector_has_ended_and_twice_is_once(stage: Stage) -> None:
    """getlago/lago-api#3703: two voids gave the credits back twice."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()

    first = read(stage.desk.void(invoice))
    second = read(stage.desk.void(invoice))
    assert (first["status"], first["void_asked_at"]) == (second["status"], second["void_asked_at"])
    assert first["void_asked_at"]
    assert stage.desk.pay(invoice).answer.status in (409, 422)
    stage.run()
    stage.desk.void(invoice)

    assert stage.invoice(invoice)["status"] == "void"
    assert stage.statuses(payment) == ["credit 3000 released", "provider 7000 canceled"]
    (lot,) = stage.rows("select remaining, held from grant_lot where tenant = %(tenant)s")
    assert (lot["remaining"], lot["held"]) == (30_000_000, 0)
    assert len(stage.rows("select entry from posting where tenant = %(tenant)s and entry like '%%:voided'")) == 1
    assert stage.events("invoice.voided") == 1
    assert stage.at_rest()


def test_money_that_was_faster_than_the_void_is_told(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    stage.pay(invoice, terms=BROWSER)
    stage.run()
    intent = stage.rows("select provider_ref from leg where tenant = %(tenant)s")[0]["provider_ref"]

    stage.desk.void(invoice)
    stage.confirm(intent, "pm_card_visa")
    stage.run()

    held = stage.invoice(invoice)
    assert (held["status"], held["void_asked_at"]) == ("paid", None)
    assert stage.questions() == ["paid_when_void"]
    assert stage.at_rest()


# --- one payment of several invoices ---


@behaviour("R-CO-17")
def test_one_payment_pays_several_invoices_by_what_each_still_owes(stage: Stage) -> None:
    customer = stage.customer("pm_card_visa")
    first, second = stage.bill(customer, 4000), stage.bill(customer, 6000)
    stage.desk.external(first, 1000, "cash 1")

    payment = stage.pay(first, second)
    stage.run()

    assert stage.charged() == [9000]
    sql = "select a.minor from allocation a join leg l on l.tenant = a.tenant and l.id = a.leg "
    shares = stage.rows(sql + "where a.tenant = %(tenant)s and l.payment = %(id)s order by a.minor", id=payment)
    assert [each["minor"] for each in shares] == [3000, 6000]
    assert {stage.invoice(each)["status"] for each in (first, second)} == {"paid"}
    assert stage.at_rest()


@behaviour("R-CO-17")
@pytest.mark.parametrize("minor", [9999, 10001])
def test_a_payment_of_several_invoices_that_does_not_fit_is_held(stage: Stage, minor: int) -> None:
    """Nobody has said whose the difference is: nothing is settled by it until a person has."""
    customer = stage.customer()
    first, second = stage.bill(customer, 4000), stage.bill(customer, 6000)
    intent = stage.intent(customer, minor, "pm_card_visa")

    stage.desk.pay(first, second, terms=Terms(provider_ref=intent))
    stage.run()

    assert {stage.invoice(each)["status"] for each in (first, second)} == {"open"}
    assert "amount_mismatch" in stage.questions()
    assert owed(stage, f"suspense:{intent}") == -minor
    assert stage.at_rest()


# --- how long credits stay reserved ---


@behaviour("R-SU-12")
def test_credits_stay_reserved_after_a_refusal_as_long_as_the_policy_says(stage: Stage) -> None:
    site = stage.site
    collecting.declare_policy(site.house, site.tenant, CollectionPolicy(credits_kept_for_s=3600))
    customer = stage.customer("pm_card_chargeCustomerFail")
    stage.credits(customer, 3000)
    payment = stage.pay(stage.bill(customer, 10000))
    stage.run()
    assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 refused"]

    site.pass_time(timedelta(hours=1, seconds=1))
    stage.run()

    assert stage.statuses(payment)[0] == "credit 3000 released"
    assert stage.at_rest()
