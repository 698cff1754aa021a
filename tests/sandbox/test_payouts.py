"""Payouts: what is available goes to the bank, arrives, is canceled, fails or is called back."""

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from sandbox.harness import CheckedServer, code_of

DAY = 86_400


def available(api: stripe.StripeClient) -> int:
    return sum(part.amount for part in api.v1.balance.retrieve().available)


def earned(api: stripe.StripeClient) -> None:
    """10.00 at once, less the fee of 0.59."""
    api.v1.payment_intents.create(
        {"amount": 1_000, "currency": "usd", "payment_method": "pm_card_bypassPending", "confirm": True}
    )
    assert available(api) == 941


def nets(api: stripe.StripeClient) -> int:
    return sum(one.net for one in api.v1.balance_transactions.list({"limit": 100}).data)


def test_a_payout_takes_what_is_available_and_arrives(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    earned(api)
    payout = api.v1.payouts.create({"amount": 900, "currency": "usd", "metadata": {"a": "b"}})

    assert (payout.status, payout.amount, payout.automatic, payout.method) == ("pending", 900, False, "standard")
    assert (available(api), nets(api)) == (41, 41)
    moved = api.v1.balance_transactions.retrieve(str(payout.balance_transaction), {"expand": ["source"]})
    assert (moved.amount, moved.fee, moved.type, moved.reporting_category) == (-900, 0, "payout", "payout")
    assert moved.to_dict()["source"]["id"] == payout.id
    clock.step(DAY)
    assert api.v1.payouts.retrieve(payout.id).status == "in_transit"
    clock.step(DAY)
    assert api.v1.payouts.retrieve(payout.id).status == "paid"
    assert [name for name in server.event_types() if "payout" in name] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
    ]


def test_more_than_is_available_is_refused(api: stripe.StripeClient) -> None:
    api.v1.payment_intents.create(
        {"amount": 1_000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.payouts.create({"amount": 1, "currency": "usd"})

    assert code_of(refusal.value) == "balance_insufficient"


def test_money_that_becomes_available_can_be_paid_out(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    api.v1.payment_intents.create(
        {"amount": 1_000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    )
    clock.step(2 * DAY + 1)

    payout = api.v1.payouts.create({"amount": 941, "currency": "usd"})

    assert (payout.status, available(api)) == ("pending", 0)
    event = api.v1.events.list({"type": "balance.available"}).data[0].data.to_dict()["object"]
    assert event["available"][0]["amount"] == 941


def test_a_pending_payout_can_be_canceled(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    earned(api)
    payout = api.v1.payouts.create({"amount": 900, "currency": "usd"})

    canceled = api.v1.payouts.cancel(payout.id)

    assert (canceled.status, available(api), nets(api)) == ("canceled", 941, 941)
    back = api.v1.balance_transactions.retrieve(str(canceled.failure_balance_transaction))
    assert (back.type, back.amount) == ("payout_cancel", 900)
    sent = api.v1.payouts.create({"amount": 900, "currency": "usd"})
    clock.step(DAY)
    with pytest.raises(stripe.InvalidRequestError, match="only be canceled while they are pending"):
        api.v1.payouts.cancel(sent.id)
    assert api.v1.payouts.retrieve(payout.id).status == "canceled"
    assert "payout.canceled" in server.event_types()


def test_a_payout_may_fail_even_after_it_arrived(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    earned(api)
    payout = api.v1.payouts.create({"amount": 900, "currency": "usd"})
    clock.step(3 * DAY)

    server.control("POST", f"payouts/{payout.id}/fail", {"failure_code": "no_account"})

    failed = api.v1.payouts.retrieve(payout.id)
    assert (failed.status, failed.failure_code) == ("failed", "no_account")
    assert (available(api), nets(api)) == (941, 941)
    assert server.event_types()[-1] == "payout.failed"


def test_a_payout_that_was_sent_can_be_called_back_once(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    earned(api)
    payout = api.v1.payouts.create({"amount": 900, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="Only payouts that were sent"):
        api.v1.payouts.reverse(payout.id)
    clock.step(3 * DAY)

    back = api.v1.payouts.reverse(payout.id)

    assert (back.amount, back.original_payout, available(api), nets(api)) == (-900, payout.id, 941, 941)
    assert api.v1.payouts.retrieve(payout.id).reversed_by == back.id
    with pytest.raises(stripe.InvalidRequestError, match="already been reversed"):
        api.v1.payouts.reverse(payout.id)


def test_payouts_are_listed_and_annotated(server: CheckedServer, api: stripe.StripeClient) -> None:
    earned(api)
    first, second = (api.v1.payouts.create({"amount": 100, "currency": "usd"}) for _ in range(2))
    api.v1.payouts.cancel(second.id)

    changed = api.v1.payouts.update(first.id, {"metadata": {"a": "b"}})

    assert changed.metadata is not None
    assert changed.metadata["a"] == "b"
    assert [one.id for one in api.v1.payouts.list().data] == [second.id, first.id]
    assert [one.id for one in api.v1.payouts.list({"status": "pending"}).data] == [first.id]
    assert api.v1.payouts.list({"arrival_date": {"lt": first.arrival_date}}).data == []
    assert server.event_types()[-1] == "payout.updated"
    for wrong, words in (
        ({"method": "instant"}, "does not cover method=instant"),
        ({"destination": "ba_other"}, "No such external account"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            api.v1.payouts.create({"amount": 1, "currency": "usd", **wrong})  # type: ignore[typeddict-item]
    with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic transfers"):
        api.v1.balance_transactions.list({"payout": first.id})
