"""Parameter declarations and empty values that several objects share."""

from __future__ import annotations

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.params import Choice, Flag, Given, Hash, Kind, Labels, Need, Schema, Text

ADDRESS_NAMES = ("city", "country", "line1", "line2", "postal_code", "state")
ADDRESS = Hash({name: Text() for name in ADDRESS_NAMES})
SHIPPING = Hash(
    {"address": Need(ADDRESS), "name": Need(Text()), "phone": Text(), "carrier": Text(), "tracking_number": Text()}
)
BILLING_DETAILS = Hash({"address": ADDRESS, "email": Text(), "name": Text(), "phone": Text(), "tax_id": Text()})
METADATA: Schema = {"metadata": Labels()}
FUTURE_USAGE = Choice(("off_session", "on_session"))
OFF_SESSION: Kind = Choice(("true", "false", "one_off", "recurring"), clears=False)
FLAG = Flag()


def full_address(given: Given | None) -> Doc | None:
    """An address with every field, null where not given; None when there is none."""
    return None if given is None else {name: given.get(name) for name in ADDRESS_NAMES}


def full_shipping(given: Given | None) -> Doc | None:
    if given is None:
        return None
    return {
        "address": full_address(given["address"]),
        "carrier": given.get("carrier"),
        "name": given["name"],
        "phone": given.get("phone"),
        "tracking_number": given.get("tracking_number"),
    }


def billing_details(given: Given | None, current: Doc | None = None) -> Doc:
    """Billing details with every field; those given replace the current ones."""
    details: Doc = dict(
        current or {"address": full_address({}), "email": None, "name": None, "phone": None, "tax_id": None}
    )
    for name, value in (given or {}).items():
        details[name] = full_address(value or {}) if name == "address" else value
    return details


def flagged(text: str | None) -> bool:
    """Whether an off_session parameter says that the customer is away."""
    return text is not None and text != "false"
