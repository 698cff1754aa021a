"""What single pages show, and how they behave when something is odd, large, secret or broken."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from counterfoil.console.events import DEPTH_MAX, HIDDEN, SHOWN_MAX, hidden, laid_out
from counterfoil.console.wallets import STATEMENT_ROWS
from counterfoil.core.books import GrantSource
from counterfoil.core.ids import WalletId, typeid
from counterfoil.core.wallets import Issue
from counterfoil.engine import operations, setup
from counterfoil.engine.explain import explain
from doors.console.serving import bought_with_a_balance
from houses import ONE_CREDIT, World, body_of
from stories import either_first


def event_of(world: World, kind: str) -> str:
    with world.house.database.snapshot(world.tenant.id) as tx:
        row = tx.one("select id from inbox where tenant = %(tenant)s and kind = %(kind)s limit 1", kind=kind)
    assert row is not None
    return str(row["id"])


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


def test_an_invoice_page_says_why_the_number_is_what_it_is(world: World, visitor: TestClient) -> None:
    story = either_first(world)

    said = text_of(visitor.get(f"/invoices/{story.invoice}").text)

    assert "Invoice INV-000001 over 100.00 USD is paid: 30.00 by credits and 70.00 by card." in said
    assert "100.00 billed = 30.00 credits + 70.00 card + 0.00 due" in said
    assert "9 notices, delivered 13 times: 5 applied, 4 without effect" in said
    assert "changed nothing" in said


def test_a_customer_page_shows_what_is_owed_what_can_be_spent_and_whose_it_is(
    world: World, visitor: TestClient
) -> None:
    story = either_first(world)

    said = text_of(visitor.get(f"/customers/{story.customer}").text)

    assert "100.00 billed − 70.00 collected − 30.00 paid by credits = 0.00 owed" in said
    assert "30.00 granted − 30.00 used − 0.00 held − 0.00 expired = 0.00 available" in said
    assert "dana@example.com" in said
    assert "visa 4242" in said


def test_a_wallet_page_shows_its_lots_as_bars_and_its_statement_with_the_balance_after_each_row(
    world: World, visitor: TestClient
) -> None:
    story = either_first(world)

    html = visitor.get(f"/wallets/{story.wallet}").text
    said = text_of(html)

    assert "30.00 granted − 30.00 used − 0.00 held − 0.00 expired = 0.00 available" in said
    assert 'aria-label="0.00 left, 0.00 held, 30.00 used, 0.00 expired or voided"' in html
    assert "by credits −30.00 0.00" in said
    assert "granted +30.00 30.00" in said
    assert "Can be spent 0.00" in said


def test_a_purchase_page_says_what_paid_it_and_keeps_three_facts_apart(world: World, visitor: TestClient) -> None:
    """The price is $50: the balance at the provider paid $20 of it, and the card 30."""
    story = either_first(world)
    purchase = bought_with_a_balance(world, story.customer, story.wallet)

    said = text_of(visitor.get(f"/purchases/{purchase}").text)

    assert "50.00 to pay = 30.00 through the provider + 20.00 from the customer's balance + 0.00 not paid" in said
    assert all(f"{each} 14 Jun 2026" in said for each in ("promised", "settled", "credits given"))
    assert "50.00 usd-credit" in said
    assert f"/purchases/{purchase}" in visitor.get(f"/wallets/{story.wallet}").text


def test_a_statement_goes_on_where_its_last_page_ended(world: World, visitor: TestClient) -> None:
    dana = world.customer()
    wallet = world.credits(dana, 1)
    for _ in range(STATEMENT_ROWS):
        issue = Issue(WalletId(wallet), GrantSource.PROMOTIONAL, ONE_CREDIT, 0, None, world.clock.now())
        body_of(operations.issue_grant(world.ask("grant"), dana, issue))

    first = visitor.get(f"/wallets/{wallet}").text
    older = re.findall(r'href="(\?after=[^"]+)" rel="next"', first)
    second = visitor.get(f"/wallets/{wallet}{unescape(older[0])}").text

    assert "granted +1.00 26.00" in text_of(first)
    assert "granted +1.00 1.00" not in text_of(first)
    assert "granted +1.00 1.00" in text_of(second)
    assert 'rel="next"' not in second
    assert visitor.get(f"/wallets/{wallet}?after=nothing").status_code == 404


def test_an_event_page_shows_rule_inputs_effects_duplicates_and_payload(world: World, visitor: TestClient) -> None:
    either_first(world)

    said = text_of(visitor.get(f"/events/{event_of(world, 'charge.succeeded')}").text)

    assert "settle-intent@1" in said
    assert "received_minor 7000" in said
    assert "No effect: the books are as they were." in said
    assert "It came 2 times and was stored once. The later deliveries changed nothing." in said
    assert '"charge.succeeded"' in said


def test_every_id_on_a_page_leads_to_a_page(world: World, visitor: TestClient) -> None:
    story = either_first(world)
    paths = {f"/customers/{story.customer}", f"/invoices/{story.invoice}"}
    html = "".join(visitor.get(path).text for path in paths)
    paths |= set(re.findall(r'href="(/(?:customers|invoices|events|wallets|explain)/[^"?]+)"', html))

    answers = {path: visitor.get(path, follow_redirects=True).status_code for path in paths}

    assert len(paths) > 20
    assert {path for path, status in answers.items() if status != 200} == set()


def test_a_long_story_is_told_page_by_page(world: World, visitor: TestClient) -> None:
    story = either_first(world)
    house, tenant = world.house, world.tenant.id
    earlier = explain(house, tenant, story.invoice, limit=4)["earlier"]

    html = visitor.get(f"/invoices/{story.invoice}", params={"before": earlier}).text

    assert html.count('<li class="step') == 5
    assert "100.00 billed = 30.00 credits + 70.00 card + 0.00 due" in html


def test_what_opens_something_at_the_provider_is_not_shown(world: World, visitor: TestClient) -> None:
    either_first(world)
    event = event_of(world, "payment_intent.succeeded")

    html = visitor.get(f"/events/{event}").text
    raw = visitor.get(f"/events/{event}/payload")

    secret = raw.json()["data"]["object"]["client_secret"]
    assert secret
    assert secret not in html
    assert HIDDEN in html


def test_a_payload_is_handed_out_as_a_file_and_never_as_a_page(world: World, visitor: TestClient) -> None:
    either_first(world)

    answer = visitor.get(f"/events/{event_of(world, 'charge.succeeded')}/payload")

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_an_erased_payload_leaves_the_rest_of_the_page(world: World, visitor: TestClient) -> None:
    either_first(world)
    event = event_of(world, "charge.succeeded")
    with world.house.database.transaction(world.tenant.id) as tx:
        tx.run("delete from raw_body where tenant = %(tenant)s and inbox = %(id)s", id=event)

    page, file = visitor.get(f"/events/{event}"), visitor.get(f"/events/{event}/payload")

    assert "The payload was erased, or none came." in page.text
    assert (page.status_code, file.status_code) == (200, 404)


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (None, "none"),
        (b"", "none"),
        (b'{"a": 1}', "shown"),
        (b"[1, 2]", "shown"),
        (b"3", "shown"),
        (b"not json \xff", "odd"),
        (b'"' + b"x" * SHOWN_MAX + b'"', "large"),
        (b"[" * 20_000 + b"]" * 20_000, "odd"),
    ],
)
def test_payloads_of_any_shape_are_laid_out(raw: bytes | None, state: str) -> None:
    assert laid_out(raw)["state"] == state


def test_secrets_are_hidden_however_deep_they_lie() -> None:
    told: Any = hidden({"a": [{"client_secret": "cs_1", "key": None}]})

    assert told == {"a": [{"client_secret": HIDDEN, "key": None}]}


def test_a_payload_deeper_than_a_page_can_show_is_cut() -> None:
    deep: Any = 1
    for _ in range(DEPTH_MAX + 10):
        deep = [deep]

    assert json.dumps(hidden(deep)).count("[") == DEPTH_MAX + 1


def test_an_error_says_what_is_wrong_and_which_request_it_was(visitor: TestClient) -> None:
    for path in ("/nowhere", "/invoices/inv_nope", "/events/pevt_nope", "/explain/pi_nobody00"):
        answer = visitor.get(path)
        assert answer.status_code == 404
        assert answer.headers["Request-Id"] in answer.text
        assert "Something went wrong" not in answer.text


def test_a_program_is_answered_with_a_problem_document(visitor: TestClient) -> None:
    answer = visitor.get("/invoices/inv_nope", headers={"Accept": "application/json"})

    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (404, "not_found")
    assert problem["request_id"] == answer.headers["Request-Id"]


def test_pages_are_for_reading(visitor: TestClient) -> None:
    for method, path in (("POST", "/customers"), ("DELETE", "/events"), ("GET", "/sign-out")):
        assert visitor.request(method, path).status_code == 405


def test_without_the_database_the_page_says_so(world: World, visitor: TestClient) -> None:
    world.house.database.close()  # type: ignore[attr-defined]

    answer = visitor.get("/customers")

    assert answer.status_code == 503
    assert "Nothing was lost" in answer.text


# --- whose books, and how real they are ---


def test_the_sandbox_is_told_by_a_pill(visitor: TestClient) -> None:
    assert "Sandbox" in text_of(visitor.get("/customers").text)


def test_an_account_that_is_only_observed_marks_the_whole_frame(world: World, visitor: TestClient) -> None:
    with world.house.database.owner(world.tenant.id) as tx:
        tx.run("update provider_account set mode = 'observe' where tenant = %(tenant)s")

    html = visitor.get("/customers").text

    assert 'class="shadow"' in html
    assert "Shadow" in text_of(html)


def test_live_books_wear_no_pill(world: World, stranger: TestClient) -> None:
    live = setup.ensure_tenant(world.house, "live", "live", typeid("tnt", 2))
    _, key = setup.create_key(world.house, live, ("read",))
    stranger.post("/sign-in", data={"key": key})

    said = text_of(stranger.get("/customers").text)

    assert not {"Sandbox", "Test mode", "Shadow"} & set(re.findall(r"Sandbox|Test mode|Shadow", said))


def test_business_time_is_on_every_page(world: World, visitor: TestClient) -> None:
    world.clock.offset = timedelta(days=2)

    assert "16 Jun 2026 04:04" in text_of(visitor.get("/events").text)
