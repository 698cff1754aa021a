"""Lists, cursors and search."""

import pytest
import stripe

from counterfoil.sandbox.ports import SteppingClock
from sandbox.covering import covers
from sandbox.harness import CheckedServer


def names(page: object) -> list[str]:
    return [str(item.name) for item in page.data]  # type: ignore[attr-defined]


@pytest.fixture
def seven(api: stripe.StripeClient) -> list[str]:
    """Ids of seven customers, oldest first."""
    return [api.v1.customers.create({"name": f"c{n}"}).id for n in range(7)]


@covers("lists.newest-first")
def test_lists_are_newest_first_and_say_whether_there_is_more(api: stripe.StripeClient, seven: list[str]) -> None:
    page = api.v1.customers.list({"limit": 3})

    assert names(page) == ["c6", "c5", "c4"]
    assert page.has_more
    assert page.url == "/v1/customers"


@covers("lists.cursors")
def test_cursors_walk_both_ways(api: stripe.StripeClient, seven: list[str]) -> None:
    older = api.v1.customers.list({"limit": 2, "starting_after": seven[4]})
    newer = api.v1.customers.list({"limit": 2, "ending_before": seven[3]})

    assert names(older) == ["c3", "c2"]
    assert names(newer) == ["c5", "c4"]
    assert older.has_more
    assert newer.has_more


def test_auto_paging_meets_each_object_once(api: stripe.StripeClient, seven: list[str]) -> None:
    found = [customer.id for customer in api.v1.customers.list({"limit": 2}).auto_paging_iter()]

    assert found == seven[::-1]


@covers("lists.cursors")
def test_a_cursor_keeps_working_after_its_object_is_deleted(api: stripe.StripeClient, seven: list[str]) -> None:
    api.v1.customers.delete(seven[4])

    assert names(api.v1.customers.list({"starting_after": seven[4]})) == ["c3", "c2", "c1", "c0"]
    assert names(api.v1.customers.list({"limit": 3})) == ["c6", "c5", "c3"]


@covers("lists.limit")
@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_limit_outside_1_to_100_is_refused(api: stripe.StripeClient, limit: int) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.list({"limit": limit})

    assert refusal.value.param == "limit"


@covers("lists.cursors")
def test_both_cursors_together_are_a_400_without_a_code(api: stripe.StripeClient, seven: list[str]) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.list({"starting_after": seven[1], "ending_before": seven[3]})

    assert refusal.value.http_status == 400
    assert refusal.value.code is None


@covers("lists.cursors")
def test_a_cursor_that_never_existed_is_resource_missing(api: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.list({"starting_after": "cus_nobody"})

    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "starting_after")


@covers("lists.created")
def test_lists_filter_by_time_and_by_field(api: stripe.StripeClient, clock: SteppingClock) -> None:
    old = api.v1.customers.create({"email": "old@example.com"})
    clock.step(100)
    new = api.v1.customers.create({"email": "new@example.com"})

    after = api.v1.customers.list({"created": {"gt": old.created}})
    exactly = api.v1.customers.list({"created": old.created})
    by_email = api.v1.customers.list({"email": "old@example.com"})

    assert [customer.id for customer in after.data] == [new.id]
    assert [customer.id for customer in exactly.data] == [old.id]
    assert [customer.id for customer in by_email.data] == [old.id]


@covers("search.grammar")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name:'Ada'", ["Ada"]),
        ("name~'d'", ["Dan", "Ada"]),
        ("email:'ada@example.com' AND name:'Ada'", ["Ada"]),
        ("name:'Ada' OR name:'Bob'", ["Bob", "Ada"]),
        ("metadata['team']:'red'", ["Dan", "Ada"]),
        ('metadata["team"]:"red" -name:"Ada"', ["Dan"]),
        ("-metadata['team']:null", ["Dan", "A's", "Ada"]),
        ("metadata['team']:NULL", ["Bob"]),
        ("name:'ADA' or name:'bob'", ["Bob", "Ada"]),
        ("name:'A\\'s'", ["A's"]),
        ("created>0 name:'Ada'", ["Ada"]),
        ("-created>0", []),
        ("created<=0", []),
    ],
)
def test_search_understands_the_query_grammar(api: stripe.StripeClient, query: str, found: list[str]) -> None:
    api.v1.customers.create({"name": "Ada", "email": "ada@example.com", "metadata": {"team": "red"}})
    api.v1.customers.create({"name": "A's", "metadata": {"team": "blue"}})
    api.v1.customers.create({"name": "Bob"})
    api.v1.customers.create({"name": "Dan", "metadata": {"team": "red"}})

    assert names(api.v1.customers.search({"query": query})) == found


