"""Everything the client can ask for, as values: which request it is and how its answer is read. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from counterfoil.client import values
from counterfoil.client.errors import Refused, refusal
from counterfoil.client.exchange import Ask
from counterfoil.client.values import Quantity, quantity_text

BATCH_MAX: Final = 1000
WALLET_PREFIX: Final = "wlt_"
PURCHASE_WAIT_S: Final = 3
"""How long the answer to a purchase may wait for its payment; longer than that it is told as under way."""


@dataclass(frozen=True, slots=True)
class SpendRequest:
    """One spend of a batch. Without a key it gets one when it is first sent, and keeps it.

    `occurred_at` is when it was used, now unless told: lots that were live then are drawn.
    """

    customer: str
    unit: str
    amount: Quantity
    feature: str | None = None
    key: str | None = None
    occurred_at: datetime | None = None
    pools: tuple[str, ...] = ()

    def keyed(self, key: str) -> "SpendRequest":
        """Give it with this key, unless it has one."""
        return self if self.key else replace(self, key=key)


SpendResult = values.Spent | Refused
"""What came of one spend of a batch."""


def wallet_of(customer: str, unit: str) -> dict[str, str]:
    """Name a wallet: by its own id, or by its customer and unit."""
    if customer.startswith(WALLET_PREFIX):
        return {"wallet": customer}
    return {"customer": customer, "unit": unit}


def spend(wanted: SpendRequest) -> Ask[values.Spent]:
    """Spend now."""
    return Ask("POST", "/v1/spends", values.read_spent, wanted.key, _spend_body(wanted))


def spends(wanted: Sequence[SpendRequest]) -> Ask[tuple[SpendResult, ...]]:
    """Spend many at once, each for itself: one that is refused keeps no other back. Raises ValueError beyond 1,000."""
    if not 1 <= len(wanted) <= BATCH_MAX:
        raise ValueError(f"a batch holds 1 to {BATCH_MAX} spends, not {len(wanted)}")
    body = {"spends": [_spend_body(each) for each in wanted]}
    return Ask("POST", "/v1/spends", _read_results, body=body)


def _spend_body(wanted: SpendRequest) -> dict[str, Any]:
    return _given(
        key=wanted.key,
        **wallet_of(wanted.customer, wanted.unit),
        amount=quantity_text(wanted.amount),
        feature=wanted.feature,
        pools=list(wanted.pools) or None,
        occurred_at=wanted.occurred_at.isoformat() if wanted.occurred_at else None,
    )


def _read_results(body: Any) -> tuple[SpendResult, ...]:
    return tuple(_read_result(each) for each in body["data"])


def _read_result(each: Mapping[str, Any]) -> SpendResult:
    return values.read_spent(each["spend"]) if "spend" in each else refusal(each["status"], each["error"])


def hold(wanted: SpendRequest, key: str, expires_in_s: int | None) -> Ask[values.Hold]:
    """Keep credits for one use."""
    body = _given(
        key=key,
        **wallet_of(wanted.customer, wanted.unit),
        amount=quantity_text(wanted.amount),
        feature=wanted.feature,
        pools=list(wanted.pools) or None,
        expires_in_s=expires_in_s,
    )
    return Ask("POST", "/v1/holds", values.read_hold, key, body)


def settle(identity: str, amount: str, key: str, if_more: str) -> Ask[values.Hold]:
    """Spend from a hold what was used, and free the rest."""
    body = {"amount": amount, "if_more": if_more}
    return Ask("POST", f"/v1/holds/{_part(identity)}/settle", values.read_hold, key, body)


def release(identity: str, key: str) -> Ask[values.Hold]:
    """Free a hold: nothing was used."""
    return Ask("POST", f"/v1/holds/{_part(identity)}/release", values.read_hold, key, {})


def show_hold(identity: str) -> Ask[values.Hold]:
    """Show a hold."""
    return Ask("GET", f"/v1/holds/{_part(identity)}", values.read_hold)


def show_spend(identity: str) -> Ask[values.Spent]:
    """Show a spend."""
    return Ask("GET", f"/v1/spends/{_part(identity)}", values.read_spent)


def show_wallet(identity: str) -> Ask[values.Wallet]:
    """Show a wallet."""
    return Ask("GET", f"/v1/wallets/{_part(identity)}", values.read_wallet)


def list_wallets(customer: str) -> Ask[tuple[values.Wallet, ...]]:
    """List a customer's wallets; there is one per unit, so one page holds them."""

    def read(body: Any) -> tuple[values.Wallet, ...]:
        return tuple(values.read_wallet(each) for each in body["data"])

    return Ask("GET", "/v1/wallets", read, params={"customer": customer, "limit": "200"})


