"""Bank debits: on their way for days, refused after everything looked well, and never charged or given twice."""

from datetime import timedelta

from behaviours import behaviour
from counterfoil.sim.desk import Terms, read
from scenarios.stage import Stage


def method(stage: Stage, customer: str, token: str) -> str:
    identity: str = read(stage.desk.method(customer, token))["id"]
    stage.run()
    return identity


@behaviour("R-SU-24", "R-SU-12")
def test_a_debit_that_is_under_way_for_days_keeps_the_credits_and_is_asked_once(stage: Stage) -> None:
    customer = stage.customer("pm_usBankAccount_success")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()

    for _ in range(3):
        stage.site.pass_time(timedelta(days=1))
        stage.run()
        assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 processing"]
        assert stage.desk.pay(invoice).answer.status == 409
        assert stage.invoice(invoice)["payment_status"] == "processing"
    stage.site.pass_time(timedelta(days=2))
    stage.rest()

    assert stage.statuses(payment) == ["credit 3000 settled", "provider 7000 settled"]
    assert stage.charged() == [7000]
    assert stage.events("invoice.paid") == 1
    assert stage.at_rest()


@behaviour("R-SU-24", "R-SU-12")
def test_a_debit_that_fails_after_days_leaves_the_credits_for_a_retry(stage: Stage) -> None:
    """It was confirmed and accepted, and the bank says no four days later: nothing was paid, and the card pays the
    rest only."""
    customer = stage.customer("pm_usBankAccount_insufficientFunds")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    assert stage.invoice(invoice)["payment_status"] == "processing"

    stage.site.pass_time(timedelta(days=5))
    stage.run()
    assert stage.statuses(payment) == ["credit 3000 reserved", "provider 7000 refused"]
    assert stage.invoice(invoice)["status"] == "open"
    stage.pay(invoice, terms=Terms(method=method(stage, customer, "pm_card_visa")))
    stage.rest()

    assert stage.statuses(payment)[-1] == "provider 7000 settled"
    assert [each["status"] for each in stage.legs(payment)].count("settled") == 2
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.events("invoice.paid") == 1
    assert stage.at_rest()


@behaviour("R-SU-24", "R-SU-12")
def test_credits_that_nobody_retried_with_go_back_after_a_failed_debit(stage: Stage) -> None:
    customer = stage.customer("pm_usBankAccount_insufficientFunds")
    stage.credits(customer, 3000)
    payment = stage.pay(stage.bill(customer, 10000))
    stage.run()

    stage.site.pass_time(timedelta(days=5))
    stage.run()
    stage.site.pass_time(timedelta(hours=24, seconds=1))
    stage.run()

    assert stage.statuses(payment)[0] == "credit 3000 released"
    (lot,) = stage.rows("select remaining, held from grant_lot where tenant = %(tenant)s")
    assert (lot["remaining"], lot["held"]) == (30_000_000, 0)
    assert stage.at_rest()


@behaviour("R-SU-24", "R-SU-12")
def test_a_debit_that_comes_back_after_it_had_succeeded_is_owed_again_and_retried_for_the_rest(stage: Stage) -> None:
    """The bank takes it back days later: the debt is open again, the credits stay, the card pays the rest."""
    customer = stage.customer("pm_usBankAccount_dispute")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()

    stage.site.pass_time(timedelta(days=5))
    stage.rest()
    assert stage.statuses(payment) == ["credit 3000 settled", "provider 7000 returned"]
    held = stage.invoice(invoice)
    assert (held["status"], held["payment_status"], held["paid_minor"]) == ("open", "failed", 3000)
    assert "debit_returned" in stage.questions()
    assert stage.at_rest()
    stage.pay(invoice, terms=Terms(method=method(stage, customer, "pm_card_visa")))
    stage.rest()

    assert stage.statuses(payment)[-1] == "provider 7000 settled"
    assert (stage.invoice(invoice)["status"], stage.invoice(invoice)["paid_minor"]) == ("paid", 10000)
    assert stage.charged() == [7000, 7000]
    assert stage.events("invoice.paid") == 1, "what is delivered on payment is delivered once"
    assert stage.at_rest()
