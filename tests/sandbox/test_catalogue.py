"""Products and prices: what is sold and what it costs."""

from decimal import Decimal
from typing import Any

import pytest
import stripe

from counterfoil.sandbox.versions import ACACIA
from sandbox.harness import CheckedServer, code_of


def priced(api: stripe.StripeClient, **more: Any) -> stripe.Price:
    params: dict[str, Any] = {"currency": "usd", "unit_amount": 1_500, "product_data": {"name": "tea"}, **more}
    return api.v1.prices.create(params)  # type: ignore[arg-type]


def test_a_product_is_created_changed_listed_and_deleted(server: CheckedServer, api: stripe.StripeClient) -> None:
    product = api.v1.products.create({"name": "tea", "description": "green", "metadata": {"shelf": "2"}})
    assert (product.name, product.active, product.default_price) == ("tea", True, None)

    changed = api.v1.products.update(product.id, {"active": False, "metadata": {"shelf": ""}, "unit_label": "cup"})
    assert (changed.active, changed.metadata.to_dict(), changed.unit_label) == (False, {}, "cup")
    assert api.v1.products.retrieve(product.id).description == "green"
    assert api.v1.products.list({"active": True}).data == []
    assert [found.id for found in api.v1.products.list({"ids": [product.id]}).data] == [product.id]

    assert api.v1.products.delete(product.id).to_dict() == {"id": product.id, "object": "product", "deleted": True}
    assert server.event_types() == ["product.created", "product.updated", "product.deleted"]


def test_a_product_can_bring_its_id_and_its_default_price(api: stripe.StripeClient) -> None:
    product = api.v1.products.create(
        {"id": "tea", "name": "tea", "default_price_data": {"currency": "usd", "unit_amount": 300}}
    )

    shown = api.v1.products.retrieve("tea", {"expand": ["default_price"]}).to_dict()
    assert (product.id, shown["default_price"]["unit_amount"]) == ("tea", 300)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.products.create({"id": "tea", "name": "more tea"})
    assert refusal.value.code == "resource_already_exists"


def test_a_product_with_prices_is_not_deleted(api: stripe.StripeClient) -> None:
    price = priced(api)

    with pytest.raises(stripe.InvalidRequestError, match="one or more user-created prices"):
        api.v1.products.delete(str(price.product))


def test_a_price_is_created_with_its_product_and_expands_it(server: CheckedServer, api: stripe.StripeClient) -> None:
    price = priced(api, lookup_key="tea-once", nickname="cup")

    shown = api.v1.prices.retrieve(price.id, {"expand": ["product"]}).to_dict()
    assert (price.type, price.unit_amount, price.unit_amount_decimal) == ("one_time", 1_500, Decimal(1500))
    assert (shown["product"]["name"], shown["lookup_key"]) == ("tea", "tea-once")
    assert server.event_types() == ["product.created", "price.created"]


def test_a_price_recurs(server: CheckedServer, api: stripe.StripeClient) -> None:
    price = priced(api, recurring={"interval": "month", "interval_count": 3})
    older = server.client(version=ACACIA).v1.prices.retrieve(price.id).to_dict()

    assert price.to_dict()["recurring"] == {
        "interval": "month",
        "interval_count": 3,
        "meter": None,
        "usage_type": "licensed",
    }
    assert older["recurring"]["aggregate_usage"] is None
    found = api.v1.prices.list({"type": "recurring", "recurring": {"interval": "month"}}).data
    assert [one.id for one in found] == [price.id]
    assert api.v1.prices.list({"recurring": {"interval": "year"}}).data == []


def test_a_lookup_key_names_one_price_at_a_time(server: CheckedServer, api: stripe.StripeClient) -> None:
    first = priced(api, lookup_key="pro")
    with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
        priced(api, lookup_key="pro")
    second = priced(api, lookup_key="pro", transfer_lookup_key=True)

    found = api.v1.prices.list({"lookup_keys": ["pro", "other"]}).data
    assert [price.id for price in found] == [second.id]
    assert api.v1.prices.retrieve(first.id).lookup_key is None
    assert server.event_types().count("price.updated") == 1


def test_a_price_is_changed_but_never_its_amount(server: CheckedServer, api: stripe.StripeClient) -> None:
    price = priced(api, lookup_key="pro")

    changed = api.v1.prices.update(price.id, {"active": False, "nickname": "old", "metadata": {"a": "b"}})

    assert (changed.active, changed.nickname, changed.lookup_key) == (False, "old", "pro")
    assert server.event_types()[-1] == "price.updated"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.v1.prices.update(price.id, {"unit_amount": 1})  # type: ignore[arg-type]
    assert (code_of(refusal.value), refusal.value.param) == ("parameter_unknown", "unit_amount")


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"unit_amount": -1}, "unit_amount"),
        ({"unit_amount_decimal": "1.5"}, "unit_amount_decimal"),
        ({"currency": "xxx"}, "currency"),
        ({"product": "prod_none"}, "product"),
        ({"recurring": {"interval": "month", "interval_count": 37}}, "recurring[interval_count]"),
        ({"tiers_mode": "graduated"}, "tiers_mode"),
    ],
)
def test_a_price_that_can_not_be_is_refused(api: stripe.StripeClient, more: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        priced(api, **more)

    assert refusal.value.param == param


def test_fractions_of_a_cent_are_kept(api: stripe.StripeClient) -> None:
    price = api.v1.prices.create(
        {"currency": "usd", "unit_amount_decimal": Decimal("0.25"), "product_data": {"name": "token"}}
    )

    assert (price.unit_amount, price.unit_amount_decimal) == (None, Decimal("0.25"))


def test_products_and_prices_are_found_by_search(api: stripe.StripeClient) -> None:
    price = priced(api, lookup_key="pro", metadata={"tier": "2"})

    products = api.v1.products.search({"query": "active:'true' AND name~'te'"}).data
    prices = api.v1.prices.search({"query": f"product:'{price.product}' AND metadata['tier']:'2'"}).data

    assert [one.id for one in products] == [price.product]
    assert [one.id for one in prices] == [price.id]
