"""Lists: newest first, page by page, narrowed by what is asked."""

from datetime import timedelta
from typing import Any

import pytest

from counterfoil.api.paging import read_cursor, write_cursor
from counterfoil.api.problems import Problem
from doors.api.caller import Caller
from houses import World


def walked(api: Caller, path: str, limit: int, **params: Any) -> list[str]:
    """The ids of every page, one page after the other."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = api.get(path, limit=limit, **params, **({"cursor": cursor} if cursor else {})).json()
        assert len(page["data"]) <= limit
        found += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 3, 7, 8, 200])
def test_pages_hold_everything_once_the_newest_first(api: Caller, limit: int) -> None:
    made = [api.customer(f"user-{n}") for n in range(7)]

    assert walked(api, "/v1/customers", limit) == made[::-1]


def test_what_is_made_while_somebody_reads_on_shifts_nothing(api: Caller) -> None:
    made = [api.customer(f"user-{n}") for n in range(4)]
    first = api.get("/v1/customers", limit=2).json()
    api.customer("late")

    rest = api.get("/v1/customers", limit=10, cursor=first["next_cursor"]).json()

    assert [each["id"] for each in first["data"] + rest["data"]] == made[::-1]


def test_the_cursor_of_one_list_is_none_of_another(api: Caller) -> None:
    api.customer("one"), api.customer("two")
    cursor = api.get("/v1/customers", limit=1).json()["next_cursor"]

    answer = api.get("/v1/invoices", cursor=cursor)

    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_a_cursor_is_read_back_as_it_was_written_and_in_no_other_spelling() -> None:
    identity = "cust_01h455vb4pex5vsknk084sn02q"

    assert read_cursor(write_cursor(identity), "customer") == identity
    for other in (write_cursor(identity) + "=", write_cursor(identity)[:-1], write_cursor("x"), "", "\u00e9"):
        with pytest.raises(Problem):
            read_cursor(other, "customer")


def test_invoices_are_narrowed_by_status_customer_and_time(api: Caller, world: World) -> None:
    dana, fox = api.customer("dana"), api.customer("fox")
    draft = api.draft(dana)
    world.clock.step(timedelta(hours=1))
    later = world.clock.now().isoformat()
    opened, theirs = api.invoice(dana), api.invoice(fox)

    assert walked(api, "/v1/invoices", 10) == [theirs, opened, draft]
    assert walked(api, "/v1/invoices", 10, status="draft") == [draft]
    assert walked(api, "/v1/invoices", 1, status="draft,open", customer="ext:dana") == [opened, draft]
    assert walked(api, "/v1/invoices", 10, **{"created_at[gte]": later}) == [theirs, opened]
    assert walked(api, "/v1/invoices", 10, **{"created_at[lt]": later}) == [draft]
    assert walked(api, "/v1/invoices", 10, customer=fox, status="paid") == []


def test_payments_are_found_by_their_invoice(api: Caller) -> None:
    dana = api.customer()
    api.credits(dana, "300")
    one, two = api.invoice(dana), api.invoice(dana)
    payments = [api.made(f"/v1/invoices/{each}/pay")["id"] for each in (one, two)]

    assert walked(api, "/v1/payments", 10) == payments[::-1]
    assert walked(api, "/v1/payments", 10, invoice=one) == payments[:1]
    assert walked(api, "/v1/payments", 10, status="succeeded", customer="ext:dana") == payments[::-1]


def test_decisions_are_found_by_what_they_are_about_and_how_they_came_out(api: Caller, world: World) -> None:
    dana = world.customer()
    invoice = api.invoice(dana)
    payment = api.post(f"/v1/invoices/{invoice}/pay").json()["id"]
    world.pump()
    ref = api.get(f"/v1/payments/{payment}").json()["legs"][0]["provider_ref"]

    about_invoice = api.get("/v1/decisions", subject=invoice).json()["data"]
    about_ref = api.get("/v1/decisions", subject=ref, outcome="no_effect").json()["data"]
    settled = api.get("/v1/decisions", reason="intent_settled").json()["data"]

    assert [each["reason"] for each in about_invoice][-1] == "invoice_drafted"
    assert {each["outcome"] for each in about_ref} == {"no_effect"}
    assert [each["outcome"] for each in settled] == ["applied"]


def test_provider_events_are_shown_with_their_decision_and_what_was_sent(api: Caller, world: World) -> None:
    world.pay(world.invoice(world.customer()))
    world.pump()

    listed = api.get("/v1/provider-events", kind="payment_intent.succeeded", source="webhook").json()["data"]

    shown = api.get(f"/v1/provider-events/{listed[0]['id']}").json()
    assert (len(listed), shown["status"], shown["decision"]["outcome"]) == (1, "decided", "no_effect")
    assert shown["payload"]["type"] == "payment_intent.succeeded"
    assert shown["payload"]["id"] == shown["provider_event"]


def test_the_timeline_of_a_customer_holds_every_decision_about_it(api: Caller, world: World) -> None:
    dana = world.customer()
    world.pay(world.invoice(dana))
    world.pump()
    world.customer("fox")

    timeline = api.get(f"/v1/customers/{dana}/timeline", limit=200).json()["data"]

    reasons = [each["reason"] for each in timeline]
    assert {each["customer"] for each in timeline} == {dana}
    assert reasons[-1] == "customer_created"
    assert {"invoice_finalized", "payment_launched", "intent_settled", "already_settled"} <= set(reasons)


def test_money_that_nobody_can_explain_is_a_case(api: Caller, world: World) -> None:
    from doors.api.test_story import made_by_the_application

    ref = made_by_the_application(world, world.customer())
    world.pump(timedelta(hours=1))

    cases = api.get("/v1/cases", status="open").json()["data"]

    assert [each["subject"] for each in cases] == [ref]
    assert api.get(f"/v1/cases/{cases[0]['id']}").json() == cases[0]
