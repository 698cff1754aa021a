"""Refunds, disputes and the balance they all add up to."""

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from sandbox.covering import covers
from sandbox.harness import CheckedServer

DAY = 86_400


def paid(
    api: stripe.StripeClient, amount: int = 2_000, card: str = "pm_card_visa", currency: str = "usd"
) -> stripe.PaymentIntent:
    return api.v1.payment_intents.create(
        {"amount": amount, "currency": currency, "payment_method": card, "confirm": True}
    )


def balance_of(api: stripe.StripeClient) -> tuple[int, int]:
    balance = api.v1.balance.retrieve()
    return sum(part.amount for part in balance.available), sum(part.amount for part in balance.pending)


def test_refunds_in_parts_never_give_back_more_than_was_taken(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = paid(api)
    first = api.v1.refunds.create({"payment_intent": intent.id, "amount": 500, "reason": "requested_by_customer"})
    assert (first.status, first.amount, first.charge) == ("succeeded", 500, intent.latest_charge)
    charge = api.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (500, False)

    with pytest.raises(
        stripe.InvalidRequestError,
        match=r"Refund amount \(\$15.01\) is greater than unrefunded amount on charge \(\$15.00\)",
    ):
        api.v1.refunds.create({"payment_intent": intent.id, "amount": 1_501})
    api.v1.refunds.create({"charge": str(intent.latest_charge)})
    with pytest.raises(stripe.InvalidRequestError) as again:
        api.v1.refunds.create({"charge": str(intent.latest_charge)})

    charge = api.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (2_000, True)
    assert again.value.code == "charge_already_refunded"
    assert [line["amount"] for line in server.journal("refund")] == [500, 1_500]
    assert [refund.amount for refund in api.v1.refunds.list({"payment_intent": intent.id}).data] == [1_500, 500]


def test_a_refund_is_told_by_two_events_and_its_update_by_two_more(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    refund = api.v1.refunds.create({"payment_intent": paid(api).id, "amount": 500})
    assert server.event_types()[-2:] == ["refund.created", "charge.refunded"]
    event = api.v1.events.list({"type": "charge.refunded"}).data[0]
    assert event.data.to_dict()["previous_attributes"] == {"amount_refunded": 0}

    api.v1.refunds.update(refund.id, {"metadata": {"order": "1"}})

    assert server.event_types()[-2:] == ["charge.refund.updated", "refund.updated"]


def test_an_unpaid_intent_has_nothing_to_refund(api: stripe.StripeClient) -> None:
    unpaid = api.v1.payment_intents.create({"amount": 2_000, "currency": "usd"})

    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge to refund"):
        api.v1.refunds.create({"payment_intent": unpaid.id})
    with pytest.raises(stripe.InvalidRequestError) as nothing:
        api.v1.refunds.create({})

    assert nothing.value.code == "parameter_missing"


@covers("cards.refund-fail")
def test_a_refund_can_fail_later_and_the_money_returns(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = paid(api, card="pm_card_refundFail")
    refund = api.v1.refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"

    server.control("POST", "clock", {"advance_s": 3_600})

    after = api.v1.refunds.retrieve(refund.id)
    assert (after.status, after.failure_reason) == ("failed", "expired_or_canceled_card")
    assert api.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 0
    assert sum(balance_of(api)) == 1_912
    assert "refund.failed" in server.event_types()


def test_a_pending_refund_arrives_later(server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock) -> None:
    refund = api.v1.refunds.create({"payment_intent": paid(api, card="pm_card_pendingRefund").id})
    assert (refund.status, refund.balance_transaction) == ("pending", None)

    clock.step(3_601)

    after = api.v1.refunds.retrieve(refund.id)
    assert after.status == "succeeded"
    assert after.balance_transaction is not None
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.refunds.cancel(refund.id)


@covers("cards.refund-fail")
def test_money_is_pending_for_two_days_unless_it_bypasses(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    paid(api)
    assert balance_of(api) == (0, 1_912)
    paid(api, 1_000, card="pm_card_bypassPending")
    assert balance_of(api) == (941, 1_912)

    clock.step(2 * DAY + 1)

    assert balance_of(api) == (2_853, 0)
    assert server.event_types()[-1] == "balance.available"


@covers("ledger.transactions")
def test_every_movement_has_a_transaction_and_they_sum_to_the_balance(api: stripe.StripeClient) -> None:
    intent = paid(api)
    refund = api.v1.refunds.create({"payment_intent": intent.id, "amount": 700})
    paid(api, card="pm_card_createDispute")

    transactions = api.v1.balance_transactions.list({"limit": 100}).data

    assert sum(one.net for one in transactions) == sum(balance_of(api))
    assert all(one.net == one.amount - one.fee for one in transactions)
    assert all(one.fee == sum(part.amount for part in one.fee_details) for one in transactions)
    assert [one.type for one in transactions] == ["adjustment", "charge", "refund", "charge"]
    by_source = api.v1.balance_transactions.list({"source": refund.id, "expand": ["data.source"]}).data[0]
    assert (by_source.amount, by_source.to_dict()["source"]["id"]) == (-700, refund.id)
    assert api.v1.balance_transactions.retrieve(by_source.id).net == -700


@covers("cards.disputes", "ledger.disputes")
@pytest.mark.parametrize(
    ("evidence", "status", "back"), [("winning_evidence", "won", 1_912), ("losing_evidence", "lost", -1_588)]
)
def test_a_dispute_withdraws_and_is_won_or_lost_by_evidence(
    server: CheckedServer, api: stripe.StripeClient, evidence: str, status: str, back: int
) -> None:
    intent = paid(api, card="pm_card_createDispute")
    dispute = api.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 2_000)
    assert api.v1.charges.retrieve(str(intent.latest_charge)).disputed
    assert sum(balance_of(api)) == 1_912 - 2_000 - 1_500
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.refunds.create({"payment_intent": intent.id})
    assert refusal.value.code == "charge_disputed"

    closed = api.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}})

    assert closed.status == status
    assert sum(balance_of(api)) == back
    tail = ["charge.dispute.updated", "charge.dispute.closed"] + (
        ["charge.dispute.funds_reinstated"] if status == "won" else []
    )
    assert server.event_types()[-len(tail) :] == tail


