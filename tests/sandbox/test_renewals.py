"""What time does to subscriptions: renewals, trials, dunning, due dates and pauses, by test clocks and by business
time.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from sandbox.covering import covers
from sandbox.harness import CheckedServer
from sandbox.recurring import DAY, HOUR, TimeMachine, customer, failing, price, subscribed

JAN_31 = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())


def day(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


@pytest.fixture
def machine(api: stripe.StripeClient, clock: SteppingClock) -> TimeMachine:
    return TimeMachine(api, clock, JAN_31)


def period(api: stripe.StripeClient, subscription: str) -> tuple[int, int]:
    item = api.v1.subscriptions.retrieve(subscription).to_dict()["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def invoices(api: stripe.StripeClient, subscription: str) -> list[Any]:
    """The invoices of a subscription, oldest first, as plain data."""
    return [one.to_dict() for one in reversed(api.v1.invoices.list({"subscription": subscription}).data)]


def test_a_renewal_is_a_draft_for_an_hour_and_then_paid(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    start, end = period(api, made["id"])
    seen = len(server.event_types())

    machine.go(end)

    draft = invoices(api, made["id"])[-1]
    assert (draft["status"], draft["billing_reason"], draft["created"]) == ("draft", "subscription_cycle", end)
    assert (draft["period_start"], draft["period_end"]) == (start, end)
    assert draft["automatically_finalizes_at"] == draft["next_payment_attempt"] == end + HOUR
    assert draft["lines"]["data"][0]["period"]["start"] == end == period(api, made["id"])[0]
    machine.go(end + HOUR)
    paid = api.v1.invoices.retrieve(draft["id"])
    assert (paid.status, paid.attempt_count, paid.status_transitions.finalized_at) == ("paid", 1, end + HOUR)
    assert [kind for kind in server.event_types()[seen:] if kind.startswith(("invoice.", "customer.sub"))] == [
        "invoice.upcoming",
        "invoice.created",
        "customer.subscription.updated",
        "invoice.finalized",
        "invoice.updated",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    told = api.v1.events.list({"type": "customer.subscription.updated"}).data[0].data.to_dict()
    assert set(told["previous_attributes"]) == {"items", "latest_invoice"}


def test_the_months_end_stays_the_months_end(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    ends = []
    for _ in range(4):
        ends.append(day(period(api, made["id"])[1]))
        machine.go(period(api, made["id"])[1])

    assert ends == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


def test_renewals_follow_business_time_where_there_is_no_clock(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = subscribed(api, customer(api), price(api, 1_500), quantity=2)

    server.control("POST", "clock", {"advance_s": 95 * DAY})

    rows = invoices(api, made["id"])
    assert [(row["status"], row["total"]) for row in rows] == [("paid", 3_000)] * 4
    spans = [row["lines"]["data"][0]["period"] for row in rows]
    assert [span["end"] for span in spans[:-1]] == [span["start"] for span in spans[1:]]
    assert len(server.journal("charge")) == 4


def test_what_waits_for_the_customer_comes_on_the_next_renewal(api: stripe.StripeClient, machine: TimeMachine) -> None:
    owner = customer(api, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500))
    api.v1.invoice_items.create({"customer": owner, "amount": 250, "currency": "usd", "description": "extra"})

    machine.go(period(api, made["id"])[1])

    draft = invoices(api, made["id"])[-1]
    assert [(line["description"], line["amount"]) for line in draft["lines"]["data"]] == [
        ("extra", 250),
        ("1 × Pro (at $15.00 / month)", 1_500),
    ]


def test_a_clock_goes_at_most_two_intervals_of_its_shortest_subscription(
    api: stripe.StripeClient, machine: TimeMachine
) -> None:
    subscribed(api, customer(api, test_clock=machine.id), price(api, 700, interval="week"))

    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        api.v1.test_helpers.test_clocks.advance(machine.id, {"frozen_time": JAN_31 + 14 * DAY + 1})

    machine.go(JAN_31 + 14 * DAY)


def test_a_trial_warns_three_days_before_and_then_bills(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500), trial_period_days=10)
    machine.go(made["trial_end"] - 3 * DAY - 1)
    assert "customer.subscription.trial_will_end" not in server.event_types()
    machine.go(made["trial_end"] - 3 * DAY)
    assert server.event_types().count("customer.subscription.trial_will_end") == 1

    machine.go(made["trial_end"] + 2 * HOUR)

    after = api.v1.subscriptions.retrieve(made["id"]).to_dict()
    assert (after["status"], day(period(api, made["id"])[1])) == ("active", "2026-03-10")
    assert [(row["status"], row["total"]) for row in invoices(api, made["id"])] == [("paid", 0), ("paid", 1_500)]
    update = api.v1.events.list({"type": "customer.subscription.updated"}).data[0].data.to_dict()
    assert update["previous_attributes"]["status"] == "trialing"
    assert server.event_types().count("customer.subscription.trial_will_end") == 1


@pytest.mark.parametrize(
    ("behavior", "status", "told", "bills"),
    [
        ("create_invoice", "past_due", "invoice.payment_failed", 2),
        ("cancel", "canceled", "customer.subscription.deleted", 1),
        ("pause", "paused", "customer.subscription.paused", 1),
    ],
)
def test_a_trial_without_a_method_ends_as_chosen(
    server: CheckedServer,
    api: stripe.StripeClient,
    machine: TimeMachine,
    behavior: str,
    status: str,
    told: str,
    bills: int,
) -> None:
    made = subscribed(
        api,
        customer(api, method=None, test_clock=machine.id),
        price(api, 1_500),
        trial_period_days=10,
        trial_settings={"end_behavior": {"missing_payment_method": behavior}},
    )

    machine.go(made["trial_end"] + 2 * HOUR)

    assert api.v1.subscriptions.retrieve(made["id"]).status == status
    assert told in server.event_types()
    assert len(invoices(api, made["id"])) == bills


def test_a_paused_subscription_is_resumed_by_a_payment(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    owner = customer(api, method=None, test_clock=machine.id)
    made = subscribed(
        api,
        owner,
        price(api, 1_500),
        trial_period_days=10,
        trial_settings={"end_behavior": {"missing_payment_method": "pause"}},
    )
    machine.go(made["trial_end"])
    paused = api.v1.subscriptions.retrieve(made["id"]).to_dict()
    assert paused["status_details"]["paused"]["subscription"] == {"type": "trial_end_without_payment_method"}
    machine.go(made["trial_end"] + 30 * DAY)
    assert len(invoices(api, made["id"])) == 1
    method = api.v1.payment_methods.attach("pm_card_visa", {"customer": owner})

    waiting = api.v1.subscriptions.resume(made["id"], {"expand": ["latest_invoice"]}).to_dict()
    assert (waiting["status"], waiting["latest_invoice"]["status"]) == ("paused", "open")
    api.v1.invoices.pay(waiting["latest_invoice"]["id"], {"payment_method": method.id})

    after = api.v1.subscriptions.retrieve(made["id"]).to_dict()
    assert (after["status"], after["billing_cycle_anchor"]) == ("active", made["trial_end"] + 30 * DAY)
    assert "status_details" not in after
    assert server.event_types().count("customer.subscription.resumed") == 1


@covers("subscriptions.dunning")
@covers("subscriptions.dunning")
@pytest.mark.parametrize("end", ["canceled", "unpaid", "past_due"])
def test_dunning_tries_again_and_ends_as_the_account_has_chosen(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, end: str
) -> None:
    server.control("POST", "accounts", {"api_key": "sk_test_suite", "dunning_ends": end})
    owner = customer(api, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500))
    bad = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner})
    api.v1.subscriptions.update(made["id"], {"default_payment_method": bad.id})
    due = period(api, made["id"])[1] + HOUR

    machine.go(due)
    first = invoices(api, made["id"])[-1]
    assert api.v1.subscriptions.retrieve(made["id"]).status == "past_due"
    assert (first["status"], first["attempt_count"], first["next_payment_attempt"]) == ("open", 1, due + 3 * DAY)
    told = api.v1.events.list({"type": "invoice.payment_failed"}).data[0].data.to_dict()["object"]
    assert told["next_payment_attempt"] == due + 3 * DAY
    machine.go(due + 3 * DAY)
    assert invoices(api, made["id"])[-1]["next_payment_attempt"] == due + 8 * DAY
    machine.go(due + 15 * DAY)

    last = invoices(api, made["id"])[-1]
    assert (last["status"], last["attempt_count"], last["next_payment_attempt"]) == ("open", 4, None)
    after = api.v1.subscriptions.retrieve(made["id"]).to_dict()
    assert after["status"] == end
    assert after["cancellation_details"]["reason"] == ("payment_failed" if end == "canceled" else None)
    assert ("customer.subscription.deleted" in server.event_types()) == (end == "canceled")


@covers("subscriptions.dunning")
def test_a_payment_during_dunning_makes_the_subscription_active_again(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    owner = customer(api, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500))
    bad = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner})
    api.v1.subscriptions.update(made["id"], {"default_payment_method": bad.id})
    due = period(api, made["id"])[1] + HOUR
    machine.go(due)
    assert api.v1.customers.retrieve(owner).delinquent is True
    api.v1.subscriptions.update(made["id"], {"default_payment_method": ""})

    machine.go(due + 3 * DAY)

    assert api.v1.subscriptions.retrieve(made["id"]).status == "active"
    assert api.v1.customers.retrieve(owner).delinquent is False
    assert [row["status"] for row in invoices(api, made["id"])] == ["paid", "paid"]
    machine.go(due + 20 * DAY)
    assert len(server.journal("charge")) == 2


def test_an_unpaid_subscription_drafts_on_and_collects_nothing(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    server.control("POST", "settings", {"dunning_ends": "unpaid", "dunning_delays_s": [DAY]})
    owner = customer(api, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500))
    bad = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner})
    api.v1.subscriptions.update(made["id"], {"default_payment_method": bad.id})
    first_end = period(api, made["id"])[1]
    machine.go(first_end + 2 * DAY)
    assert api.v1.subscriptions.retrieve(made["id"]).status == "unpaid"

    machine.go(period(api, made["id"])[1] + DAY)

    last = invoices(api, made["id"])[-1]
    assert (last["status"], last["auto_advance"]) == ("draft", False)
    paid = api.v1.invoices.pay(last["id"], {"payment_method": good(api, owner)})
    assert (paid.status, api.v1.subscriptions.retrieve(made["id"]).status) == ("paid", "active")


def good(api: stripe.StripeClient, owner: str) -> str:
    return api.v1.payment_methods.attach("pm_card_visa", {"customer": owner}).id


def test_a_renewal_that_wants_the_customer_tells_so(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    owner = customer(api, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500))
    card = api.v1.payment_methods.attach("pm_card_authenticationRequired", {"customer": owner})
    api.v1.subscriptions.update(made["id"], {"default_payment_method": card.id})

    machine.go(period(api, made["id"])[1] + HOUR)

    assert api.v1.subscriptions.retrieve(made["id"]).status == "past_due"
    assert {"invoice.payment_action_required", "invoice.payment_failed"} <= set(server.event_types())


def test_an_invoice_that_was_sent_is_overdue_after_its_day(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    owner = customer(api, method=None, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500), collection_method="send_invoice", days_until_due=5)
    machine.go(JAN_31 + HOUR + 5 * DAY - 1)
    assert "invoice.overdue" not in server.event_types()

    machine.go(JAN_31 + HOUR + 5 * DAY)

    assert server.event_types().count("invoice.overdue") == 1
    assert api.v1.subscriptions.retrieve(made["id"]).status == "past_due"
    api.v1.invoices.pay(str(made["latest_invoice"]), {"paid_out_of_band": True})
    assert api.v1.subscriptions.retrieve(made["id"]).status == "active"


def test_a_subscription_ends_with_its_period(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    end = period(api, made["id"])[1]

    planned = api.v1.subscriptions.update(made["id"], {"cancel_at_period_end": True})
    assert (planned.status, planned.cancel_at, planned.canceled_at) == ("active", end, JAN_31)
    machine.go(end + DAY)

    ended = api.v1.subscriptions.retrieve(made["id"])
    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", end, JAN_31)
    assert len(invoices(api, made["id"])) == 1
    assert "invoice.upcoming" not in server.event_types()


def test_an_end_that_was_planned_can_be_taken_back(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    api.v1.subscriptions.update(made["id"], {"cancel_at_period_end": True})

    back = api.v1.subscriptions.update(made["id"], {"cancel_at_period_end": False})
    machine.go(period(api, made["id"])[1] + 2 * HOUR)

    assert (back.cancel_at, back.canceled_at, back.to_dict()["cancellation_details"]["reason"]) == (None, None, None)
    assert api.v1.subscriptions.retrieve(made["id"]).status == "active"
    assert len(invoices(api, made["id"])) == 2


def test_a_subscription_ends_at_a_time(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 2_800))
    api.v1.subscriptions.update(made["id"], {"cancel_at": JAN_31 + 7 * DAY, "proration_behavior": "none"})
    credited = subscribed(api, customer(api, test_clock=machine.id), price(api, 2_800))
    api.v1.subscriptions.update(credited["id"], {"cancel_at": JAN_31 + 7 * DAY})

    machine.go(JAN_31 + 8 * DAY)

    for one in (made, credited):
        ended = api.v1.subscriptions.retrieve(one["id"])
        assert (ended.status, ended.ended_at) == ("canceled", JAN_31 + 7 * DAY)
    pending = api.v1.invoice_items.list({"pending": True}).data
    assert [(item.customer, item.amount) for item in pending] == [(credited["customer"], -2_100)]


@pytest.mark.parametrize(
    ("behavior", "status", "advances"),
    [("keep_as_draft", "draft", False), ("mark_uncollectible", "uncollectible", False), ("void", "void", False)],
)
def test_paused_collection_bills_on_and_collects_nothing(
    server: CheckedServer,
    api: stripe.StripeClient,
    machine: TimeMachine,
    behavior: str,
    status: str,
    advances: bool,
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    end = period(api, made["id"])[1]
    paused = api.v1.subscriptions.update(
        made["id"],
        {"pause_collection": {"behavior": behavior, "resumes_at": end + 2 * DAY}},
    )
    assert (paused.status, paused.to_dict()["pause_collection"]["behavior"]) == ("active", behavior)

    machine.go(end + DAY)
    held = invoices(api, made["id"])[-1]
    assert (held["status"], held["auto_advance"]) == (status, advances)
    assert api.v1.subscriptions.retrieve(made["id"]).status == "active"
    machine.go(end + 2 * DAY)
    assert api.v1.subscriptions.retrieve(made["id"]).pause_collection is None
    machine.go(period(api, made["id"])[1] + 2 * HOUR)

    assert invoices(api, made["id"])[-1]["status"] == "paid"
    assert len(server.journal("charge")) == 2


def test_a_subscription_is_paused_as_a_whole_since_endive(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 2_800))
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        server.client(version="2026-02-25.clover").v1.subscriptions.pause(made["id"])
    machine.go(JAN_31 + 7 * DAY)

    paused = api.v1.subscriptions.pause(made["id"]).to_dict()
    with pytest.raises(stripe.InvalidRequestError, match="paused subscription"):
        api.v1.subscriptions.update(made["id"], {"items": [{"id": made["items"]["data"][0]["id"], "quantity": 2}]})

    assert (paused["status"], paused["status_details"]["paused"]["subscription"]["type"]) == (
        "paused",
        "pause_requested",
    )
    assert [item.amount for item in api.v1.invoice_items.list({"pending": True}).data] == [-2_100]
    machine.go(JAN_31 + 40 * DAY)
    assert len(invoices(api, made["id"])) == 1
    back = api.v1.subscriptions.resume(made["id"], {"payment_behavior": "resume_on_payment_success"})
    assert back.status == "active"
    assert [row["total"] for row in invoices(api, made["id"])] == [2_800, 700]
    older = server.client(version=ACACIA)
    classic = subscribed(older, customer(api, test_clock=machine.id), price(api, 2_800))
    with pytest.raises(stripe.InvalidRequestError, match="flexible"):
        api.v1.subscriptions.pause(classic["id"])


def test_what_is_upcoming_is_told_a_week_before(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    end = period(api, made["id"])[1]

    machine.go(end - 7 * DAY)

    told = api.v1.events.list({"type": "invoice.upcoming"}).data[0].data.to_dict()["object"]
    assert (told["status"], told["amount_due"], told["next_payment_attempt"]) == ("draft", 1_500, end + HOUR)
    assert told["id"].startswith("upcoming_in_")
    assert len(invoices(api, made["id"])) == 1


def test_a_declined_first_payment_is_not_tried_again(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, failing(api, test_clock=machine.id), price(api, 1_500))

    machine.go(JAN_31 + 20 * DAY)

    assert api.v1.subscriptions.retrieve(made["id"]).status == "incomplete_expired"
    assert len(server.journal("charge_failed")) == 1


def test_a_short_trial_warns_at_once(server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine) -> None:
    subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500), trial_period_days=2)

    assert server.event_types()[-1] == "customer.subscription.trial_will_end"


@pytest.mark.parametrize("end", ["canceled", "unpaid", "past_due"])
def test_an_invoice_that_stays_overdue_ends_its_subscription_as_chosen(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, end: str
) -> None:
    server.control("POST", "settings", {"dunning_ends": end, "overdue_ends_after_days": 10})
    owner = customer(api, method=None, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500), collection_method="send_invoice", days_until_due=5)

    machine.go(JAN_31 + HOUR + 15 * DAY)

    assert api.v1.subscriptions.retrieve(made["id"]).status == end
    assert api.v1.customers.retrieve(owner).delinquent is True


@pytest.mark.parametrize(
    ("behavior", "status"), [("resume_on_payment_attempt", "past_due"), ("resume_on_payment_success", "paused")]
)
def test_a_resumption_that_is_refused_ends_as_it_was_asked_for(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, behavior: Any, status: str
) -> None:
    owner = customer(api, test_clock=machine.id)
    made = subscribed(api, owner, price(api, 1_500))
    bad = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": owner})
    api.v1.subscriptions.update(made["id"], {"default_payment_method": bad.id})
    api.v1.subscriptions.pause(made["id"], {"bill_for": {"unused_time_from": {"type": "none"}}})
    machine.go(JAN_31 + 20 * DAY)

    after = api.v1.subscriptions.resume(made["id"], {"payment_behavior": behavior})
    if after.status == "paused" and behavior == "resume_on_payment_attempt":
        with pytest.raises(stripe.CardError):
            api.v1.invoices.pay(str(after.latest_invoice))

    assert api.v1.subscriptions.retrieve(made["id"]).status == status


def test_a_resumption_that_nobody_tries_to_pay_is_off_after_23_hours(
    api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = subscribed(api, customer(api, test_clock=machine.id), price(api, 1_500))
    api.v1.subscriptions.pause(made["id"], {"bill_for": {"unused_time_from": {"type": "none"}}})
    machine.go(JAN_31 + 20 * DAY)
    waiting = api.v1.subscriptions.resume(made["id"])
    assert (waiting.status, api.v1.invoices.retrieve(str(waiting.latest_invoice)).status) == ("paused", "open")

    machine.go(JAN_31 + 21 * DAY)

    assert api.v1.invoices.retrieve(str(waiting.latest_invoice)).status == "void"
    assert api.v1.subscriptions.retrieve(made["id"]).status == "paused"
