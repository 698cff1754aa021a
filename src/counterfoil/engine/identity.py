"""The ids port: fresh identifiers and secrets. The only place that chance enters."""

import base64
import secrets
from typing import Final, Protocol

from uuid_utils import uuid7

from counterfoil.core.ids import ALPHABET, PREFIXES, typeid

KEY_BYTES: Final = 20
CHECKSUM_LENGTH: Final = 4


class Ids(Protocol):
    """Makes identifiers."""

    def new(self, noun: str) -> str:
        """Give a fresh id for a noun of core.ids.PREFIXES, later ones sorting after earlier ones."""

    def secret(self) -> str:
        """Give a secret that can't be guessed, in lower-case letters and digits."""


class RandomIds:
    """TypeIDs over UUIDv7."""

    def new(self, noun: str) -> str:
        """Give a fresh id for a noun."""
        return typeid(PREFIXES[noun], uuid7().int)

    def secret(self) -> str:
        """Give 160 random bits."""
        return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode().lower()


def api_key(ids: Ids, tenant: str, mode: str) -> str:
    """Make an API key. It names its mode and its tenant, and ends with a checksum that tells a typo from a forgery."""
    body = f"cfk_{mode}_{tenant.rpartition('_')[2]}_{ids.secret()}"
    return body + checksum(body)


def tenant_of_key(key: str) -> str | None:
    """Read the tenant out of an API key, None when it is not one of ours or has a typo."""
    body, end = key[:-CHECKSUM_LENGTH], key[-CHECKSUM_LENGTH:]
    parts = body.split("_")
    if len(parts) != len(("cfk", "mode", "tenant", "secret")) or parts[0] != "cfk" or checksum(body) != end:
        return None
    return f"{PREFIXES['tenant']}_{parts[2]}"


def checksum(text: str) -> str:
    """Give a short check of a text, in the alphabet of our ids."""
    value = 0
    for character in text.encode():
        value = (value * 257 + character) % 32**CHECKSUM_LENGTH
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(5 * (CHECKSUM_LENGTH - 1), -1, -5))
