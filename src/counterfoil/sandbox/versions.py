"""Which API versions the sandbox speaks. A version is its date, so two versions compare as texts."""

from __future__ import annotations

import re

from counterfoil.sandbox.errors import StripeError, invalid

OLDEST = "2022-11-15"
ACACIA = "2025-02-24.acacia"
BASIL = "2025-03-31.basil"
CLOVER = "2025-09-30.clover"
DAHLIA = "2026-03-25.dahlia"
ENDIVE = "2026-09-30.endive"
NEWEST = "2026-10-28.endive"

# The first version of each release train; before the trains versions had no name.
_TRAINS = (
    ("2024-09-30", "acacia"),
    ("2025-03-31", "basil"),
    ("2025-09-30", "clover"),
    ("2026-03-25", "dahlia"),
    ("2026-09-30", "endive"),
)
_FORM = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?:\.([a-z]+))?")


def check_version(version: str, param: str | None = None) -> str:
    """Return a version that exists and is covered; refuse any other as Stripe does."""
    found = _FORM.fullmatch(version)
    if found is None or found[2] != _train(found[1]) or found[1] > NEWEST[:10]:
        raise invalid(f"Invalid Stripe API version: {version}", param)
    if found[1] < OLDEST:
        message = f"Invalid Stripe API version: {version}. This sandbox covers {OLDEST} and newer."
        raise StripeError(message, param=param)
    return version


def since(version: str, start: str) -> bool:
    """True when `version` is `start` or newer."""
    return version[:10] >= start[:10]


def _train(date: str) -> str | None:
    return next((name for start, name in reversed(_TRAINS) if date >= start), None)
