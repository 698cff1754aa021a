"""Test clocks: a customer's time stands still, advances by itself a moment later, and takes its customers with it."""

import pytest
import stripe

from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.versions import ACACIA
from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import CheckedServer, code_of

JAN_1 = 1_767_225_600
DAY = 86_400


def test_a_clock_stands_still_until_it_is_advanced(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1, "name": "january"})
    clock.step(DAY)

    same = api.v1.test_helpers.test_clocks.retrieve(made.id)

    assert (same.status, same.frozen_time, same.name, same.livemode) == ("ready", JAN_1, "january", False)
    assert same.deletes_after == same.created + 30 * DAY
    assert [one.id for one in api.v1.test_helpers.test_clocks.list().data] == [made.id]
    assert server.event_types() == ["test_helpers.test_clock.created"]


@covers("clocks.asynchronous", "test_helpers.test_clock.advancing", "test_helpers.test_clock.ready")
def test_an_advance_is_under_way_before_the_clock_is_ready(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})

    moving = api.v1.test_helpers.test_clocks.advance(made.id, {"frozen_time": JAN_1 + DAY})

    assert (moving.status, moving.frozen_time) == ("advancing", JAN_1)
    assert moving.to_dict()["status_details"] == {"advancing": {"target_frozen_time": JAN_1 + DAY}}
    clock.step(1)
    ready = api.v1.test_helpers.test_clocks.retrieve(made.id)
    assert (ready.status, ready.frozen_time) == ("ready", JAN_1 + DAY)
    assert server.event_types() == [f"test_helpers.test_clock.{name}" for name in ("created", "advancing", "ready")]


@covers("clocks.forward")
def test_nothing_of_a_moving_clock_can_be_changed(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})
    owner = api.v1.customers.create({"test_clock": made.id})
    api.v1.test_helpers.test_clocks.advance(made.id, {"frozen_time": JAN_1 + DAY})

    with pytest.raises(stripe.RateLimitError, match="underway"):
        api.v1.test_helpers.test_clocks.advance(made.id, {"frozen_time": JAN_1 + 2 * DAY})
    with pytest.raises(stripe.RateLimitError):
        api.v1.test_helpers.test_clocks.delete(made.id)
    with pytest.raises(stripe.RateLimitError):
        api.v1.customers.update(owner.id, {"name": "Ada"})
    assert api.v1.customers.retrieve(owner.id).name is None
    clock.step(1)
    assert api.v1.customers.update(owner.id, {"name": "Ada"}).name == "Ada"


@covers("clocks.forward")
@pytest.mark.parametrize("target", [JAN_1, JAN_1 - 1, JAN_1 + 731 * DAY])
def test_a_clock_goes_only_forward_and_not_too_far(api: stripe.StripeClient, target: int) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.v1.test_helpers.test_clocks.advance(made.id, {"frozen_time": target})

    assert refused.value.param == "frozen_time"
    assert api.v1.test_helpers.test_clocks.retrieve(made.id).status == "ready"


@covers("clocks.time")
def test_what_belongs_to_a_clocks_customer_lives_by_it_and_events_do_not(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})
    owner = api.v1.customers.create({"test_clock": made.id, "email": "ada@example.com"})
    item = api.v1.invoice_items.create({"customer": owner.id, "amount": 2_000, "currency": "usd"})
    invoice = api.v1.invoices.create(
        {"customer": owner.id, "pending_invoice_items_behavior": "include", "auto_advance": True}
    )
    assert (owner.created, item.date, invoice.created) == (JAN_1, JAN_1, JAN_1)
    assert (item.test_clock, invoice.test_clock) == (made.id, made.id)
    clock.step(2 * 3_600)
    assert api.v1.invoices.retrieve(invoice.id).status == "draft"

    api.v1.test_helpers.test_clocks.advance(made.id, {"frozen_time": JAN_1 + 2 * 3_600})
    clock.step(1)

    final = api.v1.invoices.retrieve(invoice.id)
    assert (final.status, final.status_transitions.finalized_at) == ("open", JAN_1 + 3_600)
    assert all(abs(event.created - clock()) < 3 * 3_600 for event in api.v1.events.list({"limit": 100}).data)


def test_business_time_leaves_what_lives_by_a_clock_alone(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})
    owner = api.v1.customers.create({"test_clock": made.id})
    api.v1.invoice_items.create({"customer": owner.id, "amount": 2_000, "currency": "usd"})
    invoice = api.v1.invoices.create(
        {"customer": owner.id, "pending_invoice_items_behavior": "include", "auto_advance": True}
    )

    server.control("POST", "clock", {"advance_s": DAY})

    assert api.v1.invoices.retrieve(invoice.id).status == "draft"


def test_deleting_a_clock_deletes_its_customers(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})
    owner = api.v1.customers.create({"test_clock": made.id})
    other = api.v1.customers.create()

    gone = api.v1.test_helpers.test_clocks.delete(made.id)

    assert gone.to_dict() == {"id": made.id, "object": "test_helpers.test_clock", "deleted": True}
    assert api.v1.customers.retrieve(owner.id).to_dict()["deleted"] is True
    assert [one.id for one in api.v1.customers.list().data] == [other.id]
    assert server.event_types()[-2:] == ["customer.deleted", "test_helpers.test_clock.deleted"]
    with pytest.raises(stripe.InvalidRequestError) as missing:
        api.v1.customers.create({"test_clock": made.id})
    assert (code_of(missing.value), missing.value.param) == ("resource_missing", "test_clock")


def test_customers_of_a_clock_are_listed_only_when_asked_for(api: stripe.StripeClient) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})
    of_clock = api.v1.customers.create({"test_clock": made.id})
    plain = api.v1.customers.create()

    assert [one.id for one in api.v1.customers.list().data] == [plain.id]
    assert [one.id for one in api.v1.customers.list({"test_clock": made.id}).data] == [of_clock.id]
    shown = api.v1.customers.retrieve(of_clock.id, {"expand": ["test_clock"]}).to_dict()
    assert shown["test_clock"]["frozen_time"] == JAN_1


def test_older_versions_show_a_clock_without_details(server: CheckedServer, api: stripe.StripeClient) -> None:
    made = api.v1.test_helpers.test_clocks.create({"frozen_time": JAN_1})
    oldest, acacia = server.client(version="2022-11-15"), server.client(version=ACACIA)

    assert "status_details" not in oldest.v1.test_helpers.test_clocks.retrieve(made.id).to_dict()
    assert acacia.v1.test_helpers.test_clocks.retrieve(made.id).to_dict()["status_details"] == {}


def test_a_restart_in_the_midst_of_an_advance_finishes_it() -> None:
    clock = SteppingClock()
    first, headers = Sandbox(clock, SeededIds(1)), {"Authorization": "Bearer sk_test_suite"}
    path = "/v1/test_helpers/test_clocks"
    made = first.handle(Request("POST", path, headers, f"frozen_time={JAN_1}".encode())).json()
    first.handle(Request("POST", f"{path}/{made['id']}/advance", headers, f"frozen_time={JAN_1 + DAY}".encode()))
    second = Sandbox(clock, SeededIds(1))
    second.restore(first.snapshot())

    clock.step(1)

    found = second.handle(Request("GET", f"{path}/{made['id']}", headers)).json()
    assert (found["status"], found["frozen_time"]) == ("ready", JAN_1 + DAY)
