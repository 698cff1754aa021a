"""Lists: found by a few letters, page by page, and never another tenant's."""

import re

import pytest
from starlette.testclient import TestClient

from counterfoil.console.app import create_console
from counterfoil.core.ids import typeid
from counterfoil.engine import operations, setup
from counterfoil.store.listings import PAGE
from houses import World, body_of
from stories import a_customer, either_first

LINK = re.compile(r'class="row" href="([^"]+)"')
OLDER = re.compile(r'<a href="([^"]+)" rel="next">')


def walk(visitor: TestClient, path: str) -> list[list[str]]:
    """Follow a list to its end and give the links of each page."""
    pages = []
    following: str | None = path
    while following:
        html = visitor.get(following).text
        pages.append(LINK.findall(html))
        older = OLDER.search(html)
        following = path.partition("?")[0] + older[1].replace("&amp;", "&") if older else None
    return pages


def enrol(world: World, count: int) -> None:
    for number in range(count):
        wanted = operations.NewCustomer(
            external_id=f"c-{number:03d}", name=f"Customer {number}", provider_ref=f"cus_{number:08d}"
        )
        body_of(operations.create_customer(world.ask("POST /v1/customers"), wanted))


def test_a_long_list_is_walked_page_by_page_and_every_row_is_seen_once(world: World, visitor: TestClient) -> None:
    enrol(world, PAGE * 2 + 1)

    pages = walk(visitor, "/customers")

    assert [len(page) for page in pages] == [PAGE, PAGE, 1]
    assert len({link for page in pages for link in page}) == PAGE * 2 + 1


def test_a_narrowed_list_stays_narrowed_on_its_next_page(world: World, visitor: TestClient) -> None:
    enrol(world, PAGE + 2)
    a_customer(world, "Dana")

    pages = walk(visitor, "/customers?q=customer")

    assert [len(page) for page in pages] == [PAGE, 2]


def test_customers_are_found_by_a_few_letters(world: World, visitor: TestClient) -> None:
    enrol(world, 3)
    dana = a_customer(world, "Dana")

    for text in ("Dan", "dana@", "dana", "AN"):
        assert LINK.findall(visitor.get("/customers", params={"q": text}).text) == [f"/customers/{dana}"]


def test_a_search_is_text_and_nothing_else(world: World, visitor: TestClient) -> None:
    enrol(world, 1)

    for text in ("%", "_", "\\", "'", '"><b>', "\0", "é" * 300):
        answer = visitor.get("/customers", params={"q": text})
        assert answer.status_code == 200
        assert "<b>" not in answer.text
    assert LINK.findall(visitor.get("/customers", params={"q": "%"}).text) == []


def test_an_empty_list_shows_the_command_that_fills_it(visitor: TestClient) -> None:
    for path in ("/customers", "/invoices", "/purchases", "/events"):
        assert "<code>counterfoil demo</code>" in visitor.get(path).text


def test_a_list_that_nothing_matches_says_so_and_offers_the_whole(world: World, visitor: TestClient) -> None:
    either_first(world)

    for path in ("/customers?q=zzz", "/invoices?status=void", "/purchases?status=voided", "/events?outcome=parked"):
        html = visitor.get(path).text
        assert "matches." in html
        assert "counterfoil demo" not in html


def test_a_page_that_never_was_is_not_found(visitor: TestClient) -> None:
    for after in ("nonsense", "inv_nope", "%00", "pevt_00000000000000000000000001x"):
        assert visitor.get(f"/customers?after={after}").status_code == 404


def test_events_show_what_the_provider_sent_until_everything_is_asked_for(world: World, visitor: TestClient) -> None:
    either_first(world)

    provider, everything = walk(visitor, "/events"), walk(visitor, "/events?source=all")

    assert (len(provider[0]), len(everything[0])) == (7, 18)


