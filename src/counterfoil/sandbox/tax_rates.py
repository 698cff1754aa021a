"""Tax rates: percentages that are added to an amount, or are inside it already."""

from __future__ import annotations

from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Flag, Fraction, Kind, Need, Text
from counterfoil.sandbox.routing import Route

KIND = "tax_rate"
MOST = 5
"""How many rates a line, or an invoice, can have."""

_TYPES = (
    "amusement_tax communications_tax gst hst igst jct lease_tax pst qst retail_delivery_fee rst sales_tax service_tax "
    "vat"
).split()
_KEPT: dict[str, Kind] = {
    **METADATA,
    "active": Flag(),
    "country": Text(5),
    "description": Text(),
    "display_name": Text(50),
    "jurisdiction": Text(50),
    "state": Text(),
    "tax_type": Choice(tuple(_TYPES), clears=False),
}
_PLAIN = tuple(_KEPT)


def rates_of(call: Call, identifiers: list[str] | None, param: str) -> list[Doc]:
    """The rates that a parameter names, whole, as lines and invoices keep them."""
    named = identifiers or []
    if len(named) > MOST:
        raise invalid(f"You can have at most {MOST} tax rates here.", param)
    rates = [call.referred(KIND, name, f"{param}[{position}]") for position, name in enumerate(named)]
    for rate in rates:
        if not rate["active"]:
            raise invalid(f"The tax rate {rate['id']} is inactive, so it can't be used.", param)
    if len({rate["inclusive"] for rate in rates}) > 1:
        raise invalid("You can't mix inclusive and exclusive tax rates.", param)
    return [copy_of(rate) for rate in rates]


def _create(call: Call) -> Doc:
    given = call.given
    percentage = float(given["percentage"])
    if not 0 <= percentage <= 100:
        raise invalid("Invalid percentage: must be between 0 and 100.", "percentage")
    rate = _blank(call, percentage)
    apply_given(rate, given, _PLAIN)
    return call.create(rate, "tax_rate.created")


def _retrieve(call: Call) -> Doc:
    return call.find(KIND)


def _update(call: Call) -> Doc:
    rate = call.find(KIND)
    before = copy_of(rate)
    apply_given(rate, call.given, _PLAIN)
    return call.save(rate, "tax_rate.updated", before)


def _list(call: Call) -> Page:
    return page_of(call, KIND, matches(call.given, "active", "inclusive"))


def _blank(call: Call, percentage: float) -> Doc:
    return {
        "id": call.world.new_id("txr_1"),
        "object": KIND,
        "active": True,
        "country": None,
        "created": call.now,
        "description": None,
        "display_name": None,
        "effective_percentage": percentage,
        "flat_amount": None,
        "inclusive": call.given["inclusive"],
        "jurisdiction": None,
        "jurisdiction_level": None,
        "livemode": call.livemode,
        "metadata": {},
        "percentage": percentage,
        "rate_type": None,
        "state": None,
        "tax_type": None,
    }


ROUTES = (
    Route(
        "POST",
        "/v1/tax_rates",
        _create,
        {**_KEPT, "display_name": Need(Text(50)), "inclusive": Need(Flag()), "percentage": Need(Fraction())},
    ),
    Route("GET", "/v1/tax_rates/{id}", _retrieve),
    Route("POST", "/v1/tax_rates/{id}", _update, _KEPT),
    Route("GET", "/v1/tax_rates", _list, {**PAGING, **CREATED, "active": Flag(), "inclusive": Flag()}),
)
