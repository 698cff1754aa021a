"""The parameters a payment intent takes, and what it is when it is new."""

from __future__ import annotations

from counterfoil.sandbox import payment_methods
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.fields import FUTURE_USAGE, METADATA, OFF_SESSION, SHIPPING
from counterfoil.sandbox.params import Anything, Choice, Flag, Hash, Items, Kind, Need, Text, Whole, uncovered
from counterfoil.sandbox.versions import since

_CARD_OPTIONS = Hash(
    {
        "capture_method": Choice(("manual",)),
        "request_three_d_secure": Choice(("automatic", "any", "challenge")),
        "setup_future_usage": Choice(("none", "off_session", "on_session")),
        **uncovered(
            "cvc_token", "installments", "mandate_options", "moto", "network", "statement_descriptor_suffix_kana"
        ),
    }
)
_BANK_OPTIONS = Hash(
    {
        "setup_future_usage": Choice(("none", "off_session", "on_session")),
        "verification_method": Choice(("automatic", "instant", "microdeposits")),
        **uncovered("financial_connections", "mandate_options", "preferred_settlement_speed", "target_date"),
    }
)
KEPT: dict[str, Kind] = {
    **METADATA,
    "allowed_payment_method_types": Items(),
    "capture_method": Choice(("automatic", "automatic_async", "manual"), clears=False),
    "customer": Text(),
    "description": Text(1000),
    "excluded_payment_method_types": Items(),
    "payment_method": Text(),
    "payment_method_data": Hash(payment_methods.DATA),
    "payment_method_options": Hash({"card": _CARD_OPTIONS, "us_bank_account": _BANK_OPTIONS}),
    "payment_method_types": Items(),
    "receipt_email": Text(),
    "setup_future_usage": FUTURE_USAGE,
    "shipping": SHIPPING,
    "statement_descriptor": Text(22),
    "statement_descriptor_suffix": Text(22),
    "transfer_group": Text(),
    **uncovered(
        "amount_details",
        "application_fee_amount",
        "customer_account",
        "hooks",
        "payment_details",
        "payment_method_configuration",
        "transfer_data",
    ),
}
CONFIRMING: dict[str, Kind] = {
    "error_on_requires_action": Flag(),
    "mandate_data": Anything(),
    "off_session": OFF_SESSION,
    "return_url": Text(),
    "use_stripe_sdk": Flag(),
    **uncovered("confirmation_token", "mandate", "radar_options"),
}
CREATE: dict[str, Kind] = {
    **KEPT,
    **CONFIRMING,
    "amount": Need(Whole()),
    "automatic_payment_methods": Hash({"enabled": Need(Flag()), "allow_redirects": Choice(("always", "never"))}),
    "confirm": Flag(),
    "confirmation_method": Choice(("automatic", "manual"), clears=False),
    "currency": Need(Text()),
    **uncovered("on_behalf_of"),
}
CONFIRM = {
    name: kind for name, kind in KEPT.items() if name not in ("customer", "description", "metadata")
} | CONFIRMING


def blank_intent(call: Call, currency: str) -> Doc:
    """An intent that nobody has confirmed yet, with every field, as the parameters of `call` want it."""
    identifier = call.world.new_id("pi_3")
    automatic = _automatic(call)
    types = call.given.get("payment_method_types") or default_types(currency, automatic)
    return {
        "id": identifier,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": call.given["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async" if since(call.version, "2024-04-10") else "automatic",
        "client_secret": f"{identifier}_secret_{call.world.token(25)}",
        "confirmation_method": call.given.get("confirmation_method", "automatic"),
        "created": call.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "invoice": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": call.livemode,
        "managed_payments": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": _default_options(types),
        "payment_method_types": types,
        "payment_record": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_authenticated": False,
    }


def _automatic(call: Call) -> Doc | None:
    """Automatic payment methods are on by default since 2023-08-16, unless the caller names types or turns them off."""
    given = call.given.get("automatic_payment_methods")
    if given is not None:
        return (
            {"allow_redirects": given.get("allow_redirects") or "always", "enabled": True} if given["enabled"] else None
        )
    if call.given.get("payment_method_types") or not since(call.version, "2023-08-16"):
        return None
    return {"allow_redirects": "always", "enabled": True}


def default_types(currency: str, automatic: Doc | None) -> list[str]:
    """What the account's settings offer: cards everywhere, bank debits for US dollars. Nothing that redirects, so no
    return_url is asked for.
    """
    return ["card", "us_bank_account"] if automatic and currency == "usd" else ["card"]


def _default_options(types: list[str]) -> Doc:
    options: Doc = {}
    if "card" in types:
        options["card"] = {
            "installments": None,
            "mandate_options": None,
            "network": None,
            "request_three_d_secure": "automatic",
        }
    if "us_bank_account" in types:
        options["us_bank_account"] = {"verification_method": "automatic"}
    return options
