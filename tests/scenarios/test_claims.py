"""Payments that the host application made, and what becomes of a claim that does not fit."""

from datetime import timedelta

from behaviours import behaviour
from counterfoil.sim.desk import Terms, read
from scenarios.stage import Stage


def claiming(ref: str) -> Terms:
    return Terms(provider_ref=ref)


def named(stage: Stage) -> None:
    """Let the call that makes a nameless customer be tried until it comes through."""
    for _ in range(4):
        stage.site.pass_time(timedelta(minutes=1))
        stage.work()


def nameless(stage: Stage) -> str:
    """A customer whose own id at the provider is not known yet: the call that makes it is lost."""
    stage.trouble("timeout_before", "/v1/customers", times=3)
    customer: str = read(stage.desk.customer("new"))["id"]
    stage.work()
    return customer


def test_a_claim_waits_until_its_customer_has_a_name_at_the_provider(stage: Stage) -> None:
    """Before, somebody else's payment could settle the invoice of a customer that had no name to compare."""
    other, customer = stage.customer(), nameless(stage)
    invoice = stage.bill(customer, 10000)
    intent = stage.intent(other, 10000, "pm_card_visa")

    payment = stage.pay(invoice, terms=claiming(intent))
    stage.work()
    assert stage.statuses(payment) == ["provider 10000 processing"]
    named(stage)
    stage.rest()

    assert stage.statuses(payment) == ["provider 10000 refused"]
    assert stage.questions() == ["customer_mismatch"]
    assert stage.invoice(invoice)["status"] == "open"
    assert stage.at_rest()


def test_a_claim_of_the_customer_s_own_payment_settles_once_the_customer_has_a_name(stage: Stage) -> None:
    """A guest's payment has no customer at the provider, so there is nothing that could differ."""
    customer = nameless(stage)
    invoice = stage.bill(customer, 10000)
    made = stage.site.provider.ask("POST", "/v1/payment_intents", amount=10000, currency="usd")
    stage.confirm(made["id"], "pm_card_visa")

    stage.pay(invoice, terms=claiming(made["id"]))
    named(stage)
    stage.rest()

    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.at_rest()


def test_somebody_else_s_payment_is_let_go_and_not_canceled(stage: Stage) -> None:
    """A mismatched claim was canceled at the provider together with our payment: a stranger's money was stopped."""
    customer, other = stage.customer("pm_card_visa"), stage.customer()
    invoice = stage.bill(customer, 10000)
    intent = stage.intent(other, 10000)

    answer = stage.desk.pay(invoice, terms=claiming(intent))
    stage.run()
    assert stage.answer(answer) == (402, "failed")
    assert stage.questions() == ["customer_mismatch"]
    assert stage.confirm(intent, "pm_card_visa") == "succeeded"

    stage.pay(invoice)
    stage.rest()
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.invoice(invoice)["paid_with"] == "visa 4242"
    assert stage.at_rest()


def test_a_claim_given_up_before_anybody_looked_touches_nothing_at_the_provider(stage: Stage) -> None:
    customer, other = stage.customer(), stage.customer()
    invoice = stage.bill(customer, 10000)
    intent = stage.intent(other, 10000)
    payment = stage.pay(invoice, terms=claiming(intent))

    stage.desk.cancel(payment)
    stage.rest()

    assert stage.statuses(payment) == ["provider 10000 canceled"]
    assert not stage.requests(f"/v1/payment_intents/{intent}/cancel")
    assert stage.confirm(intent, "pm_card_visa") == "succeeded"


def test_a_claim_that_was_looked_at_is_canceled_at_the_provider_when_it_is_given_up(stage: Stage) -> None:
    """Otherwise it could still collect beside what collects the invoice next."""
    customer = stage.customer()
    intent = stage.intent(customer, 10000)
    payment = stage.pay(stage.bill(customer, 10000), terms=claiming(intent))
    stage.run()

    stage.desk.cancel(payment)
    stage.rest()

    assert stage.statuses(payment) == ["provider 10000 canceled"]
    assert stage.requests(f"/v1/payment_intents/{intent}/cancel")
    assert stage.at_rest()


