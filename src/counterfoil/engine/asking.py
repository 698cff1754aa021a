"""What callers of the spend door ask for, checked as far as it can be without a database."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Final, TypeAlias

import msgspec

from counterfoil.core.ids import PREFIXES, noun_of, typeid
from counterfoil.core.spending import Refusal

KEY_MAX: Final = 255
FEATURE_MAX: Final = 64
POOLS_MAX: Final = 4
POOL: Final = r"[a-z0-9][a-z0-9._:-]{0,63}"
EXTERNAL: Final = "ext:"
TIME_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
HELD_S: Final = 3600
HELD_MAX_S: Final = 30 * 24 * 3600
"""How long a hold lasts unless told, and at most."""
Aware: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class SpendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A use to be paid for from a wallet, which is named itself or by its customer and unit.

    `key` names this one use: the same key with the same request has its effect once. `occurred_at` is when it
    happened, now unless told.
    """

    amount: str
    key: str | None = None
    customer: str | None = None
    wallet: str | None = None
    unit: str | None = None
    feature: str | None = None
    pools: tuple[str, ...] = ()
    occurred_at: Aware | None = None


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credits to be reserved for a use that comes; named as a use is. It expires by itself."""

    amount: str
    key: str | None = None
    customer: str | None = None
    wallet: str | None = None
    unit: str | None = None
    feature: str | None = None
    pools: tuple[str, ...] = ()
    expires_in_s: int = HELD_S


class SettleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was used of a hold. `if_more` says what happens to more than was held: `draw` or `refuse`."""

    amount: str
    if_more: str = "draw"


@dataclass(slots=True)
class Ask:
    """A use on its way: with the id that its key makes, and the hash of what it asks for."""

    id: str
    key: str
    request_hash: str
    amount: str
    wallet: str | None
    customer: str | None
    unit: str | None
    feature: str | None
    pools: tuple[str, ...]
    occurred_at: datetime | None


@dataclass(slots=True)
class HoldAsk:
    """A hold on its way."""

    id: str
    key: str
    request_hash: str
    amount: str
    wallet: str | None
    customer: str | None
    unit: str | None
    feature: str | None
    pools: tuple[str, ...]
    expires_in: timedelta


@dataclass(slots=True)
class EndAsk:
    """An end of a hold on its way: settled with an amount, or released when it is None."""

    id: str
    amount: str | None
    refuse_more: bool = False


AnyAsk: TypeAlias = Ask | HoldAsk | EndAsk


def id_of(noun: str, tenant: str, key: str) -> str:
    """Make an id from a key. 128 bits of a hash: the id is as unique as the key."""
    digest = blake2b(f"{tenant}\0{key}".encode(), digest_size=16, person=noun.encode()).digest()
    return typeid(PREFIXES[noun], int.from_bytes(digest))


def read_spend(tenant: str, request: SpendRequest) -> Ask | Refusal:
    """Check a use."""
    refusal = _malformed(request)
    if refusal:
        return refusal
    assert request.key is not None
    at = request.occurred_at
    if at is not None:
        if at < TIME_MIN:
            return invalid("occurred_at", "must not lie before the year 2000")
        at = at.astimezone(UTC)
    return Ask(
        id_of("spend", tenant, request.key),
        request.key,
        _hash_of(request, at.isoformat() if at else ""),
        request.amount,
        request.wallet,
        request.customer,
        request.unit,
        request.feature,
        request.pools,
        at,
    )


def read_hold(tenant: str, request: HoldRequest) -> HoldAsk | Refusal:
    """Check a hold."""
    refusal = _malformed(request)
    if refusal:
        return refusal
    assert request.key is not None
    if not 0 < request.expires_in_s <= HELD_MAX_S:
        return invalid("expires_in_s", f"must be 1 to {HELD_MAX_S} seconds")
    return HoldAsk(
        id_of("hold", tenant, request.key),
        request.key,
        _hash_of(request, str(request.expires_in_s)),
        request.amount,
        request.wallet,
        request.customer,
        request.unit,
        request.feature,
        request.pools,
        timedelta(seconds=request.expires_in_s),
    )


def read_settle(hold: str, request: SettleRequest) -> EndAsk | Refusal:
    """Check a settlement."""
    if noun_of(hold) != "hold":
        return no_hold(hold)
    if request.if_more not in ("draw", "refuse"):
        return invalid("if_more", "must be draw or refuse")
    return EndAsk(hold, request.amount, request.if_more == "refuse")


def read_release(hold: str) -> EndAsk | Refusal:
    """Check a release."""
    return EndAsk(hold, None) if noun_of(hold) == "hold" else no_hold(hold)


def _hash_of(request: SpendRequest | HoldRequest, last: str) -> str:
    asked = (request.wallet or "", request.customer or "", request.unit or "", request.amount, request.feature or "")
    pools = (" ".join(request.pools),) if request.pools else ()
    return blake2b("\0".join((*asked, *pools, last)).encode(), digest_size=16).hexdigest()


def _malformed(request: SpendRequest | HoldRequest) -> Refusal | None:
    key, feature = request.key, request.feature
    if key is None:
        return invalid("key", "is missing; send one of your own that names this one use")
    if not 0 < len(key) <= KEY_MAX or not is_visible(key):
        return invalid("key", f"must be 1 to {KEY_MAX} visible ASCII characters")
    if feature is not None and (not 0 < len(feature) <= FEATURE_MAX or not is_visible(feature)):
        return invalid("feature", f"must be 1 to {FEATURE_MAX} visible ASCII characters")
    if request.pools and (len(set(request.pools)) != len(request.pools) or len(request.pools) > POOLS_MAX):
        return invalid("pools", f"must be up to {POOLS_MAX}, each once, the matching plan's first")
    if not all(re.fullmatch(POOL, pool) for pool in request.pools):
        return invalid("pools", "must be names of pools: lower-case letters, digits and . _ : - up to 64")
    if request.wallet is not None:
        if request.customer is not None or request.unit is not None:
            return invalid("wallet", "names the wallet alone; leave customer and unit out")
        return None if _is("wallet", request.wallet) else unknown("wallet", request.wallet)
    if request.customer is None or request.unit is None:
        return invalid("customer" if request.customer is None else "unit", "is missing; or name the wallet")
    return _malformed_customer(request.customer)


def _malformed_customer(customer: str) -> Refusal | None:
    if customer.startswith(EXTERNAL):
        return None if len(customer) <= KEY_MAX and is_visible(customer) else unknown("customer", customer)
    return None if _is("customer", customer) else unknown("customer", customer)


@lru_cache(maxsize=65536)
def _is(noun: str, text: str) -> bool:
    return noun_of(text) == noun


def is_visible(text: str) -> bool:
    """Say whether a text is visible ASCII, as every key and id is."""
    return text.isascii() and text.isprintable() and " " not in text


def invalid(param: str, message: str) -> Refusal:
    """Refuse a field."""
    return Refusal(422, "invalid_request", f"{param}: {message}", param)


def unknown(noun: str, text: str) -> Refusal:
    """Refuse what there is not. The text comes from outside: only what looks like an id is repeated."""
    return Refusal(404, "not_found", f"There is no {noun}{_named(text)}.", noun)


def no_hold(text: str) -> Refusal:
    """Refuse a hold that there is not."""
    return Refusal(404, "hold_not_found", f"There is no hold{_named(text)}.")


def _named(text: str) -> str:
    return f" {text}" if is_visible(text) and len(text) <= 64 else ""
