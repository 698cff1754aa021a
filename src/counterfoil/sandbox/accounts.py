"""Accounts: who a key belongs to, and the shelf of objects that is theirs alone.

A secret key is `sk_test_<text>` or `sk_live_<text>` (also `rk_`), the publishable one `pk_test_<text>`. The text up
to an optional `_acct_…` names the account: the same text always opens the same account, in test or live mode, and
what follows `_acct_` only tells several keys of one account apart. No registration is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from counterfoil.sandbox import history
from counterfoil.sandbox.documents import Doc, Tables
from counterfoil.sandbox.errors import StripeError, resource_missing, unauthorized
from counterfoil.sandbox.ports import digest_token
from counterfoil.sandbox.wire import Request, basic_user
from counterfoil.sandbox.world import World

ACCOUNTS = "accounts"
_KEY = re.compile(r"(?:sk|rk|pk)_(test|live)_([A-Za-z0-9_]+)")
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9_]{1,64}")

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the "
    "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
    "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for "
    "details, or we can help at https://support.stripe.com/."
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The objects of one account in one mode."""

    world: World
    account: Doc
    publishable: bool = False
    """The caller has only the key that browsers have."""

    @property
    def tables(self) -> Tables:
        return self.world.tables

    @property
    def key(self) -> str:
        return str(self.account["key"])

    @property
    def livemode(self) -> bool:
        return bool(self.account["livemode"])

    def table(self, kind: str) -> str:
        return f"{self.key}/{kind}"

    def get(self, kind: str, identifier: str) -> Doc | None:
        """The object or its tombstone."""
        return self.tables.get(self.table(kind), identifier)

    def find(self, kind: str, identifier: Any, param: str, status: int = 404) -> Doc:
        """The living object; refuses with `resource_missing` when there is none."""
        doc = self.get(kind, str(identifier))
        if doc is None or doc.get("deleted"):
            raise resource_missing(SPOKEN.get(kind, kind), str(identifier), param, status)
        return doc

    def save(self, doc: Doc) -> Doc:
        history.remember(self.world, self.key, doc)
        return self.tables.put(self.table(doc["object"]), doc["id"], doc)

    def bury(self, doc: Doc) -> Doc:
        """Replace an object by its tombstone, which keeps its place for cursors."""
        return self.save({"id": doc["id"], "object": doc["object"], "deleted": True})

    def rows(self, kind: str) -> list[Doc]:
        return [doc for doc in self.tables.rows(self.table(kind)) if not doc.get("deleted")]

    def newest_first(self, kind: str) -> Iterator[tuple[str, Doc]]:
        return self.tables.newest_first(self.table(kind))

    def seen(self, kind: str, age_s: float) -> Iterator[tuple[str, Doc]]:
        """The objects as they were `age_s` seconds ago, newest first; those that did not exist keep their place as
        tombstones, for cursors.
        """
        rows = self.newest_first(kind)
        if not age_s:
            return rows
        return ((key, history.as_of(self.world, self.key, doc, age_s) or {"deleted": True}) for key, doc in rows)


SPOKEN = {
    "payment_method": "PaymentMethod",
    "setup_intent": "setupintent",
    "balance_transaction": "balance transaction",
    "credit_note": "credit note",
    "promotion_code": "promotion code",
    "tax_rate": "tax rate",
    "subscription_item": "subscription item",
    "test_helpers.test_clock": "test clock",
    "webhook_endpoint": "webhook endpoint",
}
"""How error messages speak of a kind of object, where it is not its own name."""


def authenticate(world: World, request: Request) -> Shelf:
    """Open the shelf that the request's key, and its Stripe-Account header, give access to."""
    key = _api_key(request)
    platform = account_of_key(world, key)
    connected = request.header("Stripe-Account")
    publishable = key.startswith("pk_")
    if not connected or connected == platform["id"]:
        return Shelf(world, platform, publishable)
    return Shelf(world, _connected(world, platform, connected, key), publishable)


def account_of_key(world: World, key: str) -> Doc:
    """The account that a secret key belongs to, made on first use."""
    found = _KEY.fullmatch(key)
    if found is None:
        raise unauthorized(f"Invalid API Key provided: {_masked(key)}")
    name = found[2].partition("_acct_")[0]
    return open_account(world, "acct_1" + digest_token(name, 15), found[1] == "live", None)


def open_account(world: World, identifier: str, livemode: bool, platform: str | None) -> Doc:
    """Get or make an account in one mode. `platform` is the account that it is connected to."""
    key = f"{identifier}/{'live' if livemode else 'test'}"
    known = world.tables.get(ACCOUNTS, key)
    if known is not None:
        return known
    return world.tables.put(
        ACCOUNTS,
        key,
        {
            "key": key,
            "id": identifier,
            "livemode": livemode,
            "platform": platform,
            "default_api_version": world.settings.default_api_version,
            "country": "US",
            "default_currency": "usd",
            "created": world.seconds(),
        },
    )


def shelf_of(world: World, key: str) -> Shelf:
    """The shelf of an account that exists."""
    account = world.tables.get(ACCOUNTS, key)
    assert account is not None, f"no account {key}"
    return Shelf(world, account)


def _connected(world: World, platform: Doc, identifier: str, key: str) -> Doc:
    """A connected account comes to exist when its platform first names it; another platform's is out of reach."""
    if not _ACCOUNT.fullmatch(identifier):
        raise _no_access(key, identifier)
    account = open_account(world, identifier, platform["livemode"], platform["id"])
    if account["platform"] != platform["id"]:
        raise _no_access(key, identifier)
    return account


def _no_access(key: str, identifier: str) -> StripeError:
    message = (
        f"The provided key '{_masked(key)}' does not have access to account '{identifier}' "
        "(or that account does not exist). Application access may "
        "have been revoked."
    )
    return StripeError(message, status=403, code="account_invalid")


def _api_key(request: Request) -> str:
    authorization = request.header("Authorization") or ""
    user = basic_user(authorization)
    if user is None and authorization.lower().startswith("bearer "):
        user = authorization[7:].strip()
    if not user:
        raise unauthorized(NO_KEY)
    return user


def _masked(key: str) -> str:
    if len(key) <= 12:
        return key
    return key[:8] + "*" * (len(key) - 12) + key[-4:]