def test_a_dropped_claim_is_free_for_the_customer_whose_payment_it_is(stage: Stage) -> None:
    """Its money went to suspense, and settles from there."""
    customer, other = stage.customer(), stage.customer()
    wrong, right = stage.bill(customer, 10000), stage.bill(other, 10000)
    intent = stage.intent(other, 10000, "pm_card_visa")
    stage.pay(wrong, terms=claiming(intent))
    stage.run()

    stage.pay(right, terms=claiming(intent))
    stage.rest()

    assert stage.invoice(wrong)["status"] == "open"
    assert stage.invoice(right)["status"] == "paid"
    assert stage.at_rest()


@behaviour("R-SU-13")
def test_credits_that_replace_a_refused_card_pay_once_the_card_can_no_longer_be_charged(stage: Stage) -> None:
    customer = stage.customer("pm_card_chargeCustomerFail")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    stage.credits(customer, 10000)

    stage.pay(invoice)
    assert stage.statuses(payment) == ["provider 10000 processing", "credit 10000 reserved"]
    assert stage.invoice(invoice)["payment_status"] == "processing"
    stage.rest()

    assert stage.statuses(payment) == ["provider 10000 canceled", "credit 10000 settled"]
    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.invoice(invoice)["paid_with"] == "credits"
    assert stage.at_rest()


@behaviour("R-SU-13")
def test_a_card_that_collects_after_all_gives_the_credits_back_that_were_to_replace_it(stage: Stage) -> None:
    """The customer answered in the browser while credits were being taken: both paid, and a person had to refund."""
    customer = stage.customer("pm_card_chargeCustomerFail")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    stage.desk.grant(customer, _wallet(stage), 7000)

    stage.pay(invoice)
    assert stage.confirm(stage.intent_of(payment), "pm_card_visa") == "succeeded"
    stage.rest()
    stage.site.pass_time(timedelta(days=1))
    stage.run()

    assert stage.statuses(payment) == ["credit 3000 settled", "provider 7000 settled", "credit 7000 released"]
    assert stage.invoice(invoice)["paid_with"] == "credits and visa 4242"
    assert stage.questions() == []
    assert stage.at_rest()


def test_a_payment_given_up_while_credits_wait_gives_them_back(stage: Stage) -> None:
    customer = stage.customer("pm_card_chargeCustomerFail")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.run()
    stage.credits(customer, 10000)
    stage.pay(invoice)

    stage.desk.cancel(payment)
    assert stage.statuses(payment) == ["provider 10000 processing", "credit 10000 released"]
    stage.rest()

    assert stage.statuses(payment) == ["provider 10000 canceled", "credit 10000 released"]
    assert stage.invoice(invoice)["status"] == "open"
    assert stage.at_rest()


def test_credits_leave_the_card_what_it_can_be_asked_for(stage: Stage) -> None:
    """20 cents were left over, which no provider charges: the payment was refused after the credits were reserved."""
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 10000)
    invoice = stage.bill(customer, 10020)

    payment = stage.pay(invoice)
    stage.rest()

    assert stage.statuses(payment) == ["credit 9970 settled", "provider 50 settled"]
    assert stage.at_rest()


def test_an_old_payment_under_way_is_looked_at_ever_more_rarely_but_never_forgotten(stage: Stage) -> None:
    customer = stage.customer("pm_usBankAccount_processing")
    payment = stage.pay(stage.bill(customer, 10000))
    stage.run()
    intent = stage.intent_of(payment)

    def looks(hours: int) -> int:
        before = len(stage.requests(f"/v1/payment_intents/{intent}"))
        for _ in range(hours):
            stage.site.pass_time(timedelta(hours=1, seconds=1))
            stage.work()
        return len(stage.requests(f"/v1/payment_intents/{intent}")) - before

    assert looks(3) == 3
    stage.site.pass_time(timedelta(days=3))
    stage.work()
    assert looks(12) in (4, 5)


def _wallet(stage: Stage) -> str:
    (row,) = stage.rows("select id from wallet where tenant = %(tenant)s")
    return str(row["id"])
