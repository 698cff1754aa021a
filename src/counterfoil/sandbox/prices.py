"""Prices: what one unit of a product costs, once or each period."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Flag, Fraction, Given, Hash, Items, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.search import SEARCH, search_of

_TAX = Choice(("exclusive", "inclusive", "unspecified"))
_USAGE = Choice(("licensed",), clears=False)
_INTERVAL = Choice(("day", "month", "week", "year"), clears=False)
RECURRING = Hash(
    {
        "interval": Need(_INTERVAL),
        "interval_count": Whole(least=1),
        "usage_type": _USAGE,
        **uncovered("aggregate_usage", "meter", "trial_period_days"),
    }
)
PRODUCT_DATA = Hash(
    {
        **METADATA,
        "active": Flag(),
        "description": Text(),
        "id": Text(),
        "images": Items(),
        "name": Need(Text()),
        "statement_descriptor": Text(22),
        "tax_code": Text(),
        "unit_label": Text(),
        **uncovered("tax_details"),
    }
)
_AMOUNT: dict[str, Kind] = {
    "currency": Need(Text()),
    "recurring": RECURRING,
    "tax_behavior": _TAX,
    "unit_amount": Whole(least=0),
    "unit_amount_decimal": Fraction(),
}
INLINE: dict[str, Kind] = {**_AMOUNT, "product": Text(), "product_data": PRODUCT_DATA}
"""A price that an item brings along instead of naming one."""
DEFAULT_PRICE: dict[str, Kind] = {**_AMOUNT, **METADATA, **uncovered("currency_options", "custom_unit_amount")}
_CREATE: dict[str, Kind] = {
    **METADATA,
    **INLINE,
    "active": Flag(),
    "billing_scheme": Choice(("per_unit",), clears=False),
    "lookup_key": Text(200),
    "nickname": Text(),
    "transfer_lookup_key": Flag(),
    **uncovered("currency_options", "custom_unit_amount", "tiers", "tiers_mode", "transform_quantity"),
}
_LONGEST_PERIOD = {"day": 1095, "week": 156, "month": 36, "year": 3}
"""A price recurs at least every three years."""


def create_price(call: Call, given: Given, product: Doc | None = None, active: bool = True) -> Doc:
    """Make a price, with its product where it brings one along; `active` False makes both of them inline ones."""
    currency, amount = check_price(call, given)
    recurring = _recurring(given.get("recurring"))
    lookup_key = _lookup_key(call, given, None)
    owner = product or _product(call, given, active)
    price = blank_price(call, owner, currency, amount)
    price |= {"active": given.get("active", active), "lookup_key": lookup_key, "recurring": recurring}
    price |= {"type": "recurring" if recurring else "one_time", "nickname": given.get("nickname")}
    price["tax_behavior"] = given.get("tax_behavior") or "unspecified"
    apply_given(price, given, ("metadata",))
    return call.create(price, "price.created")


def check_price(call: Call, given: Given) -> tuple[str, str]:
    """The currency and exact unit amount of a price to be made; refuses one that can't be, before anything is made."""
    if given.get("product"):
        call.referred("product", given["product"], "product")
    return check_currency(given), _amount(given)


def new_product(call: Call, name: str, identifier: str | None = None) -> Doc:
    """A product with every field, not yet stored."""
    return {
        "id": identifier or call.world.new_id("prod_", 14),
        "object": "product",
        "active": True,
        "attributes": [],
        "created": call.now,
        "default_price": None,
        "description": None,
        "features": [],
        "images": [],
        "livemode": call.livemode,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "tax_details": None,
        "type": "service",
        "unit_label": None,
        "updated": call.now,
        "url": None,
    }


def total_of(unit_amount: str, quantity: int) -> int:
    """What a quantity costs, fractions of the smallest unit rounded half up once for the whole."""
    exact = Decimal(unit_amount) * quantity
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def _create(call: Call) -> Doc:
    return create_price(call, call.given)


def _retrieve(call: Call) -> Doc:
    return call.find("price")


def _update(call: Call) -> Doc:
    price = call.find("price")
    key = _lookup_key(call, call.given, price)
    before = copy_of(price)
    apply_given(price, call.given, ("active", "metadata", "nickname", "tax_behavior"))
    price["lookup_key"] = key
    return call.save(price, "price.updated", before)