def test_an_inquiry_takes_no_money_and_the_charge_stays_refundable(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    intent = paid(api, card="pm_card_createDisputeInquiry")
    dispute = api.v1.disputes.list({"charge": str(intent.latest_charge)}).data[0]

    assert dispute.status == "warning_needs_response"
    assert dispute.balance_transactions == []
    assert api.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_an_inquiry_is_closed_or_becomes_a_chargeback(server: CheckedServer, api: stripe.StripeClient) -> None:
    first, second = (paid(api, card="pm_card_createDisputeInquiry") for _ in range(2))
    closed, escalated = (
        api.v1.disputes.update(
            api.v1.disputes.list({"payment_intent": intent.id}).data[0].id, {"evidence": {"uncategorized_text": words}}
        )
        for intent, words in ((first, "losing_evidence"), (second, "escalate_inquiry_evidence"))
    )

    assert (closed.status, closed.balance_transactions) == ("warning_closed", [])
    assert (escalated.status, escalated.is_charge_refundable) == ("needs_response", False)
    assert [(one.net, one.reporting_category) for one in escalated.balance_transactions] == [(-3_500, "dispute")]
    assert server.event_types()[-2:] == ["charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.refunds.create({"payment_intent": second.id})
    assert refusal.value.code == "charge_disputed"
    assert api.v1.refunds.create({"payment_intent": first.id}).status == "succeeded"


@covers("ledger.disputes")
def test_a_won_dispute_brings_the_money_and_the_fee_back_and_the_charge_can_be_refunded(
    api: stripe.StripeClient,
) -> None:
    intent = paid(api, card="pm_card_createDispute")
    dispute = api.v1.disputes.list({"payment_intent": intent.id}).data[0]

    won = api.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})

    moves = [(one.amount, one.fee, one.reporting_category) for one in won.balance_transactions]
    assert moves == [(-2_000, 1_500, "dispute"), (2_000, -1_500, "dispute_reversal")]
    assert api.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_a_dispute_that_nobody_answers_is_lost_and_an_inquiry_is_closed(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    cards = ("pm_card_createDispute", "pm_card_createDisputeInquiry", "pm_card_createDispute")
    silent, inquiry, answered = (
        api.v1.disputes.list({"payment_intent": paid(api, card=card).id}).data[0].id for card in cards
    )
    api.v1.disputes.update(answered, {"evidence": {"uncategorized_text": "we sent it"}})

    clock.step(9 * DAY)
    after = [api.v1.disputes.retrieve(one).status for one in (silent, inquiry, answered)]
    clock.step(112 * DAY)

    assert after == ["lost", "warning_needs_response", "under_review"]
    assert api.v1.disputes.retrieve(silent).evidence_details.past_due
    assert api.v1.disputes.retrieve(inquiry).status == "warning_closed"
    assert server.event_types().count("charge.dispute.closed") == 2


def test_a_disputed_bank_debit_is_lost_at_once(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    """Nobody can appeal against a customer who has their bank take a debit back."""
    intent = paid(api, card="pm_usBankAccount_dispute")
    clock.step(5 * DAY)

    dispute = api.v1.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.amount, dispute.is_charge_refundable) == ("lost", 2_000, False)
    assert api.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert server.event_types()[-3:] == ["charge.updated", "charge.dispute.funds_withdrawn", "charge.dispute.closed"]
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        api.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})


