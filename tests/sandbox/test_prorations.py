"""Changes within a period: what is given back and charged, in both billing modes, and the previews of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from counterfoil.sandbox.versions import ACACIA
from sandbox.harness import CheckedServer, code_of
from sandbox.recurring import DAY, HOUR, TimeMachine, customer, price, subscribed

APRIL = int(datetime(2026, 4, 1, tzinfo=UTC).timestamp())
"""The start of a month of thirty days."""
MODES = ("classic", "flexible")


@pytest.fixture
def machine(api: stripe.StripeClient, clock: SteppingClock) -> TimeMachine:
    return TimeMachine(api, clock, APRIL)


def monthly(api: stripe.StripeClient, machine: TimeMachine, mode: str, amount: int = 3_000, **more: Any) -> Any:
    owner = customer(api, test_clock=machine.id)
    return subscribed(api, owner, price(api, amount), billing_mode={"type": mode}, **more)


def switch(api: stripe.StripeClient, subscription: Any, **change: Any) -> Any:
    """Update the one item of a subscription; what is no field of an item is a field of the subscription."""
    item = {"id": subscription["items"]["data"][0]["id"]}
    item |= {name: change.pop(name) for name in ("price", "quantity") if name in change}
    params: dict[str, Any] = {"items": [item], **change}
    return api.v1.subscriptions.update(subscription["id"], params).to_dict()  # type: ignore[arg-type]


def pending(api: stripe.StripeClient) -> list[tuple[str | None, int]]:
    rows = api.v1.invoice_items.list({"pending": True}).data
    return [(row.description, row.amount) for row in reversed(rows)]


def lines(invoice: Any) -> list[tuple[str | None, int]]:
    return [(line["description"], line["amount"]) for line in invoice["lines"]["data"]]


def latest(api: stripe.StripeClient, subscription: Any) -> Any:
    shown = api.v1.subscriptions.retrieve(subscription["id"], {"expand": ["latest_invoice"]})
    return shown.to_dict()["latest_invoice"]


@pytest.mark.parametrize("mode", MODES)
def test_an_upgrade_is_prorated_on_the_next_invoice(api: stripe.StripeClient, machine: TimeMachine, mode: str) -> None:
    made = monthly(api, machine, mode)
    dearer = price(api, 6_000, "Max")
    machine.go(APRIL + 10 * DAY)

    after = switch(api, made, price=dearer)

    assert after["items"]["data"][0]["price"]["id"] == dearer
    assert pending(api) == [
        ("Unused time on Pro after 11 Apr 2026", -2_000),
        ("Remaining time on Max after 11 Apr 2026", 4_000),
    ]
    assert after["latest_invoice"] == made["latest_invoice"]
    machine.go(APRIL + 30 * DAY + HOUR)
    renewal = latest(api, made)
    assert (renewal["status"], renewal["total"]) == ("paid", 8_000)
    assert lines(renewal) == [
        ("Remaining time on Max after 11 Apr 2026", 4_000),
        ("Unused time on Pro after 11 Apr 2026", -2_000),
        ("1 × Max (at $60.00 / month)", 6_000),
    ]


def test_a_proration_says_where_it_comes_from(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = monthly(api, machine, "flexible")
    item = made["items"]["data"][0]["id"]
    first = latest(api, made)
    machine.go(APRIL + 15 * DAY)
    switch(api, made, price=price(api, 6_000), proration_behavior="always_invoice")

    invoice = latest(api, made)

    debit, credit = (line["parent"]["subscription_item_details"] for line in invoice["lines"]["data"])
    assert (credit["proration"], credit["subscription"], credit["subscription_item"]) == (True, made["id"], item)
    assert credit["proration_details"]["credited_items"] == {
        "invoice": first["id"],
        "invoice_line_items": [first["lines"]["data"][0]["id"]],
    }
    assert debit["proration_details"] == {"credited_items": None}
    waiting = api.v1.invoice_items.retrieve(credit["invoice_item"]).to_dict()
    assert (waiting["proration"], waiting["discountable"]) == (True, False)
    assert waiting["parent"]["subscription_details"] == {"subscription": made["id"], "subscription_item": item}
    old = server.client(version=ACACIA).v1.invoices.retrieve(invoice["id"]).to_dict()
    shown = old["lines"]["data"][1]
    assert (shown["type"], shown["proration"], shown["subscription_item"]) == ("invoiceitem", True, item)
    assert old["subscription_proration_date"] == APRIL + 15 * DAY


@pytest.mark.parametrize("mode", MODES)
def test_an_upgrade_is_invoiced_and_paid_at_once_when_asked(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, mode: str
) -> None:
    made = monthly(api, machine, mode)
    machine.go(APRIL + 15 * DAY)

    switch(api, made, quantity=3, proration_behavior="always_invoice")

    invoice = latest(api, made)
    assert (invoice["status"], invoice["billing_reason"], invoice["total"]) == ("paid", "subscription_update", 3_000)
    assert lines(invoice) == [
        ("Remaining time on 3 × Pro after 16 Apr 2026", 4_500),
        ("Unused time on Pro after 16 Apr 2026", -1_500),
    ]
    assert [row["amount"] for row in server.journal("charge")] == [3_000, 3_000]
    assert pending(api) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_downgrade_invoiced_at_once_leaves_credit(api: stripe.StripeClient, machine: TimeMachine, mode: str) -> None:
    made = monthly(api, machine, mode, quantity=3)
    machine.go(APRIL + 15 * DAY)

    switch(api, made, quantity=1, proration_behavior="always_invoice")

    invoice = latest(api, made)
    assert (invoice["status"], invoice["total"], invoice["amount_due"]) == ("paid", -3_000, 0)
    assert api.v1.customers.retrieve(made["customer"]).balance == -3_000
    machine.go(APRIL + 30 * DAY + HOUR)
    renewal = latest(api, made)
    assert (renewal["total"], renewal["amount_due"], renewal["status"]) == (3_000, 0, "paid")


@pytest.mark.parametrize(("mode", "billed", "credit"), [("classic", "Max", -4_000), ("flexible", "Pro", -2_000)])
def test_only_flexible_billing_gives_back_no_more_than_was_billed(
    api: stripe.StripeClient, machine: TimeMachine, mode: str, billed: str, credit: int
) -> None:
    """Classic billing credits the present price, flexible billing what was debited before a change without
    prorations.
    """
    made = monthly(api, machine, mode)
    machine.go(APRIL + 5 * DAY)
    changed = switch(api, made, price=price(api, 6_000, "Max"), proration_behavior="none")
    assert (pending(api), changed["latest_invoice"]) == ([], made["latest_invoice"])
    machine.go(APRIL + 10 * DAY)

    switch(api, made, price=price(api, 9_000, "Huge"))

    assert pending(api) == [
        (f"Unused time on {billed} after 11 Apr 2026", credit),
        ("Remaining time on Huge after 11 Apr 2026", 6_000),
    ]


@pytest.mark.parametrize("mode", MODES)
def test_two_changes_in_one_period_credit_each_other(api: stripe.StripeClient, machine: TimeMachine, mode: str) -> None:
    made = monthly(api, machine, mode)
    machine.go(APRIL + 10 * DAY)
    switch(api, made, quantity=2)
    machine.go(APRIL + 20 * DAY)

    switch(api, made, quantity=4)

    assert [amount for _, amount in pending(api)] == [-2_000, 4_000, -2_000, 4_000]


def test_prorations_count_seconds_and_round_to_the_nearest_cent(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "classic", 1_000)
    month = 30 * DAY
    at = APRIL + 1_234_567
    machine.go(at)

    switch(api, made, price=price(api, 1_999, "Max"))

    left = month - 1_234_567
    assert [amount for _, amount in pending(api)] == [
        -round(1_000 * left / month),
        round(1_999 * left / month),
    ]


def test_a_date_can_be_chosen_for_a_proration(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "classic")
    machine.go(APRIL + 20 * DAY)

    switch(api, made, quantity=2, proration_date=APRIL + 10 * DAY)

    assert [amount for _, amount in pending(api)] == [-2_000, 4_000]
    with pytest.raises(stripe.InvalidRequestError, match="outside of current subscription period"):
        switch(api, made, quantity=3, proration_date=APRIL - 1)


@pytest.mark.parametrize("mode", MODES)
def test_another_interval_begins_a_period_now(api: stripe.StripeClient, machine: TimeMachine, mode: str) -> None:
    made = monthly(api, machine, mode)
    machine.go(APRIL + 15 * DAY)

    after = switch(api, made, price=price(api, 30_000, "Year", interval="year"))

    invoice = latest(api, made)
    assert (invoice["status"], invoice["billing_reason"], invoice["total"]) == ("paid", "subscription_update", 28_500)
    assert lines(invoice) == [
        ("Unused time on Pro after 16 Apr 2026", -1_500),
        ("1 × Year (at $300.00 / year)", 30_000),
    ]
    item = after["items"]["data"][0]
    assert (item["current_period_start"], after["billing_cycle_anchor"]) == (APRIL + 15 * DAY, APRIL + 15 * DAY)
    assert item["current_period_end"] - item["current_period_start"] == 365 * DAY


def test_a_free_plan_that_becomes_paid_is_billed_now(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "flexible", 0)
    machine.go(APRIL + 15 * DAY)

    switch(api, made, price=price(api, 3_000))

    invoice = latest(api, made)
    assert (invoice["status"], invoice["total"]) == ("paid", 3_000)


@pytest.mark.parametrize("version", [ACACIA, None])
def test_the_billing_cycle_can_be_moved_to_now(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, version: str | None
) -> None:
    made = monthly(api, machine, "flexible")
    machine.go(APRIL + 15 * DAY)
    anchor: Any = "now" if version else {"type": "now"}

    client = server.client(version=version)
    client.v1.subscriptions.update(made["id"], {"billing_cycle_anchor": anchor})

    invoice = latest(api, made)
    assert (invoice["total"], invoice["lines"]["data"][1]["period"]["start"]) == (1_500, APRIL + 15 * DAY)


@pytest.mark.parametrize("mode", MODES)
def test_items_come_and_go(server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, mode: str) -> None:
    made = monthly(api, machine, mode)
    first = made["items"]["data"][0]["id"]
    machine.go(APRIL + 15 * DAY)

    added = api.v1.subscription_items.create(
        {"subscription": made["id"], "price": price(api, 1_000, "Add-on"), "quantity": 2}
    )
    assert [item.id for item in api.v1.subscription_items.list({"subscription": made["id"]}).data] == [added.id, first]
    assert pending(api) == [("Remaining time on 2 × Add-on after 16 Apr 2026", 1_000)]
    machine.go(APRIL + 24 * DAY)
    gone = api.v1.subscription_items.delete(first)

    assert gone.to_dict() == {"id": first, "object": "subscription_item", "deleted": True}
    assert pending(api)[1:] == [("Unused time on Pro after 25 Apr 2026", -600)]
    left = api.v1.subscriptions.retrieve(made["id"]).to_dict()["items"]["data"]
    assert [item["id"] for item in left] == [added.id]
    with pytest.raises(stripe.InvalidRequestError, match="at least one"):
        api.v1.subscription_items.delete(added.id)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        api.v1.subscription_items.retrieve(first)
    assert code_of(missing.value) == "resource_missing"
    changed = api.v1.subscription_items.update(added.id, {"quantity": 3, "proration_behavior": "none"})
    assert (changed.quantity, len(pending(api))) == (3, 2)


def test_during_a_trial_nothing_is_prorated(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "flexible", trial_period_days=20)
    machine.go(APRIL + 10 * DAY)

    after = switch(api, made, quantity=5)

    assert (after["status"], pending(api)) == ("trialing", [])
    longer = api.v1.subscriptions.update(made["id"], {"trial_end": APRIL + 25 * DAY}).to_dict()
    assert longer["items"]["data"][0]["current_period_end"] == APRIL + 25 * DAY
    ended = api.v1.subscriptions.update(made["id"], {"trial_end": "now"}).to_dict()
    assert (ended["status"], ended["trial_end"]) == ("active", APRIL + 10 * DAY)
    assert (latest(api, made)["total"], latest(api, made)["status"]) == (15_000, "paid")


@pytest.mark.parametrize("mode", MODES)
def test_an_end_that_moves_is_given_back_and_charged_again(
    api: stripe.StripeClient, machine: TimeMachine, mode: str
) -> None:
    made = monthly(api, machine, mode)
    for end in (APRIL + 10 * DAY, APRIL + 20 * DAY, ""):
        api.v1.subscriptions.update(made["id"], {"cancel_at": end})

    assert [amount for _, amount in pending(api)] == [-2_000, 2_000, -1_000, 1_000]
    machine.go(APRIL + 30 * DAY + HOUR)
    assert latest(api, made)["total"] == 3_000


@pytest.mark.parametrize("mode", MODES)
def test_the_last_period_is_billed_until_the_end_alone(
    api: stripe.StripeClient, machine: TimeMachine, mode: str
) -> None:
    made = monthly(api, machine, mode, 3_100, cancel_at=APRIL + 40 * DAY)

    machine.go(APRIL + 30 * DAY + HOUR)
    last = latest(api, made)
    api.v1.subscriptions.update(made["id"], {"cancel_at": ""})

    # Ten of the 31 days of May, and the others once the end is off.
    assert (last["total"], pending(api)) == (1_000, [("Remaining time on Pro after 11 May 2026", 2_100)])


@pytest.mark.parametrize("mode", MODES)
def test_a_trial_for_what_is_billed_gives_the_rest_back(
    api: stripe.StripeClient, machine: TimeMachine, mode: str
) -> None:
    made = monthly(api, machine, mode)
    machine.go(APRIL + 15 * DAY)

    trial = api.v1.subscriptions.update(made["id"], {"trial_end": APRIL + 25 * DAY}).to_dict()

    assert (trial["status"], trial["trial_start"]) == ("trialing", APRIL + 15 * DAY)
    assert trial["items"]["data"][0]["current_period_end"] == APRIL + 25 * DAY == trial["billing_cycle_anchor"]
    assert lines(latest(api, made)) == [("Unused time on Pro after 16 Apr 2026", -1_500), ("Trial period for Pro", 0)]
    assert api.v1.customers.retrieve(made["customer"]).balance == -1_500
    machine.go(APRIL + 25 * DAY + HOUR)
    assert (latest(api, made)["total"], latest(api, made)["amount_due"]) == (3_000, 1_500)


def test_a_change_without_anything_to_pay_it_with_is_owed(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "flexible")
    for method in api.v1.customers.payment_methods.list(made["customer"]).data:
        api.v1.payment_methods.detach(method.id)
    machine.go(APRIL + 15 * DAY)

    after = switch(api, made, quantity=2, proration_behavior="always_invoice")

    assert (after["status"], latest(api, made)["status"]) == ("past_due", "open")
    types = [event.type for event in api.v1.events.list({"limit": 100}).data]
    assert types.count("invoice.payment_failed") == 1


def declining(api: stripe.StripeClient, machine: TimeMachine) -> Any:
    """A subscription that was paid once, and whose card is declined from now on."""
    made = monthly(api, machine, "flexible")
    bad = api.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": made["customer"]})
    api.v1.subscriptions.update(made["id"], {"default_payment_method": bad.id})
    machine.go(APRIL + 15 * DAY)
    return made


def test_a_change_that_cannot_be_paid_stands_and_is_owed(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = declining(api, machine)

    after = switch(api, made, quantity=2, proration_behavior="always_invoice")

    assert (after["status"], after["items"]["data"][0]["quantity"]) == ("past_due", 2)
    invoice = latest(api, made)
    assert (invoice["status"], invoice["next_payment_attempt"]) == ("open", APRIL + 18 * DAY)


def test_a_change_that_must_be_paid_is_refused_whole(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = declining(api, machine)
    before = server.event_types()

    with pytest.raises(stripe.CardError):
        switch(api, made, quantity=2, proration_behavior="always_invoice", payment_behavior="error_if_incomplete")

    after = api.v1.subscriptions.retrieve(made["id"]).to_dict()
    assert (after["status"], after["items"]["data"][0]["quantity"]) == ("active", 1)
    assert (after["latest_invoice"], pending(api), server.event_types()) == (made["latest_invoice"], [], before)


def test_pending_updates_are_refused_by_name(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "flexible")

    with pytest.raises(stripe.InvalidRequestError, match="does not cover pending updates") as refused:
        switch(api, made, quantity=2, payment_behavior="pending_if_incomplete")

    assert refused.value.param == "payment_behavior"


def test_a_cancellation_can_give_back_and_invoice(api: stripe.StripeClient, machine: TimeMachine) -> None:
    kept, billed, forgotten = (monthly(api, machine, "flexible") for _ in range(3))
    machine.go(APRIL + 15 * DAY)
    switch(api, forgotten, quantity=2)

    api.v1.subscriptions.cancel(kept["id"], {"prorate": True})
    api.v1.subscriptions.cancel(billed["id"], {"prorate": True, "invoice_now": True})
    api.v1.subscriptions.cancel(forgotten["id"])

    rows = api.v1.invoice_items.list({"pending": True}).data
    assert [(row.customer, row.amount) for row in rows] == [(kept["customer"], -1_500)]
    assert api.v1.customers.retrieve(billed["customer"]).balance == -1_500
    assert latest(api, billed)["total"] == -1_500


def preview(api: stripe.StripeClient, **params: Any) -> Any:
    return api.v1.invoices.create_preview(params).to_dict()  # type: ignore[arg-type]


def test_a_preview_of_a_renewal_is_what_the_renewal_is(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "flexible")
    api.v1.invoice_items.create({"customer": made["customer"], "amount": 99, "currency": "usd"})
    machine.go(APRIL + 10 * DAY)
    switch(api, made, quantity=2)

    shown = preview(api, customer=made["customer"])

    assert (shown["status"], shown["billing_reason"], shown["period_end"]) == ("draft", "upcoming", APRIL + 30 * DAY)
    machine.go(APRIL + 30 * DAY)
    real = latest(api, made)
    assert lines(shown) == lines(real)
    names = ("total", "amount_due", "created", "next_payment_attempt", "period_start", "starting_balance")
    assert [shown[name] for name in names] == [real[name] for name in names]


@pytest.mark.parametrize("behavior", ["always_invoice", "create_prorations", "none"])
def test_a_preview_of_a_change_is_what_the_change_brings_and_changes_nothing(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine, behavior: str
) -> None:
    made = monthly(api, machine, "classic")
    item, dearer = made["items"]["data"][0]["id"], price(api, 6_000, "Max")
    machine.go(APRIL + 10 * DAY)
    events = server.event_types()

    shown = preview(
        api,
        subscription=made["id"],
        subscription_details={"items": [{"id": item, "price": dearer}], "proration_behavior": behavior},
    )

    assert server.event_types() == events
    assert (pending(api), latest(api, made)["total"]) == ([], 3_000)
    switch(api, made, price=dearer, proration_behavior=behavior)
    if behavior != "always_invoice":
        machine.go(APRIL + 30 * DAY)
    assert lines(shown) == lines(latest(api, made))
    assert shown["total"] == latest(api, made)["total"]


def test_a_new_subscription_can_be_previewed(api: stripe.StripeClient) -> None:
    shown = preview(
        api,
        customer=customer(api, method=None),
        subscription_details={"items": [{"price": price(api, 3_000), "quantity": 2}]},
    )

    assert (shown["total"], lines(shown)) == (6_000, [("2 × Pro (at $30.00 / month)", 6_000)])
    assert api.v1.subscriptions.list({"status": "all"}).data == []


def test_nothing_is_upcoming_where_nothing_goes_on(api: stripe.StripeClient, machine: TimeMachine) -> None:
    made = monthly(api, machine, "flexible", cancel_at_period_end=True)

    for params in ({"subscription": made["id"]}, {"customer": made["customer"]}):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            preview(api, **params)
        assert (refused.value.http_status, code_of(refused.value)) == (404, "invoice_upcoming_none")


def test_versions_before_basil_ask_for_the_upcoming_invoice(
    server: CheckedServer, api: stripe.StripeClient, machine: TimeMachine
) -> None:
    made = monthly(api, machine, "classic")
    item, older = made["items"]["data"][0]["id"], server.client(version=ACACIA)
    path = f"/v1/invoices/upcoming?customer={made['customer']}&subscription={made['id']}"

    shown: Any = older.deserialize(older.raw_request("get", path), api_mode="V1").to_dict()
    changed: Any = older.deserialize(
        older.raw_request("get", f"{path}&subscription_items[0][id]={item}&subscription_items[0][quantity]=3"),
        api_mode="V1",
    ).to_dict()

    assert (shown["total"], shown["subscription"], shown["lines"]["data"][0]["type"]) == (
        3_000,
        made["id"],
        "subscription",
    )
    assert changed["lines"]["data"][-1]["quantity"] == 3
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        api.raw_request("get", path)
