"""The board at /_sandbox/, in a browser: what happens is seen, and trouble and time are at hand."""

from typing import Any

import pytest
import stripe
from playwright.sync_api import Browser, Page, expect

from counterfoil.sandbox.wire import Request
from sandbox.covering import covers
from sandbox.harness import KEY, CheckedServer, Receiver


@covers("alone.board")
def test_requests_and_events_appear_as_they_happen(
    server: CheckedServer, api: stripe.StripeClient, receiver: Receiver, page: Page
) -> None:
    with server.locked() as sandbox:
        sandbox.add_webhook(KEY, receiver.url, "whsec_board")
    page.goto(f"{server.url}/_sandbox/")
    expect(page.get_by_text("No request yet")).to_be_visible()

    api.v1.customers.create({"email": "ada@example.com"})

    expect(page.get_by_role("link", name="POST /v1/customers")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="customer.created")
    expect(row.get_by_text("delivered")).to_be_visible()


@covers("alone.board")
def test_a_request_and_its_event_are_shown_whole(server: CheckedServer, api: stripe.StripeClient, page: Page) -> None:
    customer = api.v1.customers.create({"email": "ada@example.com"}, {"idempotency_key": "once"})
    page.goto(f"{server.url}/_sandbox/")

    page.get_by_role("link", name="customer.created").click()

    expect(page.get_by_role("heading", name="customer.created")).to_be_visible()
    expect(page.get_by_text("No endpoint was sent this event.")).to_be_visible()
    page.get_by_role("link", name="req_").click()
    expect(page.get_by_role("heading", name="POST /v1/customers")).to_be_visible()
    expect(page.get_by_text("once", exact=True)).to_be_visible()
    expect(page.locator("pre").filter(has_text=customer.id)).to_be_visible()
    expect(page.locator("pre").filter(has_text='"email": "ada@example.com"').last).to_be_visible()


@covers("alone.board")
def test_a_person_makes_trouble_and_ends_it(server: CheckedServer, api: stripe.StripeClient, page: Page) -> None:
    page.goto(f"{server.url}/_sandbox/")
    page.get_by_label("What happens").select_option("status")
    page.get_by_label("To which path or event").fill("/v1/customers")
    page.get_by_label("HTTP status").fill("503")
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_text("at every match, status 503")).to_be_visible()

    with pytest.raises(stripe.APIError):
        api.v1.customers.create({})
    page.get_by_role("button", name="Clear status ANY /v1/customers").click()

    expect(page.get_by_text("All is well")).to_be_visible()
    assert api.v1.customers.create({}).id


def test_the_trouble_of_an_event_is_set_on_the_board_too(server: CheckedServer, page: Page) -> None:
    page.goto(f"{server.url}/_sandbox/")
    page.get_by_label("What happens").select_option("delay")
    page.get_by_label("To which path or event").fill("invoice.*")
    page.get_by_label("Only the nth match").fill("2")
    page.get_by_label("Seconds").fill("30")
    page.get_by_role("button", name="Add rule").click()

    (rule,) = server.control("GET", "faults")["data"]
    assert (rule["match"], rule["do"], rule["options"]) == ({"event": "invoice.*", "nth": 2}, "delay", {"delay_s": 30})
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("All is well")).to_be_visible()


def test_a_rule_that_can_not_be_is_refused_in_words(server: CheckedServer, page: Page) -> None:
    page.goto(f"{server.url}/_sandbox/")
    page.get_by_label("To which path or event").fill("/v1/customers")
    page.get_by_label("Only the nth match").fill("second")

    page.get_by_role("button", name="Add rule").click()

    expect(page.get_by_role("alert")).to_have_text("nth must be a whole number.")


@covers("alone.board")
def test_the_clock_is_advanced_on_the_board(server: CheckedServer, page: Page) -> None:
    before = server.control("GET", "clock")["now"]
    page.goto(f"{server.url}/_sandbox/")
    page.get_by_label("Advance the clock by").select_option("7 days")

    with page.expect_navigation():
        page.get_by_role("button", name="Advance").click()

    assert server.control("GET", "clock")["now"] == before + 7 * 86_400


@covers("alone.board")
def test_accounts_are_listed_with_what_they_have(server: CheckedServer, api: stripe.StripeClient, page: Page) -> None:
    api.v1.customers.create({})
    server.client("sk_test_other").v1.products.create({"name": "Seat"})
    page.goto(f"{server.url}/_sandbox/board/accounts")
    expect(page.get_by_text("customer 1, event 1")).to_be_visible()

    page.get_by_role("link", name="requests and events").first.click()

    expect(page.get_by_role("link", name="POST /v1/customers")).to_be_visible()
    expect(page.get_by_role("link", name="POST /v1/products")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_board_fits_every_screen_and_reader(
    server: CheckedServer, api: stripe.StripeClient, browser: Browser, scheme: Any, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    server.fault({"event": "charge.*"}, "drop")
    api.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True})
    event = api.v1.events.list({"limit": 1}).data[0].id
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))

    for path in ("/_sandbox/", f"/_sandbox/board/events/{event}", "/_sandbox/board/accounts"):
        page.goto(server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []

    assert said == [], "the policy against foreign scripts and styles blocks nothing that is ours"
    context.close()


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/_sandbox/board/unicorns"),
        Request("GET", "/_sandbox/static/../server.py"),
        Request("GET", "/_sandbox/static/none.css"),
        Request("POST", "/_sandbox/board/clear", {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_what_is_not_there_or_comes_from_elsewhere_is_refused(server: CheckedServer, request_: Request) -> None:
    assert server.handle(request_).status in (403, 404)


@pytest.mark.parametrize("path", ["requests/req_none", "events/evt_none"])
def test_the_page_of_nothing_says_so(server: CheckedServer, path: str) -> None:
    reply = server.handle(Request("GET", f"/_sandbox/board/{path}"))

    assert reply.status == 400
    assert "No such" in reply.body.decode()