def _list(call: Call) -> Page:
    given = call.given
    keep = matches(given, "active", "currency", "product", "type")
    keys, recurring = given.get("lookup_keys"), given.get("recurring") or {}

    def wanted(price: Doc) -> bool:
        if keys and price["lookup_key"] not in keys:
            return False
        period = price["recurring"] or {}
        return keep(price) and all(period.get(name) == value for name, value in recurring.items())

    return page_of(call, "price", wanted)


def _search(call: Call) -> Page:
    fields = {"active", "created", "currency", "lookup_key", "metadata", "product", "type"}
    return search_of(call, "price", fields)


def _amount(given: Given) -> str:
    """The unit amount as an exact decimal text."""
    whole, exact = given.get("unit_amount"), given.get("unit_amount_decimal")
    if whole is not None and exact is not None:
        raise invalid(
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal.", "unit_amount_decimal"
        )
    if whole is None and exact is None:
        raise parameter_missing("unit_amount")
    if exact is None:
        return str(whole)
    if Decimal(exact) < 0:
        raise invalid(f"Invalid non-negative decimal: {exact}", "unit_amount_decimal")
    return str(exact)


def _recurring(given: Given | None) -> Doc | None:
    if given is None:
        return None
    interval, count = given["interval"], given.get("interval_count", 1)
    if count > _LONGEST_PERIOD[interval]:
        raise invalid(
            f"The interval count of a price that recurs each {interval} may be at most {_LONGEST_PERIOD[interval]}.",
            "recurring[interval_count]",
        )
    return {
        "aggregate_usage": None,
        "interval": interval,
        "interval_count": count,
        "meter": None,
        "usage_type": "licensed",
    }


def _lookup_key(call: Call, given: Given, price: Doc | None) -> str | None:
    """The lookup key after this call: one price has it at a time, unless it is transferred."""
    key: str | None = given.get("lookup_key")
    if "lookup_key" not in given or key is None:
        return None if price is None or "lookup_key" in given else str(price["lookup_key"] or "") or None
    holder = next((row for row in call.shelf.rows("price") if row["lookup_key"] == key), None)
    if holder is None or holder is price:
        return key
    if not given.get("transfer_lookup_key"):
        raise StripeError(f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key")
    before = copy_of(holder)
    holder["lookup_key"] = None
    call.save(holder, "price.updated", before)
    return key


def _product(call: Call, given: Given, active: bool) -> Doc:
    """The product that a price names or brings along."""
    named, brought = given.get("product"), given.get("product_data")
    if named and brought:
        raise invalid("You may only specify one of these parameters: product, product_data.", "product")
    if named:
        return call.referred("product", named, "product")
    if not brought:
        raise parameter_missing("product")
    product = new_product(call, brought["name"], brought.get("id"))
    apply_given(product, brought, ("metadata", "description", "images", "statement_descriptor", "tax_code"))
    product |= {"active": brought.get("active", active), "unit_label": brought.get("unit_label")}
    return call.create(product, "product.created")


def blank_price(call: Call, product: Doc, currency: str, amount: str) -> Doc:
    """A one-time price of an exact unit amount, not yet stored."""
    exact = Decimal(amount)
    return {
        "id": call.world.new_id("price_1"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": call.now,
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": call.livemode,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product["id"],
        "recurring": None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": int(exact) if exact == int(exact) else None,
        "unit_amount_decimal": amount,
    }


ROUTES = (
    Route("POST", "/v1/prices", _create, _CREATE),
    Route("GET", "/v1/prices/search", _search, SEARCH),
    Route("GET", "/v1/prices/{id}", _retrieve),
    Route(
        "POST",
        "/v1/prices/{id}",
        _update,
        {
            **METADATA,
            "active": Flag(),
            "lookup_key": Text(200),
            "nickname": Text(),
            "tax_behavior": _TAX,
            "transfer_lookup_key": Flag(),
            **uncovered("currency_options"),
        },
    ),
    Route(
        "GET",
        "/v1/prices",
        _list,
        {
            **PAGING,
            **CREATED,
            "active": Flag(),
            "currency": Text(),
            "lookup_keys": Items(),
            "product": Text(),
            "recurring": Hash({"interval": _INTERVAL, "usage_type": Choice(("licensed", "metered"), clears=False)}),
            "type": Choice(("one_time", "recurring"), clears=False),
        },
    ),
)
