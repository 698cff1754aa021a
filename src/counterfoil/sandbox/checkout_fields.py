"""The parameters that a checkout session takes, and what it is when it is new."""

from __future__ import annotations

from counterfoil.sandbox import checkout_invoices, checkout_subscriptions, discounts, payment_intent_fields
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing
from counterfoil.sandbox.fields import FUTURE_USAGE, METADATA, SHIPPING
from counterfoil.sandbox.params import Choice, Flag, Given, Hash, Items, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.payment_intents import types_gone
from counterfoil.sandbox.prices import INLINE
from counterfoil.sandbox.versions import DAHLIA, ENDIVE, since

SHORTEST_S = 30 * 60
LONGEST_S = 24 * 60 * 60
CHECKOUT = "/_sandbox/checkout/"
"""Where the hosted page of a session is."""

_CAPTURE = Choice(("automatic", "automatic_async", "manual"), clears=False)
_PAYMENT_DATA = Hash(
    {
        **METADATA,
        "capture_method": _CAPTURE,
        "description": Text(1000),
        "receipt_email": Text(),
        "setup_future_usage": FUTURE_USAGE,
        "shipping": SHIPPING,
        "statement_descriptor": Text(22),
        "statement_descriptor_suffix": Text(22),
        "transfer_group": Text(),
        **uncovered("application_fee_amount", "on_behalf_of", "transfer_data"),
    }
)
_SETUP_DATA = Hash({**METADATA, "description": Text(1000), **uncovered("on_behalf_of")})
_ITEM = Hash(
    {
        **METADATA,
        "price": Text(),
        "price_data": Hash(INLINE),
        "quantity": Whole(least=1),
        "tax_rates": Items(),
        **uncovered("adjustable_quantity", "dynamic_tax_rates"),
    }
)
_CARD_OPTIONS = Hash(
    {
        "request_three_d_secure": Choice(("automatic", "any", "challenge")),
        "setup_future_usage": Choice(("off_session", "on_session")),
        **uncovered("capture_method", "installments", "restrictions"),
    }
)
_OFF = Hash({"enabled": Need(Flag())})
"""Something that can only be left off."""

CREATE: dict[str, Kind] = {
    **METADATA,
    "adaptive_pricing": Hash({"enabled": Flag()}),
    "allow_promotion_codes": Flag(),
    "allowed_payment_method_types": Items(),
    "automatic_tax": _OFF,
    "billing_address_collection": Choice(("auto", "required")),
    "cancel_url": Text(),
    "client_reference_id": Text(200),
    "currency": Text(),
    "customer": Text(),
    "customer_creation": Choice(("always", "if_required")),
    "customer_email": Text(800),
    "discounts": discounts.GIVEN,
    "excluded_payment_method_types": Items(),
    "expires_at": Whole(),
    "integration_identifier": Text(),
    "invoice_creation": checkout_invoices.CREATION,
    "line_items": Items(_ITEM),
    "locale": Text(),
    "mode": Need(Choice(("payment", "setup", "subscription"), clears=False)),
    "payment_intent_data": _PAYMENT_DATA,
    "payment_method_collection": Choice(("always", "if_required"), clears=False),
    "payment_method_options": Hash({"card": _CARD_OPTIONS, **uncovered("us_bank_account")}),
    "payment_method_types": Items(),
    "phone_number_collection": _OFF,
    "setup_intent_data": _SETUP_DATA,
    "subscription_data": checkout_subscriptions.DATA,
    "submit_type": Choice(("auto", "book", "donate", "pay", "subscribe")),
    "success_url": Text(),
    "tax_id_collection": _OFF,
    "ui_mode": Choice(("hosted", "hosted_page", "embedded", "embedded_page", "custom", "elements", "form")),
    **uncovered(
        "after_expiration",
        "branding_settings",
        "consent_collection",
        "custom_fields",
        "custom_text",
        "customer_account",
        "customer_update",
        "managed_payments",
        "name_collection",
        "optional_items",
        "origin_context",
        "payment_method_configuration",
        "payment_method_data",
        "permissions",
        "redirect_on_completion",
        "return_url",
        "saved_payment_method_options",
        "shipping_address_collection",
        "shipping_options",
        "wallet_options",
    ),
}
_ONLY_OFF = ("automatic_tax", "phone_number_collection", "tax_id_collection")


def check_given(call: Call) -> None:
    """Refuse what Stripe refuses whatever the items are, and what the sandbox does not model."""
    given = call.given
    if "payment_method_types" in given and since(call.version, ENDIVE):
        raise types_gone(call.version)
    for name in _ONLY_OFF:
        if (given.get(name) or {}).get("enabled"):
            raise not_covered(f"{name}[enabled]", "true")
    if given["mode"] == "subscription":
        checkout_subscriptions.check_given(call)
    _check_ui_mode(call)
    _check_mode(call)
    if given.get("customer"):
        for name in ("customer_email", "customer_creation"):
            if given.get(name):
                raise invalid(f"You may only specify one of these parameters: customer, {name}.", name)
    if not given.get("success_url"):
        raise parameter_missing("success_url")


def not_covered(param: str, value: str) -> StripeError:
    return StripeError(f"The sandbox does not cover {param}={value}, which Stripe has.", param=param)