def balance(identity: str, at: datetime | None) -> Ask[values.Balance]:
    """Ask what a wallet held at an instant, now unless told."""
    params = {"at": at.isoformat()} if at else {}
    return Ask("GET", f"/v1/wallets/{_part(identity)}/balance", values.read_balance, params=params)


def state(customer: str) -> Ask[values.CustomerState]:
    """Ask for everything about a customer."""
    return Ask("GET", f"/v1/customers/{_part(customer)}/state", values.read_state)


def explain(identity: str) -> Ask[Mapping[str, Any]]:
    """Ask why a number is what it is."""
    return Ask("GET", f"/v1/explain/{_part(identity)}", dict)


def create_customer(external_id: str, name: str | None, email: str | None) -> Ask[Mapping[str, Any]]:
    """Create a customer by the application's own id of it, which is there once."""
    body = _given(external_id=external_id, name=name, email=email)
    return Ask("POST", "/v1/customers", dict, body=body)


def open_wallet(customer: str, unit: str) -> Ask[values.Wallet]:
    """Open a wallet. A customer has one per unit."""
    body = {"customer": customer, "unit": unit}
    return Ask("POST", "/v1/wallets", values.read_wallet, body=body)


def declare_unit(code: str, scale: int) -> Ask[Mapping[str, Any]]:
    """Declare what a wallet can count. Declaring the same again is no change."""
    return Ask("POST", "/v1/units", dict, body={"code": code, "scale": scale})


def grant(wallet: str, amount: Quantity, key: str, expires_at: datetime | None) -> Ask[Mapping[str, Any]]:
    """Give credits that nobody paid for."""
    body = _given(
        amount=quantity_text(amount),
        source="promotional",
        expires_at=expires_at.isoformat() if expires_at else None,
    )
    return Ask("POST", f"/v1/wallets/{_part(wallet)}/grants", dict, key, body)


def save_method(customer: str, token: str, key: str) -> Ask[values.Method]:
    """Save a payment method that the customer gave to the provider, as the one to charge."""
    body = {"customer": customer, "token": token, "default": True}
    return Ask("POST", "/v1/payment-methods", values.read_method, key, body)


def show_method(identity: str) -> Ask[values.Method]:
    """Show a payment method."""
    return Ask("GET", f"/v1/payment-methods/{_part(identity)}", values.read_method)


def declare_packs(packs: Sequence[Mapping[str, Any]]) -> Ask[Mapping[str, Any]]:
    """Declare what is on sale. What says nothing new stays as it is."""
    return Ask("POST", "/v1/packs", dict, body={"packs": [dict(each) for each in packs]})


def purchase(customer: str, unit: str, pack: str, key: str, more: Mapping[str, Any]) -> Ask[values.Purchase]:
    """Buy a pack of credits. `more` are further fields of the API, as they are."""
    body = {"customer": customer, "unit": unit, "pack": pack, **more}
    return Ask("POST", "/v1/purchases", values.read_purchase, key, body, wait_s=PURCHASE_WAIT_S)


def show_purchase(identity: str) -> Ask[values.Purchase]:
    """Show a purchase."""
    return Ask("GET", f"/v1/purchases/{_part(identity)}", values.read_purchase)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _part(identity: str) -> str:
    return quote(identity, safe=":")
