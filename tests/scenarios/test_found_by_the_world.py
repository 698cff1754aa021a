"""What the seeded world found, each told as the shortest story of it."""

from datetime import timedelta

import pytest

from counterfoil.sim.desk import Terms
from counterfoil.sim.trouble import Trouble
from scenarios.stage import BROWSER, Stage


def test_an_order_is_settled_though_two_acknowledgements_were_lost(stage: Stage) -> None:
    """The provider's reply is lost, and so is that of the database when that is written down.

    The order was taken off the queue, came back by the sweep, and every later reply was taken for the first.
    """
    customer = stage.customer()
    stage.trouble("timeout_before", "/v1/payment_methods/*/attach")
    stage.desk.method(customer, "pm_card_visa")
    record = stage.until("order.record")

    stage.commits[:] = [Trouble.ACKNOWLEDGEMENT_LOST]
    stage.finish(record)
    for _ in range(3):
        stage.site.pass_time(timedelta(hours=1))
        stage.work()

    assert stage.at_rest()


def test_the_fee_of_money_that_does_not_fit_is_booked_with_it(stage: Stage) -> None:
    """A claimed payment of another customer goes to suspense; what the provider kept of it was on no books."""
    customer, other = stage.customer(), stage.customer()
    invoice = stage.bill(customer, 10000)
    intent = stage.intent(other, 10000, "pm_card_visa")

    stage.pay(invoice, terms=Terms(provider_ref=intent))
    stage.run()

    assert stage.questions() == ["customer_mismatch"]
    stage.rest()
    assert stage.at_rest()


@pytest.mark.parametrize("card", ["pm_card_authenticationRequired", "pm_card_chargeCustomerFail"])
def test_what_was_given_up_before_it_had_a_name_is_given_up_at_the_provider(stage: Stage, card: str) -> None:
    """The reply with the payment's id was lost; the payment was canceled here, and its customer went on with it there.

    It was left alive at the provider, where it could still have collected.
    """
    customer = stage.customer()
    invoice = stage.bill(customer, 10000)
    stage.trouble("timeout_after", "/v1/payment_intents")
    payment = stage.pay(invoice, terms=BROWSER)
    stage.work()
    (intent,) = stage.site.provider.objects("/v1/payment_intents")

    stage.desk.cancel(payment)
    stage.confirm(intent["id"], card)
    stage.rest()

    assert stage.statuses(payment) == ["provider 10000 canceled"]
    (intent,) = stage.site.provider.objects("/v1/payment_intents")
    assert intent["status"] == "canceled"
    assert stage.at_rest()