def test_events_are_narrowed_by_outcome_kind_source_and_text(world: World, visitor: TestClient) -> None:
    either_first(world)
    counts = {
        "outcome=applied&source=all": 11,
        "outcome=no_effect": 7,
        "kind=charge.succeeded": 1,
        "source=reply": 4,
        "q=charge&source=all": 2,
        "q=payment_intent": 2,
        "outcome=nonsense": 7,
    }

    assert {query: len(walk(visitor, f"/events?{query}")[0]) for query in counts} == counts


def test_events_are_found_by_the_providers_object_and_by_customer(world: World, visitor: TestClient) -> None:
    story = either_first(world)
    a_customer(world, "Erin")
    with world.house.database.snapshot(world.tenant.id) as tx:
        leg = tx.one("select provider_ref from leg where tenant = %(tenant)s and provider_ref is not null")
    assert leg is not None

    by_object = walk(visitor, f"/events?q={leg['provider_ref']}")
    by_customer = walk(visitor, f"/events?source=all&customer={story.customer}")

    assert (len(by_object[0]), len(by_customer[0])) == (4, 18)


def test_the_search_goes_straight_to_what_an_exact_text_names(world: World, visitor: TestClient) -> None:
    story = either_first(world)
    with world.house.database.snapshot(world.tenant.id) as tx:
        leg = tx.one("select id, provider_ref from leg where tenant = %(tenant)s and provider_ref is not null")
        customer = tx.one("select provider_ref from customer where tenant = %(tenant)s")
    assert leg is not None
    assert customer is not None
    expected = {
        customer["provider_ref"]: f"/customers/{story.customer}",
        "INV-000001": f"/invoices/{story.invoice}",
        "dana@example.com": f"/customers/{story.customer}",
        story.payment: f"/explain/{story.payment}",
        leg["provider_ref"]: f"/explain/{leg['id']}",
    }

    found = {text: visitor.get("/find", params={"q": text}).headers["Location"] for text in expected}

    assert found == expected
    assert {visitor.get(path).status_code for path in found.values()} == {200}


def test_a_search_for_anything_else_lists_the_customers_that_match(visitor: TestClient) -> None:
    assert visitor.get("/find", params={"q": "dan a"}).headers["Location"] == "/customers?q=dan%20a"
    assert visitor.get("/find", params={"q": " "}).headers["Location"] == "/customers"


# --- another tenant ---


@pytest.fixture
def neighbour(world: World) -> TestClient:
    """A visitor of another tenant of the same house."""
    other = setup.ensure_tenant(world.house, "other", "test", typeid("tnt", 2))
    _, key = setup.create_key(world.house, other, ("read",))
    client = TestClient(create_console(world.house), "http://console.test", follow_redirects=False)
    client.headers["Accept"] = "text/html"
    assert client.post("/sign-in", data={"key": key}).status_code == 303
    return client


def test_another_tenants_books_are_not_there_on_any_page(world: World, neighbour: TestClient) -> None:
    story = either_first(world)
    event = _event(world)
    paths = [
        f"/customers/{story.customer}",
        f"/invoices/{story.invoice}",
        f"/events/{event}",
        f"/events/{event}/payload",
        f"/wallets/{story.wallet}",
        *(f"/explain/{each}" for each in (story.payment, story.wallet, "INV-000001", "dana@example.com")),
    ]

    assert {path: neighbour.get(path).status_code for path in paths} == dict.fromkeys(paths, 404)
    for path in ("/customers", "/invoices", "/events?source=all", f"/events?customer={story.customer}"):
        assert LINK.findall(neighbour.get(path).text) == []


def _event(world: World) -> str:
    with world.house.database.snapshot(world.tenant.id) as tx:
        row = tx.one("select id from inbox where tenant = %(tenant)s and source = 'webhook' limit 1")
    assert row is not None
    return str(row["id"])


def test_an_id_of_another_noun_is_not_found_in_a_room(world: World, visitor: TestClient) -> None:
    story = either_first(world)

    for room in ("customers", "invoices", "events"):
        assert visitor.get(f"/{room}/{story.wallet}").status_code == 404
    for room in ("wallets", "purchases"):
        assert visitor.get(f"/{room}/{story.invoice}").status_code == 404
