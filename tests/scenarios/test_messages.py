"""What people are told: once each, in the transaction of its cause, and never what is no longer true."""

from datetime import timedelta

from counterfoil.engine import customers
from counterfoil.store.database import Row
from scenarios.stage import BROWSER, Stage

POOR = "pm_card_chargeCustomerFail"
CHALLENGED = "pm_card_authenticationRequired"


def letters(stage: Stage, *templates: str) -> list[Row]:
    """The messages in the order they were written, with their words."""
    sql = """
        select m.id, m.key, m.template, m.status, m.result, m.data, c.subject_line, c.body_text, c.address
        from message m
        left join message_content c on c.tenant = m.tenant and c.message = m.id
        where m.tenant = %(tenant)s and (cardinality(%(names)s::text[]) = 0 or m.template = any (%(names)s))
        order by m.id
    """
    return stage.rows(sql, names=list(templates))


def test_a_refusal_is_told_once_per_try_with_what_to_do_and_a_link(stage: Stage) -> None:
    """News of one refusal comes by the reply, by the webhook, and by the webhook again."""
    customer = stage.customer(POOR)
    invoice = stage.bill(customer, 1967)
    stage.pay(invoice)
    stage.work()
    stage.post.bring(stage.parcel("payment_intent.payment_failed"))
    stage.rest()

    (letter,) = letters(stage, "payment_failed")
    assert (letter["status"], letter["address"]) == ("sent", "dana@example.com")
    assert letter["subject_line"] == "Your payment of $19.67 did not go through"
    assert "did not tell us why" in letter["body_text"]
    assert "we will try again on 17 June 2026" in letter["body_text"]
    assert "/pay/" in letter["body_text"]
    assert stage.events("payment.failed") == 1
    assert stage.at_rest()


def test_nothing_is_told_of_a_failure_once_the_invoice_is_paid(stage: Stage) -> None:
    """The customer pays in the browser before the letter about the refused card was written."""
    customer = stage.customer(POOR)
    invoice = stage.bill(customer, 1967)
    payment = stage.pay(invoice)
    letter = stage.until("mail.write")
    while not any(each["template"] == "payment_failed" for each in letters(stage)):
        stage.finish(letter)
        letter = stage.until("mail.write")
    stage.confirm(stage.intent_of(payment), "pm_card_visa")
    aside = stage.set_aside(letter)
    stage.run()
    aside.finish()
    stage.run()

    assert stage.invoice(invoice)["status"] == "paid"
    assert [(each["status"], each["result"]) for each in letters(stage, "payment_failed")] == [("canceled", "paid")]
    assert [each["status"] for each in letters(stage, "receipt")] == ["sent"]
    assert stage.at_rest()


def test_the_schedule_tries_again_and_tells_of_each_try(stage: Stage) -> None:
    customer = stage.customer(POOR)
    invoice = stage.bill(customer, 1967)
    payment = stage.pay(invoice)
    stage.run()

    for days in (3, 2, 2, 5):
        stage.site.pass_time(timedelta(days=days))
        stage.rest()

    tries = [each for each in stage.legs(payment) if each["kind"] == "provider"]
    steps = [each["data"]["next"] for each in letters(stage, "payment_failed")]
    assert len(tries) == 4, "days 0, 3, 5 and 7, and then no more"
    assert steps == ["retry", "retry", "retry", "last"]
    assert stage.charged() == []
    assert stage.at_rest()


def test_a_bank_that_wants_to_see_the_customer_is_never_asked_without_them(stage: Stage) -> None:
    """A challenge at night can't be answered, so trying again blindly only wears the card out."""
    customer = stage.customer(CHALLENGED)
    invoice = stage.bill(customer, 1967)
    payment = stage.pay(invoice)
    stage.run()
    for _ in range(3):
        stage.site.pass_time(timedelta(days=3))
        stage.rest()

    (letter,) = letters(stage, "payment_failed")
    assert "confirm the payment yourself" in letter["body_text"]
    assert len([each for each in stage.legs(payment) if each["kind"] == "provider"]) == 1

    stage.desk.method(customer, "pm_card_visa")
    stage.run()
    assert stage.at_rest()


def test_a_card_that_replaces_a_dead_one_is_charged_on_the_schedule(stage: Stage) -> None:
    customer = stage.customer(CHALLENGED)
    invoice = stage.bill(customer, 1967)
    stage.pay(invoice)
    stage.run()
    stage.desk.method(customer, "pm_card_visa")
    stage.run()
    stage.site.pass_time(timedelta(days=3))
    stage.rest()

    assert stage.invoice(invoice)["status"] == "paid"
    assert stage.charged() == [1967]
    assert [each["status"] for each in letters(stage, "receipt")] == ["sent"]
    assert stage.at_rest()


def test_a_deposit_asks_for_the_code_once_by_mail(stage: Stage) -> None:
    customer = stage.customer("pm_usBankAccount_success")
    invoice = stage.bill(customer, 1967)
    payment = stage.pay(invoice, terms=BROWSER)
    stage.run()
    options = {"payment_method_options[us_bank_account][verification_method]": "microdeposits"}
    intent = stage.intent_of(payment)
    path = f"/v1/payment_intents/{intent}/confirm"
    answer = stage.site.provider.ask(
        "POST", path, payment_method="pm_usBankAccount_success", return_url="https://h.test", **options
    )
    assert answer.get("status") == "requires_action", answer
    stage.rest()

    (letter,) = letters(stage, "verify_bank")
    assert "a small deposit with a code" in letter["body_text"]
    assert stage.legs(payment)[0]["action"] == "verify_bank"
    assert letters(stage, "confirm_payment") == []


def test_an_erased_customer_gets_no_letter_and_no_words_of_old_ones_are_kept(stage: Stage) -> None:
    customer = stage.customer(POOR)
    stage.pay(stage.bill(customer, 1967))
    stage.run()
    assert letters(stage, "payment_failed")[0]["body_text"]

    customers.erase_customer(stage.desk._asked("DELETE", None, customer), customer)
    stage.site.pass_time(timedelta(days=3))
    stage.rest()

    assert stage.rows("select * from message_content where tenant = %(tenant)s") == []
    assert {each["status"] for each in letters(stage, "payment_failed")[1:]} <= {"canceled"}
