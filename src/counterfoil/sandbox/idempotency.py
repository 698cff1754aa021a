"""Idempotency keys: the first execution's answer is kept and replayed, for a day by the sandbox's clock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.wire import Request
from counterfoil.sandbox.world import World

KEYS = "idempotency"


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that a POST carries, in its account."""

    account: str
    key: str
    path: str
    fingerprint: str

    @property
    def row(self) -> str:
        return f"{self.account} {self.key}"


def claim_of(request: Request, account: str) -> Claim | None:
    """The claim of a POST with an Idempotency-Key; keys on other methods mean nothing."""
    key = request.header("Idempotency-Key")
    if request.method != "POST" or not key:
        return None
    if len(key) > 255:
        raise invalid(f"Idempotency keys may be at most 255 characters; yours has {len(key)}.")
    fingerprint = hashlib.sha256(request.query.encode() + b"\n" + request.body).hexdigest()
    return Claim(account, key, request.route_path, fingerprint)


def replay(world: World, claim: Claim) -> Doc | None:
    """The answer kept under the key, None when the key is new or has lapsed.

    Refuses other parameters, and a key still in use.
    """
    kept = world.tables.get(KEYS, claim.row)
    if kept is None or kept["at"] + world.settings.idempotency_lifetime_s <= world.now():
        return None
    if kept["path"] != claim.path:
        raise _misused(
            "Keys for idempotent requests can only be used for the same endpoint they "
            f"were first used for ('{claim.path}' vs '{kept['path']}'). "
            f"Try using a key other than '{claim.key}' if you meant to execute a different request."
        )
    if kept["fingerprint"] != claim.fingerprint:
        raise _misused(
            "Keys for idempotent requests can only be used with the same parameters "
            "they were first used with. Try using a key other than "
            f"'{claim.key}' if you meant to execute a different request."
        )
    if kept["busy_until"] > world.now():
        message = f"There is currently another in-progress request using this Idempotent Key: {claim.key}"
        raise StripeError(
            message, status=409, type="idempotency_error", code="idempotency_key_in_use", should_retry=True
        )
    return kept


def keep(world: World, claim: Claim, status: int, body: bytes, request_id: str, busy_s: float) -> None:
    """Keep an answer under its key.

    `busy_s` is how long the request is still on its way, for which the key is in use.
    """
    kept: Doc = {
        "path": claim.path,
        "fingerprint": claim.fingerprint,
        "status": status,
        "body": body.decode(),
        "request_id": request_id,
        "at": world.now(),
        "busy_until": world.now() + busy_s if busy_s else 0,
    }
    world.tables.put(KEYS, claim.row, kept)


def _misused(message: str) -> StripeError:
    return StripeError(message, status=400, type="idempotency_error")
