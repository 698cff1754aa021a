"""Links that let whoever holds one see what is owed and take the next step, for a time and without signing in.

A link names one invoice of one tenant and when it ends, and is signed with a key that only this house has. It carries
nothing personal. One that ended is still recognized, so that its holder can ask for another.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from counterfoil.core.ids import noun_of
from counterfoil.engine.house import House

LASTS: Final = timedelta(days=14)
"""How long a link in a message works, in business time."""
PURPOSE: Final = "pay/links"
TOKEN_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class PayLink:
    """What a link says: whose invoice, and until when it may be used."""

    tenant: str
    invoice: str
    ends_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Say whether it has ended."""
        return now >= self.ends_at


def pay_url(house: House, tenant: str, invoice: str, now: datetime) -> str:
    """Give the address of an invoice's page."""
    return f"{house.post.public_url.rstrip('/')}/pay/{token(house, PayLink(tenant, invoice, now + LASTS))}"


def token(house: House, link: PayLink) -> str:
    """Sign a link."""
    said = f"{link.tenant}.{link.invoice}.{int(link.ends_at.timestamp())}"
    return f"{said}.{_signature(house.box.derived(PURPOSE)[0], said)}"


def read(house: House, given: str) -> PayLink | None:
    """Read a link that we signed, also one that has ended. None for anything else."""
    said, _, signature = given[:TOKEN_MAX].rpartition(".")
    parts = said.split(".")
    keys = house.box.derived(PURPOSE)
    if len(parts) != len(("tenant", "invoice", "end")) or not given.isascii():
        return None
    if not any(hmac.compare_digest(_signature(key, said), signature) for key in keys):
        return None
    tenant, invoice, end = parts
    if noun_of(tenant) != "tenant" or noun_of(invoice) != "invoice":
        return None
    return PayLink(tenant, invoice, datetime.fromtimestamp(int(end), UTC))


def _signature(key: bytes, said: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, said.encode(), sha256)).decode().rstrip("=")
