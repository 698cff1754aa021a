"""Subscriptions: how they begin, what is shown of them, and how they end, at both renderings."""

from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from sandbox.covering import covers
from sandbox.harness import CheckedServer, code_of
from sandbox.recurring import DAY, HOUR, customer, failing, price, subscribed


def test_a_subscription_is_paid_at_once_and_active(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner, plan = customer(api), price(api, 1_500)

    made = subscribed(api, owner, plan, expand=["latest_invoice.payments", "latest_invoice.confirmation_secret"])

    assert (made["status"], made["collection_method"]) == ("active", "charge_automatically")
    assert made["billing_mode"]["type"] == "flexible"
    assert "current_period_end" not in made
    item = made["items"]["data"][0]
    assert (item["price"]["id"], item["plan"]["amount"], item["quantity"]) == (plan, 1_500, 1)
    assert item["current_period_start"] == made["created"] == made["billing_cycle_anchor"]
    invoice = made["latest_invoice"]
    assert (invoice["status"], invoice["total"], invoice["billing_reason"]) == ("paid", 1_500, "subscription_create")
    assert invoice["parent"]["subscription_details"]["subscription"] == made["id"]
    line = invoice["lines"]["data"][0]
    assert line["description"] == "1 × Pro (at $15.00 / month)"
    assert line["parent"]["type"] == "subscription_item_details"
    assert line["parent"]["subscription_item_details"]["subscription_item"] == item["id"]
    assert line["period"] == {"start": item["current_period_start"], "end": item["current_period_end"]}
    assert [row["status"] for row in invoice["payments"]["data"]] == ["paid"]
    assert len(server.journal("charge")) == 1


def test_a_new_subscription_tells_itself_once(server: CheckedServer, api: stripe.StripeClient) -> None:
    subscribed(api, customer(api), price(api, 1_500))

    types = server.event_types()
    wanted = ("invoice.created", "invoice.finalized", "invoice.paid", "customer.subscription.created")
    assert [types.count(name) for name in wanted] == [1, 1, 1, 1]
    assert "customer.subscription.updated" not in types
    told = api.v1.events.list({"type": "customer.subscription.created"}).data[0].data.object
    assert told["status"] == "active"


def test_older_versions_show_the_subscription_in_their_shape(server: CheckedServer, api: stripe.StripeClient) -> None:
    older = server.client(version=ACACIA)
    made = subscribed(older, customer(api), price(api, 1_500), expand=["latest_invoice.payment_intent"])

    assert "billing_mode" not in made
    assert made["current_period_end"] > made["current_period_start"] == made["created"]
    assert "current_period_end" not in made["items"]["data"][0]
    invoice = made["latest_invoice"]
    assert (invoice["subscription"], invoice["payment_intent"]["status"]) == (made["id"], "succeeded")
    assert invoice["payment_intent"]["description"] == "Subscription creation"
    line = invoice["lines"]["data"][0]
    assert (line["type"], line["proration"], line["price"]["unit_amount"]) == ("subscription", False, 1_500)
    assert line["subscription_item"] == made["items"]["data"][0]["id"]
    newer = api.v1.subscriptions.retrieve(made["id"]).to_dict()
    assert newer["billing_mode"]["type"] == "classic"


@covers("subscriptions.payment-behavior")
def test_an_incomplete_subscription_waits_for_its_first_payment(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api, method=None)
    made = subscribed(
        api,
        owner,
        price(api, 1_500),
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret", "latest_invoice.payments"],
    )
    assert (made["status"], made["latest_invoice"]["status"], made["default_payment_method"]) == (
        "incomplete",
        "open",
        None,
    )
    secret = made["latest_invoice"]["confirmation_secret"]["client_secret"]
    intent = secret.partition("_secret_")[0]
    assert made["latest_invoice"]["payments"]["data"][0]["payment"]["payment_intent"] == intent

    paid = api.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})

    after = api.v1.subscriptions.retrieve(made["id"])
    assert (after.status, after.default_payment_method) == ("active", paid.payment_method)
    assert paid.setup_future_usage == "off_session"
    assert api.v1.payment_methods.retrieve(str(paid.payment_method)).customer == owner
    types = server.event_types()
    assert types.index("customer.subscription.created") < types.index("invoice.paid")
    update = api.v1.events.list({"type": "customer.subscription.updated"}).data
    changes = [event.data.to_dict()["previous_attributes"] for event in update]
    assert {"status": "incomplete"} in changes