def test_a_part_refunded_charge_is_disputed_for_the_rest(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = paid(api)
    api.v1.refunds.create({"payment_intent": intent.id, "amount": 500})

    dispute = server.control("POST", f"charges/{intent.latest_charge}/dispute", {"reason": "duplicate"})

    assert (dispute["amount"], dispute["balance_transactions"][0]["amount"]) == (1_500, -1_500)


def test_a_part_capture_gives_the_rest_back_and_is_refunded_up_to_itself(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    intent = api.v1.payment_intents.create(
        {
            "amount": 2_000,
            "currency": "usd",
            "payment_method": "pm_card_createDispute",
            "confirm": True,
            "capture_method": "manual",
        }
    )
    assert "charge.dispute.created" not in server.event_types()

    api.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1_500})

    charge = api.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.amount_captured, charge.amount_refunded, charge.refunded) == (1_500, 500, False)
    dispute = api.v1.disputes.list({"charge": charge.id}).data[0]
    assert dispute.amount == 1_500
    api.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        api.v1.refunds.create({"charge": charge.id, "amount": 1_501})
    assert api.v1.refunds.create({"charge": charge.id}).amount == 1_500
    assert api.v1.charges.retrieve(charge.id).refunded


def test_staged_evidence_is_not_submitted(api: stripe.StripeClient) -> None:
    intent = paid(api, card="pm_card_createDisputeProductNotReceived")
    dispute = api.v1.disputes.list({"payment_intent": intent.id}).data[0]

    staged = api.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}, "submit": False}
    )

    assert (staged.status, staged.evidence_details.has_evidence, staged.evidence_details.submission_count) == (
        "needs_response",
        True,
        0,
    )
    assert api.v1.disputes.update(dispute.id, {"submit": True}).status == "won"


def test_accepting_a_dispute_loses_it(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = paid(api, card="pm_card_createDispute")
    dispute = api.v1.disputes.list({"payment_intent": intent.id}).data[0]

    assert api.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.disputes.close(dispute.id)
    assert server.journal("dispute_closed")[0]["amount"] == 2_000


def test_a_bank_may_dispute_any_charge_on_request(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = paid(api)

    dispute = server.control("POST", f"charges/{intent.latest_charge}/dispute", {"reason": "product_not_received"})

    assert api.v1.disputes.retrieve(dispute["id"]).reason == "product_not_received"


def test_a_charge_can_be_annotated(server: CheckedServer, api: stripe.StripeClient) -> None:
    intent = paid(api)
    customer = api.v1.customers.create({})

    charge = api.v1.charges.update(
        str(intent.latest_charge),
        {
            "description": "late",
            "metadata": {"a": "b"},
            "customer": customer.id,
            "fraud_details": {"user_report": "safe"},
        },
    )

    assert (charge.description, charge.customer) == ("late", customer.id)
    assert [found.id for found in api.v1.charges.list({"customer": customer.id}).data] == [charge.id]
    assert [
        found.id for found in api.v1.charges.search({"query": f"customer:'{customer.id}' AND amount>1999"}).data
    ] == [charge.id]
    assert server.event_types()[-1] == "charge.updated"
