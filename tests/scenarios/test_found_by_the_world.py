"""What the seeded world found, each told as the shortest story of it."""

from datetime import timedelta

from counterfoil.sim.trouble import Trouble
from scenarios.stage import Stage


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
