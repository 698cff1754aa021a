"""Rate limits: how many requests an account may make in a second, reads and writes counted apart."""

from __future__ import annotations

from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.world import World

MESSAGE = (
    "Testmode request rate limit exceeded, the rate limits in testmode are lower than livemode. You can learn more "
    "about rate limits here https://stripe.com/docs/rate-limits."
)


class Rates:
    """A bucket per account and kind of request, full at first, that refills as time goes by.

    Buckets are not part of the state: a restarted or restored sandbox starts with full ones.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._buckets: dict[tuple[str, bool], tuple[float, float]] = {}

    def take(self, account: str, method: str) -> None:
        """Count a request; refuse it when the account has none left."""
        limit = self._world.settings.rate_limit_per_s
        if limit <= 0:
            return
        at, bucket = self._world.wall(), (account, method == "GET")
        left, since = self._buckets.get(bucket, (limit, at))
        left = min(limit, left + (at - since) * limit)
        if left < 1:
            raise _exceeded(self._world.settings.rate_limit_should_retry)
        self._buckets[bucket] = (left - 1, at)


def _exceeded(should_retry: bool) -> StripeError:
    """Stripe says why, and leaves it to the client's library (which does not retry) unless it says otherwise."""
    return StripeError(
        MESSAGE,
        status=429,
        code="rate_limit",
        should_retry=True if should_retry else None,
        headers={"Stripe-Rate-Limited-Reason": "global-rate"},
    )
