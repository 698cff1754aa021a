"""Check who sent a webhook: an HMAC over the exact bytes, and a time close to ours.

The check is ours and not the SDK's: the SDK accepts any time in the future, and a tolerance of 0 switches its check
of the time off.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from counterfoil.providers.port import SignatureExpired, SignatureRefused

HEADER: Final = "stripe-signature"
TOLERANCE_S: Final = 300
SIGNATURES_MAX: Final = 16
"""How many v1 one header may carry. Stripe sends one per live secret: one, or two while a secret is rolled."""

TIME: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature header says: when it was signed, and every signature of the one scheme that counts."""

    signed_at: str
    digests: tuple[str, ...]


def check_signature(body: bytes, headers: Mapping[str, str], secrets: tuple[str, ...], wall: datetime) -> None:
    """Raise SignatureRefused or SignatureExpired unless one of the secrets signed exactly this body just now.

    Without a secret nothing verifies; an empty or blank one counts as none, since anybody can sign with it.
    """
    usable = tuple(secret for secret in secrets if secret.strip())
    if not usable:
        raise SignatureRefused("this endpoint has no signing secret")
    signature = read_header(_header(headers))
    if not _is_signed(body, signature, usable):
        raise SignatureRefused("no signature in the header is made with a secret of this endpoint")
    _check_time(int(signature.signed_at), wall)


def read_header(header: str) -> Signature:
    """Read `t=…,v1=…`. Other schemes (v0 marks test clocks' events) are passed over. Raises SignatureRefused."""
    pairs = [item.partition("=") for item in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    digests = tuple(value for name, _, value in pairs if name == "v1" and DIGEST.fullmatch(value))
    if len(times) != 1 or not TIME.fullmatch(times[0]):
        raise SignatureRefused("the signature header must have one t, in seconds")
    if not 0 < len(digests) <= SIGNATURES_MAX:
        raise SignatureRefused(f"the signature header must have 1 to {SIGNATURES_MAX} v1 signatures of 64 hex digits")
    return Signature(times[0], digests)


def sign(body: bytes, secret: str, signed_at: int | str) -> str:
    """Give the v1 signature of a body. The secret is the key as it is, its prefix included."""
    return hmac.digest(secret.encode(), f"{signed_at}.".encode() + body, "sha256").hex()


def _header(headers: Mapping[str, str]) -> str:
    found = [value for name, value in headers.items() if name.lower() == HEADER]
    if len(found) != 1:
        raise SignatureRefused("the request must have one Stripe-Signature header")
    return found[0]


def _is_signed(body: bytes, signature: Signature, secrets: tuple[str, ...]) -> bool:
    """Compare every signature with every secret, so that the time taken says nothing about which one matched."""
    matches = [
        hmac.compare_digest(sign(body, secret, signature.signed_at), digest)
        for secret in secrets
        for digest in signature.digests
    ]
    return any(matches)


def _check_time(signed_at_s: int, wall: datetime) -> None:
    """Two-sided: a signature from the future is a clock that is wrong or a forgery made to last."""
    if abs(int(wall.timestamp()) - signed_at_s) > TOLERANCE_S:
        raise SignatureExpired(f"signed at {signed_at_s}, more than {TOLERANCE_S} s away from our clock")
