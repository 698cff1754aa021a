"""Products: what is sold, whatever its prices are."""

from __future__ import annotations

from counterfoil.sandbox import prices
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Flag, Hash, Items, Kind, Need, Text, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of

_FIELDS: dict[str, Kind] = {
    **METADATA,
    "active": Flag(),
    "description": Text(),
    "images": Items(),
    "marketing_features": Items(Hash({"name": Need(Text(5000))})),
    "name": Text(),
    "shippable": Flag(),
    "statement_descriptor": Text(22),
    "tax_code": Text(),
    "unit_label": Text(),
    "url": Text(),
    **uncovered("package_dimensions", "tax_details"),
}
_PLAIN = tuple(name for name in _FIELDS if name not in ("package_dimensions", "tax_details"))
_SEARCHED = {"active", "created", "description", "metadata", "name", "shippable", "url"}


def _create(call: Call) -> Doc:
    given = call.given
    wanted = given.get("id")
    if wanted and call.shelf.get("product", wanted) is not None:
        raise StripeError(f"Product already exists: {wanted}", code="resource_already_exists", param="id")
    product = prices.new_product(call, given["name"], wanted)
    apply_given(product, given, _PLAIN)
    price = given.get("default_price_data")
    if price:
        product["default_price"] = prices.create_price(call, price, product)["id"]
    return call.create(product, "product.created")


def _retrieve(call: Call) -> Doc:
    return call.find("product")


def _update(call: Call) -> Doc:
    product = call.find("product")
    given = call.given
    default = _default_price(call, product)
    before = copy_of(product)
    apply_given(product, {name: value for name, value in given.items() if name != "name" or value}, _PLAIN)
    product["default_price"] = default
    if product != before:
        product["updated"] = call.now
    return call.save(product, "product.updated", before)


def _default_price(call: Call, product: Doc) -> str | None:
    """The default price after this call; it must be one of the product's own."""
    current: str | None = product["default_price"]
    if "default_price" not in call.given:
        return current
    if not call.given["default_price"]:
        return None
    price = call.referred("price", call.given["default_price"], "default_price")
    if price["product"] != product["id"]:
        raise invalid(f"The price {price['id']} does not belong to the product {product['id']}.", "default_price")
    return str(price["id"])


def _delete(call: Call) -> Doc:
    product = call.find("product")
    if any(price["product"] == product["id"] for price in call.shelf.rows("price")):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    stub = call.shelf.bury(product)
    call.emit("product.deleted", product)
    return stub


def _list(call: Call) -> Page:
    keep = matches(call.given, "active", "shippable", "url")
    ids = call.given.get("ids")
    return page_of(call, "product", lambda product: keep(product) and (not ids or product["id"] in ids))


def _search(call: Call) -> Page:
    return search_of(call, "product", _SEARCHED)


ROUTES = (
    Route(
        "POST",
        "/v1/products",
        _create,
        {
            **_FIELDS,
            "default_price_data": Hash(prices.DEFAULT_PRICE),
            "id": Text(),
            "name": Need(Text()),
            "type": Choice(("service", "good")),
        },
    ),
    Route("GET", "/v1/products/search", _search, SEARCH),
    Route("GET", "/v1/products/{id}", _retrieve),
    Route("POST", "/v1/products/{id}", _update, {**_FIELDS, "default_price": Text()}),
    Route("DELETE", "/v1/products/{id}", _delete),
    Route(
        "GET",
        "/v1/products",
        _list,
        {
            **PAGING,
            **CREATED,
            "active": Flag(),
            "ids": Items(),
            "shippable": Flag(),
            "url": Text(),
            "type": Choice(("service", "good")),
        },
    ),
)
