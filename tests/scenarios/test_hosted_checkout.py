"""A hosted checkout that we make: paid, refused, processed by a bank for days, expired, or replaced by another way."""

from datetime import timedelta
from itertools import permutations

import pytest

from behaviours import behaviour
from counterfoil.core.books import Confirmation
from counterfoil.sim.desk import Terms
from scenarios.stage import BROWSER, Stage

SESSION, INTENT, CHARGE = "checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"
DAY, HOUR = timedelta(days=1), timedelta(hours=1, seconds=1)
PAGE = Terms(confirm=Confirmation.HOSTED, return_url="https://host.test/back")


def opened(stage: Stage, minor: int = 10000) -> tuple[str, str, str]:
    """An invoice whose customer is to pay on a hosted page. Gives invoice, payment and page."""
    customer = stage.customer()
    invoice = stage.bill(customer, minor)
    payment = stage.pay(invoice, terms=PAGE)
    stage.run()
    return invoice, payment, page_of(stage, payment)


def page_of(stage: Stage, payment: str) -> str:
    return str(stage.legs(payment)[-1]["session_ref"])


def pay_on(stage: Stage, page: str, card: str = "pm_card_visa", minor: int = 10000) -> dict[str, object]:
    form = {"payment_method": card, "expected_amount": minor}
    return dict(stage.site.provider.ask("POST", f"/v1/payment_pages/{page}/confirm", **form))


def is_paid_once(stage: Stage, invoice: str) -> bool:
    held = stage.invoice(invoice)
    assert (held["status"], held["payment_status"], held["paid_minor"]) == ("paid", "succeeded", 10000)
    assert stage.charged() == [10000]
    assert stage.events("invoice.paid") == 1
    assert stage.questions() == []
    return True


def test_the_page_is_stored_before_anybody_can_pay_on_it(stage: Stage) -> None:
    invoice, payment, page = opened(stage)

    (leg,) = stage.legs(payment)

    assert (leg["status"], leg["action"]) == ("requires_action", "pay")
    assert leg["action_url"].startswith("http")
    assert page.startswith("cs_")
    assert stage.invoice(invoice)["payment_status"] == "requires_action"
    assert stage.at_rest()


@behaviour("R-CO-5", "R-CO-6")
@pytest.mark.parametrize(
    "news",
    [*permutations((SESSION, INTENT, CHARGE)), (SESSION, INTENT), (INTENT, CHARGE), (CHARGE, SESSION), ()],
    ids=" then ".join,
)
def test_a_page_of_ours_settles_once_in_every_order_and_with_each_loss(stage: Stage, news: tuple[str, ...]) -> None:
    invoice, _, page = opened(stage)
    pay_on(stage, page)

    for each in news:
        stage.bring(each)
        stage.worker.work()
    stage.lose_post()
    if news:
        assert is_paid_once(stage, invoice)
    stage.rest()

    assert is_paid_once(stage, invoice)
    assert stage.at_rest()


@behaviour("R-CO-20")
@pytest.mark.parametrize("ends", ["success", "failure"])
@pytest.mark.parametrize("told", [True, False], ids=["told", "nothing arrives"])
def test_a_page_that_completes_unpaid_is_processing_until_the_bank_says(stage: Stage, ends: str, told: bool) -> None:
    """Incident: the completed session of a bank debit was taken for money."""
    invoice, payment, page = opened(stage)
    bank = "pm_usBankAccount_success" if ends == "success" else "pm_usBankAccount_insufficientFunds"
    pay_on(stage, page, bank)
    hear(stage, told)
    assert stage.statuses(payment) == ["provider 10000 processing"]
    assert (stage.invoice(invoice)["status"], stage.invoice(invoice)["payment_status"]) == ("open", "processing")

    for _ in range(8):
        stage.site.pass_time(DAY)
        hear(stage, told)

    if ends == "success":
        assert is_paid_once(stage, invoice)
    else:
        assert (stage.invoice(invoice)["status"], stage.invoice(invoice)["payment_status"]) == ("open", "failed")
        again = stage.pay(invoice, terms=PAGE)
        stage.run()
        assert again == payment
        pay_on(stage, page_of(stage, payment))
        stage.run()
        assert is_paid_once(stage, invoice)
    stage.rest()
    assert stage.at_rest()


def hear(stage: Stage, told: bool) -> None:
    if told:
        stage.run()
        return
    stage.lose_post()
    stage.site.pass_time(HOUR)
    stage.worker.work()
    stage.lose_post()


@behaviour("R-CO-20")
@pytest.mark.parametrize("told", [True, False], ids=["told", "nothing arrives"])
def test_a_page_that_expires_gives_the_invoice_back(stage: Stage, told: bool) -> None:
    invoice, payment, _ = opened(stage)

    for _ in range(30):
        stage.site.pass_time(HOUR)
        hear(stage, told)

    assert stage.statuses(payment) == ["provider 10000 canceled"]
    assert (stage.invoice(invoice)["status"], stage.invoice(invoice)["payment_status"]) == ("open", "pending")
    stage.pay(invoice, terms=PAGE)
    stage.run()
    (leg,) = stage.rows("select session_ref from leg where tenant = %(tenant)s and status = 'requires_action'")
    pay_on(stage, leg["session_ref"])
    stage.run()
    assert is_paid_once(stage, invoice)
    assert stage.at_rest()


def test_a_page_is_closed_before_another_way_may_collect(stage: Stage) -> None:
    invoice, payment, page = opened(stage)
    canceled = stage.desk.cancel(payment)
    stage.run()

    stage.pay(invoice, terms=BROWSER)
    stage.run()

    assert canceled
    assert stage.site.provider.ask("GET", f"/v1/checkout/sessions/{page}")["status"] == "expired"
    assert "error" in pay_on(stage, page)
    assert stage.at_rest()


def test_that_a_page_can_not_be_closed_is_evidence_of_payment(stage: Stage) -> None:
    """The customer has paid, nobody has told us yet, and the payment is to be canceled."""
    invoice, payment, page = opened(stage)
    pay_on(stage, page)
    stage.lose_post()

    stage.desk.cancel(payment)
    stage.work()

    assert is_paid_once(stage, invoice)
    assert stage.at_rest()


def test_a_refused_card_leaves_the_page_open_for_another(stage: Stage) -> None:
    invoice, payment, page = opened(stage)
    refused = pay_on(stage, page, "pm_card_visa_chargeDeclinedInsufficientFunds")
    stage.run()
    assert "error" in refused
    assert stage.statuses(payment) == ["provider 10000 refused"]

    pay_on(stage, page)
    stage.run()

    assert is_paid_once(stage, invoice)
    assert stage.at_rest()


@pytest.mark.parametrize("trouble", ["timeout_after", "timeout_before", "status"])
def test_a_page_whose_reply_was_lost_is_found_again(stage: Stage, trouble: str) -> None:
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    options = {"status": 500} if trouble == "status" else {}
    stage.trouble(trouble, "/v1/checkout/sessions", **options)

    payment = stage.pay(invoice, terms=PAGE)
    stage.run()
    stage.site.pass_time(HOUR)
    stage.rest()

    pages = [each for each in stage.requests("/v1/checkout/sessions") if each["method"] == "POST"]
    assert pages
    assert len(list(stage.site.provider.objects("/v1/checkout/sessions"))) == 1
    pay_on(stage, page_of(stage, payment))
    stage.run()
    assert is_paid_once(stage, invoice)
    assert stage.at_rest()