def expiry(call: Call) -> int:
    """When the session expires: between half an hour and a day from now."""
    expires: int = call.chosen("expires_at", call.now + LONGEST_S)
    if expires > call.now + LONGEST_S:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", "expires_at"
        )
    if expires < call.now + SHORTEST_S:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", "expires_at"
        )
    return expires


def payment_types(call: Call, currency: str | None) -> list[str]:
    """What the customer may pay with: the account's methods for the currency, narrowed as the caller wants."""
    given = call.given
    named = given.get("payment_method_types") or given.get("allowed_payment_method_types")
    types = named or payment_intent_fields.default_types(currency or "", {"enabled": True})
    for position, kind in enumerate(types):
        if kind not in ("card", "us_bank_account"):
            raise not_covered(f"payment_method_types[{position}]", kind)
    excluded = given.get("excluded_payment_method_types") or []
    return [kind for kind in types if kind not in excluded]


_NULLS = (
    "after_expiration amount_subtotal amount_total client_secret collected_information "
    "consent consent_collection currency_conversion customer customer_account customer_details invoice "
    "managed_payments optional_items origin_context payment_intent payment_link "
    "payment_method_configuration_details permissions recovered_from saved_payment_method_options setup_intent "
    "shipping_address_collection shipping_cost shipping_details subscription total_details wallet_options "
).split()
_EMPTY = ("custom_fields discounts shipping_options _discounts").split()
"""What a new one has nothing of: fields that are null or empty."""


def blank_session(call: Call, currency: str | None, expires_at: int) -> Doc:
    """An open session with every field, without items or intent."""
    given = call.given
    identifier = call.world.new_id("cs_live_a1" if call.livemode else "cs_test_a1", 42)
    is_payment = given["mode"] == "payment"
    return {
        "id": identifier,
        "object": "checkout.session",
        **dict.fromkeys(_NULLS),
        **{name: [] for name in _EMPTY},
        "allow_promotion_codes": given.get("allow_promotion_codes"),
        "adaptive_pricing": {"enabled": bool((given.get("adaptive_pricing") or {}).get("enabled"))},
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": given.get("billing_address_collection"),
        "branding_settings": _branding(),
        "cancel_url": given.get("cancel_url"),
        "client_reference_id": given.get("client_reference_id"),
        "created": call.now,
        "currency": currency,
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "customer_creation": _customer_creation(given),
        "customer_email": given.get("customer_email"),
        "expires_at": expires_at,
        "integration_identifier": given.get("integration_identifier"),
        "invoice_creation": checkout_invoices.creation_shown(given) if is_payment else None,
        "livemode": call.livemode,
        "locale": given.get("locale"),
        "metadata": {},
        "mode": given["mode"],
        "payment_method_collection": given.get("payment_method_collection")
        or ("if_required" if is_payment else "always"),
        "payment_method_options": _method_options(call),
        "payment_method_types": payment_types(call, currency),
        "payment_status": "no_payment_required" if given["mode"] == "setup" else "unpaid",
        "phone_number_collection": {"enabled": False},
        "status": "open",
        "submit_type": given.get("submit_type"),
        "success_url": given["success_url"],
        "ui_mode": "hosted_page",
        "url": f"{call.world.settings.public_url}{CHECKOUT}{identifier}",
        "_page": call.world.new_id("ppage_1"),
        "_payment_data": given.get("payment_intent_data") or {},
        "_delayed": False,
    }


def _customer_creation(given: Given) -> str | None:
    """Whether completing makes a customer: a subscription always has one."""
    if given.get("customer"):
        return None
    is_billed = given["mode"] == "subscription" or (given.get("invoice_creation") or {}).get("enabled")
    return "always" if is_billed else given.get("customer_creation") or "if_required"


def _check_ui_mode(call: Call) -> None:
    mode = call.given.get("ui_mode")
    hosted = "hosted_page" if since(call.version, DAHLIA) else "hosted"
    if mode and mode != hosted:
        if mode in ("hosted", "hosted_page"):
            raise invalid(f"Invalid ui_mode: must be one of embedded_page, elements, or {hosted}", "ui_mode")
        raise not_covered("ui_mode", mode)


_WRONG = {
    "payment": ("payment_method_collection", "setup_intent_data", "subscription_data"),
    "setup": ("line_items", "payment_intent_data", "payment_method_collection", "subscription_data"),
    "subscription": ("setup_intent_data",),
}
"""What can't be passed in a mode."""


def _check_mode(call: Call) -> None:
    given = call.given
    for name in _WRONG[given["mode"]]:
        if given.get(name):
            raise invalid(f"You can not pass `{name}` in `{given['mode']}` mode.", name)
    if given["mode"] != "setup" and not given.get("line_items"):
        raise parameter_missing("line_items")
    if given["mode"] != "payment" and (given.get("invoice_creation") or {}).get("enabled"):
        raise invalid("You can only enable invoice creation when `mode` is set to `payment`.", "invoice_creation")
    named = given.get("payment_method_types") or given.get("allowed_payment_method_types")
    if given["mode"] == "setup" and not named and not given.get("currency"):
        raise parameter_missing("currency")


def _method_options(call: Call) -> Doc:
    given = call.given.get("payment_method_options") or {}
    return {"card": {"request_three_d_secure": "automatic", **(given.get("card") or {})}}


def _branding() -> Doc:
    return {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#0074d4",
        "display_name": "Counterfoil sandbox",
        "font_family": "default",
        "icon": None,
        "logo": None,
    }