@covers("subscriptions.incomplete-expired")
def test_an_incomplete_subscription_expires_after_23_hours(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = subscribed(api, customer(api, method=None), price(api, 1_500), payment_behavior="default_incomplete")
    server.control("POST", "clock", {"advance_s": 23 * HOUR - 1})
    assert api.v1.subscriptions.retrieve(made["id"]).status == "incomplete"

    server.control("POST", "clock", {"advance_s": 1})

    assert api.v1.subscriptions.retrieve(made["id"]).status == "incomplete_expired"
    assert api.v1.invoices.retrieve(made["latest_invoice"]).status == "void"
    assert "customer.subscription.deleted" not in server.event_types()


def test_without_any_method_nothing_that_is_charged_can_start(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner, plan = customer(api, method=None), price(api, 1_500)

    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source") as refused:
        subscribed(api, owner, plan)

    assert code_of(refused.value) == "resource_missing"
    assert api.v1.subscriptions.list({"customer": owner, "status": "all"}).data == []


@covers("subscriptions.payment-behavior")
@pytest.mark.parametrize("behavior", [None, "allow_incomplete"])
def test_a_declined_first_payment_leaves_an_incomplete_subscription(
    server: CheckedServer, api: stripe.StripeClient, behavior: str | None
) -> None:
    more: dict[str, Any] = {"payment_behavior": behavior} if behavior else {}

    made = subscribed(api, failing(api), price(api, 1_500), expand=["latest_invoice"], **more)

    invoice = made["latest_invoice"]
    assert (made["status"], invoice["status"], invoice["attempt_count"]) == ("incomplete", "open", 1)
    assert invoice["next_payment_attempt"] is None
    assert "invoice.payment_failed" in server.event_types()


@covers("subscriptions.payment-behavior")
def test_error_if_incomplete_refuses_and_leaves_nothing_behind(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner, plan = failing(api), price(api, 1_500)
    before = server.event_types()

    with pytest.raises(stripe.CardError) as refused:
        subscribed(api, owner, plan, payment_behavior="error_if_incomplete")

    assert code_of(refused.value) == "card_declined"
    assert api.v1.subscriptions.list({"status": "all"}).data == []
    assert api.v1.invoices.list().data == []
    assert server.event_types() == before


def test_a_challenge_keeps_the_first_payment_incomplete_until_it_is_passed(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    made = subscribed(
        api,
        customer(api, "pm_card_authenticationRequired"),
        price(api, 1_500),
        expand=["latest_invoice.payments"],
    )
    intent = made["latest_invoice"]["payments"]["data"][0]["payment"]["payment_intent"]
    assert made["status"] == "incomplete"
    assert api.v1.payment_intents.retrieve(intent).status == "requires_action"
    assert "invoice.payment_action_required" in server.event_types()

    server.control("POST", f"payment_intents/{intent}/authenticate", {"outcome": "succeed"})

    assert api.v1.subscriptions.retrieve(made["id"]).status == "active"


@covers("subscriptions.trials")
def test_a_trial_bills_nothing_and_asks_for_a_method(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api, method=None)
    made = subscribed(
        api, owner, price(api, 1_500), trial_period_days=14, expand=["latest_invoice", "pending_setup_intent"]
    )

    assert (made["status"], made["trial_end"] - made["trial_start"]) == ("trialing", 14 * DAY)
    assert made["items"]["data"][0]["current_period_end"] == made["trial_end"] == made["billing_cycle_anchor"]
    invoice = made["latest_invoice"]
    assert (invoice["status"], invoice["total"]) == ("paid", 0)
    assert invoice["lines"]["data"][0]["description"] == "Trial period for Pro"
    assert made["pending_setup_intent"]["status"] == "requires_payment_method"

    api.v1.setup_intents.confirm(made["pending_setup_intent"]["id"], {"payment_method": "pm_card_visa"})

    assert api.v1.subscriptions.retrieve(made["id"]).pending_setup_intent is None
    assert len(api.v1.customers.payment_methods.list(owner).data) == 1


def test_an_invoice_that_is_sent_starts_the_subscription_at_once(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    made = subscribed(
        api,
        customer(api, method=None),
        price(api, 1_500),
        collection_method="send_invoice",
        days_until_due=10,
        expand=["latest_invoice"],
    )
    invoice = made["latest_invoice"]
    assert (made["status"], invoice["status"], invoice["auto_advance"]) == ("active", "draft", True)

    server.control("POST", "clock", {"advance_s": HOUR})

    sent = api.v1.invoices.retrieve(invoice["id"])
    assert (sent.status, sent.due_date) == ("open", invoice["created"] + HOUR + 10 * DAY)
    assert "invoice.sent" in server.event_types()


def test_items_can_bring_their_price_and_extras_come_on_the_first_invoice(api: stripe.StripeClient) -> None:
    product = api.v1.products.create({"name": "Seats"}).id
    once = api.v1.prices.create({"currency": "usd", "unit_amount": 500, "product": product}).id

    made = api.v1.subscriptions.create(
        {
            "customer": customer(api),
            "items": [
                {
                    "price_data": {
                        "currency": "usd",
                        "product": product,
                        "recurring": {"interval": "month", "interval_count": 3},
                        "unit_amount": 700,
                    },
                    "quantity": 3,
                }
            ],
            "add_invoice_items": [{"price": once}],
            "metadata": {"team": "7"},
            "expand": ["latest_invoice"],
        }
    ).to_dict()

    lines = made["latest_invoice"]["lines"]["data"]
    assert [(line["description"], line["amount"]) for line in lines] == [
        ("3 × Seats (at $7.00 / every 3 months)", 2_100),
        (None, 500),
    ]
    assert lines[0]["metadata"] == {"team": "7"}
    assert made["latest_invoice"]["parent"]["subscription_details"]["metadata"] == {"team": "7"}


def test_a_billing_cycle_anchor_makes_a_first_part_of_a_period(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    anchor = int(clock()) + 10 * DAY
    plan = price(api, 3_100, interval="week")

    with pytest.raises(stripe.InvalidRequestError, match="billing_cycle_anchor"):
        subscribed(api, customer(api), plan, billing_cycle_anchor=anchor)
    with_part = subscribed(
        api, customer(api), price(api, 3_000), billing_cycle_anchor=anchor, expand=["latest_invoice"]
    )
    without = subscribed(api, customer(api), price(api, 3_000), billing_cycle_anchor=anchor, proration_behavior="none")

    line = with_part["latest_invoice"]["lines"]["data"][0]
    # From 14 June 2026 to 24 June is a third of less than the 31 days before the anchor.
    assert (line["amount"], line["period"]["end"]) == (round(3_000 * 10 / 31), anchor)
    assert with_part["items"]["data"][0]["current_period_end"] == anchor == with_part["billing_cycle_anchor"]
    assert (without["status"], without["latest_invoice"]) == ("active", None)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"items": []}, "items"),
        ({"items": [{"price": "price_none"}]}, "items[0][price]"),
        ({"trial_end": 5}, "trial_end"),
        ({"trial_period_days": 3, "trial_end": 99}, "trial_end"),
        ({"payment_behavior": "pending_if_incomplete"}, "payment_behavior"),
        ({"default_payment_method": "pm_none"}, "default_payment_method"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"days_until_due": 3}, "days_until_due"),
        ({"application_fee_percent": 3}, "application_fee_percent"),
        ({"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]"),
    ],
)
def test_what_cannot_be_started_is_refused_by_name(
    api: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    given = {"customer": customer(api), "items": [{"price": price(api, 1_500)}], **params}

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.subscriptions.create(given)  # type: ignore[arg-type]

    assert refused.value.param == param
    assert api.v1.subscriptions.list({"status": "all"}).data == []


def test_prices_of_one_subscription_fit_together(api: stripe.StripeClient) -> None:
    owner, monthly, yearly = customer(api), price(api, 1_500), price(api, 9_000, interval="year")
    product = api.v1.products.create({"name": "Setup"}).id
    once = api.v1.prices.create({"currency": "usd", "unit_amount": 500, "product": product}).id
    for items, words in (
        ([monthly, yearly], "different intervals"),
        ([monthly, monthly], "same price"),
        ([monthly, price(api, 100, currency="eur")], "same currency"),
        ([once], "type=one_time"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            api.v1.subscriptions.create({"customer": owner, "items": [{"price": one} for one in items]})


def test_lists_leave_out_what_is_canceled_unless_it_is_asked_for(api: stripe.StripeClient) -> None:
    owner, plan = customer(api), price(api, 1_500)
    alive = subscribed(api, owner, plan, metadata={"n": "1"})["id"]
    gone = subscribed(api, owner, plan)["id"]
    api.v1.subscriptions.cancel(gone)

    def listed(**params: Any) -> list[str]:
        return [one.id for one in api.v1.subscriptions.list(params).data]  # type: ignore[arg-type]

    assert listed() == listed(customer=owner) == listed(status="active") == listed(price=plan) == [alive]
    assert listed(status="all") == [gone, alive]
    assert listed(status="canceled") == listed(status="ended") == [gone]
    assert listed(price="price_other") == listed(current_period_end={"lt": 5}) == []
    found = api.v1.subscriptions.search({"query": "status:'active' AND metadata['n']:'1'"}).data
    assert [one.id for one in found] == [alive]


@covers("subscriptions.ending")
def test_canceling_ends_a_subscription_now(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = subscribed(api, customer(api), price(api, 1_500))

    ended = api.v1.subscriptions.cancel(made["id"], {"cancellation_details": {"feedback": "unused"}})

    assert (ended.status, ended.ended_at, ended.canceled_at) == ("canceled", made["created"], made["created"])
    assert ended.to_dict()["cancellation_details"]["reason"] == "cancellation_requested"
    assert ended.to_dict()["cancellation_details"]["feedback"] == "unused"
    assert server.event_types()[-1] == "customer.subscription.deleted"
    with pytest.raises(stripe.InvalidRequestError):
        api.v1.subscriptions.cancel(made["id"])
    with pytest.raises(stripe.InvalidRequestError, match="canceled subscription can only"):
        api.v1.subscriptions.update(made["id"], {"cancel_at_period_end": True})
    assert api.v1.subscriptions.update(made["id"], {"metadata": {"a": "b"}}).to_dict()["metadata"] == {"a": "b"}
    server.control("POST", "clock", {"advance_s": 40 * DAY})
    assert len(server.journal("charge")) == 1


def test_canceling_an_incomplete_subscription_voids_its_invoice(api: stripe.StripeClient) -> None:
    made = subscribed(api, customer(api, method=None), price(api, 1_500), payment_behavior="default_incomplete")

    assert api.v1.subscriptions.cancel(made["id"]).status == "incomplete_expired"
    assert api.v1.invoices.retrieve(made["latest_invoice"]).status == "void"


def test_deleting_a_customer_cancels_their_subscriptions(server: CheckedServer, api: stripe.StripeClient) -> None:
    owner = customer(api)
    made = subscribed(api, owner, price(api, 1_500))

    api.v1.customers.delete(owner)

    assert api.v1.subscriptions.retrieve(made["id"]).status == "canceled"
    assert "customer.subscription.deleted" in server.event_types()


def test_updates_of_plain_fields_bill_nothing_and_tell_what_changed(
    server: CheckedServer, api: stripe.StripeClient
) -> None:
    owner = customer(api)
    made = subscribed(api, owner, price(api, 1_500), metadata={"a": "1"})
    other = api.v1.payment_methods.attach("pm_card_mastercard", {"customer": owner})

    after = api.v1.subscriptions.update(
        made["id"],
        {"metadata": {"a": "", "b": "2"}, "default_payment_method": other.id, "description": "team"},
    ).to_dict()

    assert (after["metadata"], after["default_payment_method"], after["description"]) == ({"b": "2"}, other.id, "team")
    told = api.v1.events.list({"type": "customer.subscription.updated"}).data[0].data.to_dict()
    assert told["previous_attributes"] == {
        "metadata": {"a": "1", "b": None},
        "default_payment_method": None,
        "description": None,
    }
    assert len(api.v1.invoices.list().data) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"description": "new", "items": [{"price": "price_none"}]},
        {"description": "new", "cancel_at": 5},
        {"description": "new", "add_invoice_items": [{"price": "price_none"}]},
        {"description": "new", "proration_date": 5},
        {"description": "new", "default_payment_method": "pm_none"},
    ],
)
def test_a_refused_update_changes_nothing(
    server: CheckedServer, api: stripe.StripeClient, params: dict[str, Any]
) -> None:
    made = subscribed(api, customer(api), price(api, 1_500))
    seen = server.event_types()

    with pytest.raises(stripe.InvalidRequestError):
        api.v1.subscriptions.update(made["id"], params)  # type: ignore[arg-type]

    assert api.v1.subscriptions.retrieve(made["id"]).to_dict() == made
    assert server.event_types() == seen


def test_an_item_can_wait_for_one_subscription_and_be_invoiced_alone(api: stripe.StripeClient) -> None:
    owner = customer(api)
    made, other = subscribed(api, owner, price(api, 1_500)), subscribed(api, owner, price(api, 900))
    for one, amount in ((made, 250), (other, 90)):
        api.v1.invoice_items.create({"customer": owner, "subscription": one["id"], "amount": amount, "currency": "usd"})

    invoice = api.v1.invoices.create(
        {"customer": owner, "subscription": made["id"], "pending_invoice_items_behavior": "include"}
    ).to_dict()

    assert (invoice["total"], invoice["parent"]["subscription_details"]["subscription"]) == (250, made["id"])
    details = invoice["lines"]["data"][0]["parent"]["invoice_item_details"]
    assert (details["subscription"], details["proration"]) == (made["id"], False)
    assert [row.amount for row in api.v1.invoice_items.list({"pending": True}).data] == [90]


def test_a_customer_shows_the_subscriptions_that_go_on(api: stripe.StripeClient) -> None:
    owner = customer(api)
    made, gone = subscribed(api, owner, price(api, 1_500)), subscribed(api, owner, price(api, 900))
    api.v1.subscriptions.cancel(gone["id"])

    shown = api.v1.customers.retrieve(owner, {"expand": ["subscriptions"]}).to_dict()

    assert [one["id"] for one in shown["subscriptions"]["data"]] == [made["id"]]


def test_a_classic_subscription_can_be_made_flexible(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = subscribed(api, customer(api), price(api, 1_500), billing_mode={"type": "classic"})

    after = api.v1.subscriptions.migrate(made["id"], {"billing_mode": {"type": "flexible"}}).to_dict()

    assert (after["billing_mode"]["type"], after["billing_mode"]["updated_at"]) == ("flexible", made["created"])
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        server.client(version=ACACIA).v1.subscriptions.migrate(made["id"], {"billing_mode": {"type": "flexible"}})
