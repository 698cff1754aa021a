"""The account itself, as the API shows it."""

from __future__ import annotations

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.routing import Route


def _retrieve(call: Call) -> Doc:
    return shown(call.shelf.account)


def _retrieve_by_id(call: Call) -> Doc:
    account = call.shelf.account
    wanted = call.path["id"]
    if wanted == account["id"]:
        return shown(account)
    connected = call.world.tables.get("accounts", f"{wanted}/{'live' if call.livemode else 'test'}")
    if connected is None or connected["platform"] != account["id"]:
        message = (
            f"The provided key does not have access to account '{wanted}' (or that account "
            "does not exist). Application access may have been revoked."
        )
        raise StripeError(message, status=403, code="account_invalid")
    return shown(connected)


def shown(account: Doc) -> Doc:
    return {
        "id": account["id"],
        "object": "account",
        "business_profile": {
            "mcc": None,
            "name": "Counterfoil sandbox",
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active", "us_bank_account_ach_payments": "active"},
        "charges_enabled": True,
        "country": account["country"],
        "created": account["created"],
        "default_currency": account["default_currency"],
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Counterfoil sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


ROUTES = (Route("GET", "/v1/account", _retrieve), Route("GET", "/v1/accounts/{id}", _retrieve_by_id))
