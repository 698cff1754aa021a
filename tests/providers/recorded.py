"""Events that Stripe really sent, by API version, and the few lines that sign a body as Stripe does."""

import hmac
import os
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_of_this_endpoint"
NOW_S = 1_781_409_840
NOW = datetime.fromtimestamp(NOW_S, UTC)


def recorded_events() -> list[Path]:
    """Every recorded event, in order of version and name. Fails clearly when the recordings are not there."""
    home = Path(os.environ.get("COUNTERFOIL_SHARED") or ROOT.parent / "shared") / "real-events"
    found = sorted(home.glob("*/*.json"))
    if not found:
        pytest.fail(f"no recorded events in {home}: set COUNTERFOIL_SHARED to the folder that has real-events/", False)
    return found


def v1_of(body: bytes, secret: str = SECRET, signed_at: int | str = NOW_S) -> str:
    """The v1 signature by Stripe's documents, written apart from the code under test."""
    return hmac.new(secret.encode(), str(signed_at).encode() + b"." + body, sha256).hexdigest()


def signed(body: bytes, secret: str = SECRET, signed_at: int = NOW_S) -> dict[str, str]:
    """The headers that Stripe sends with a body."""
    return {"Stripe-Signature": f"t={signed_at},v1={v1_of(body, secret, signed_at)}"}
