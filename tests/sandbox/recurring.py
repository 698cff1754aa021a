"""Customers, prices and subscriptions for tests of what recurs."""

from typing import Any

import stripe

from counterfoil.sandbox.ports import SteppingClock

DAY = 86_400
HOUR = 3_600


def customer(api: stripe.StripeClient, method: str | None = "pm_card_visa", **more: Any) -> str:
    """A customer whose default payment method is `method`."""
    params: dict[str, Any] = {"email": "ada@example.com", **more}
    if method:
        params |= {"payment_method": method, "invoice_settings": {"default_payment_method": method}}
    made = api.v1.customers.create(params)  # type: ignore[arg-type]
    return made.id


def failing(api: stripe.StripeClient, **more: Any) -> str:
    """A customer whose card attaches well and is declined when it is charged."""
    return customer(api, "pm_card_chargeCustomerFail", **more)


def price(api: stripe.StripeClient, amount: int, name: str = "Pro", **more: Any) -> str:
    """A recurring price, monthly unless said otherwise."""
    recurring = {"interval": more.pop("interval", "month"), "interval_count": more.pop("interval_count", 1)}
    params: dict[str, Any] = {"currency": "usd", "unit_amount": amount, "product_data": {"name": name}}
    params |= {"recurring": recurring, **more}
    return api.v1.prices.create(params).id  # type: ignore[arg-type]


def subscribed(api: stripe.StripeClient, owner: str, plan: str, quantity: int = 1, **more: Any) -> Any:
    """A new subscription to one price, as plain data."""
    params: dict[str, Any] = {"customer": owner, "items": [{"price": plan, "quantity": quantity}], **more}
    return api.v1.subscriptions.create(params).to_dict()  # type: ignore[arg-type]


class TimeMachine:
    """A test clock with its advances waited for."""

    def __init__(self, api: stripe.StripeClient, clock: SteppingClock, start: int) -> None:
        self._api = api
        self._clock = clock
        self.id = api.v1.test_helpers.test_clocks.create({"frozen_time": start}).id

    def go(self, time: int) -> None:
        """Advance to a time and wait until the clock is ready."""
        self._api.v1.test_helpers.test_clocks.advance(self.id, {"frozen_time": time})
        self._clock.step(1)
        ready = self._api.v1.test_helpers.test_clocks.retrieve(self.id)
        assert (ready.status, ready.frozen_time) == ("ready", time)
