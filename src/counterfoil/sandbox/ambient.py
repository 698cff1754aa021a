"""The real world's clock and randomness, for a sandbox that people use.

The core and the seeded world never import this.
"""

from __future__ import annotations

import secrets
import time

from counterfoil.sandbox.ports import ALPHABET


def wall_clock() -> float:
    """Seconds since the epoch."""
    return time.time()


class RandomIds:
    """Ids that nobody can guess and no two sandboxes share."""

    def token(self, serial: int, length: int) -> str:
        return "".join(secrets.choice(ALPHABET) for _ in range(length))