@covers("search.grammar")
@pytest.mark.parametrize(
    "query",
    [
        "name",
        "name:",
        "planet:'mars'",
        "name:'a' AND name:'b' OR name:'c'",
        "name>'x'",
        "name>1",
        "created>'soon'",
        "metadata['team']~'red'",
        "name:'a' )",
    ],
)
def test_a_query_that_can_not_be_read_is_refused(api: stripe.StripeClient, query: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.customers.search({"query": query})

    assert refusal.value.param == "query"


@covers("search.grammar")
def test_charges_are_found_by_their_card(api: stripe.StripeClient) -> None:
    for method in ("pm_card_visa", "pm_card_mastercard"):
        api.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": method, "confirm": True})

    found = api.v1.charges.search(
        {"query": "payment_method_details.card.last4:4444 AND payment_method_details.card.brand:'mastercard'"}
    ).data

    assert [charge.amount for charge in found] == [900]


@covers("search.pages")
def test_search_pages_with_a_token(api: stripe.StripeClient) -> None:
    for number in range(5):
        api.v1.customers.create({"name": f"n{number}"})

    first = api.v1.customers.search({"query": "name~'n'", "limit": 2})
    second = api.v1.customers.search({"query": "name~'n'", "limit": 2, "page": str(first.next_page)})

    assert names(first) + names(second) == ["n4", "n3", "n2", "n1"]
    assert first.has_more
    assert len(list(api.v1.customers.search({"query": "name~'n'", "limit": 2}).auto_paging_iter())) == 5


@covers("search.lag")
def test_search_lags_behind_as_far_as_the_settings_say(
    server: CheckedServer, api: stripe.StripeClient, clock: SteppingClock
) -> None:
    server.control("POST", "settings", {"search_lag_s": 60})
    customer = api.v1.customers.create({"name": "Ada"})
    assert names(api.v1.customers.search({"query": "name:'Ada'"})) == []
    clock.step(61)
    assert names(api.v1.customers.search({"query": "name:'Ada'"})) == ["Ada"]

    api.v1.customers.update(customer.id, {"name": "Eve"})

    assert names(api.v1.customers.search({"query": "name:'Ada'"})) == ["Ada"]
    clock.step(61)
    assert names(api.v1.customers.search({"query": "name:'Ada'"})) == []
    assert names(api.v1.customers.search({"query": "name:'Eve'"})) == ["Eve"]


def test_the_movements_of_a_balance_are_found_by_their_invoice_and_time(
    api: stripe.StripeClient, clock: SteppingClock
) -> None:
    customer = api.v1.customers.create({})
    given = api.v1.customers.balance_transactions.create(customer.id, {"amount": -500, "currency": "usd"})
    clock.step(100)
    api.v1.invoice_items.create({"customer": customer.id, "amount": 2_500, "currency": "usd"})
    draft = api.v1.invoices.create({"customer": customer.id, "pending_invoice_items_behavior": "include"})
    api.v1.invoices.finalize_invoice(draft.id)
    movements = api.v1.customers.balance_transactions

    by_invoice = movements.list(customer.id, {"invoice": draft.id}).data
    by_time = movements.list(customer.id, {"created": {"lte": given.created}}).data

    assert [(each.type, each.amount) for each in by_invoice] == [("applied_to_invoice", 500)]
    assert [each.id for each in by_time] == [given.id]
