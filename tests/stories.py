"""The stories that explain and the pages are tested with, played through the real house."""

from dataclasses import dataclass
from datetime import timedelta

from houses import World


@dataclass(frozen=True, slots=True)
class EitherFirst:
    """Ids of the story: $100, 30 of it by credits and 70 by card, told twice and in the wrong order."""

    customer: str
    wallet: str
    invoice: str
    payment: str


def either_first(world: World) -> EitherFirst:
    """Play it: every webhook of the payment comes twice, the newest first."""
    customer = world.customer()
    wallet = world.credits(customer, 30, cost_minor=3_000)
    world.clock.step(timedelta(minutes=1))
    invoice = world.invoice(customer, 10_000)
    world.clock.step(timedelta(minutes=1))
    launched = world.pay(invoice, "checkout-1")
    while world.work():
        world.clock.step(timedelta(seconds=1))
    for _ in range(2):
        hear_backwards(world)
    world.pump()
    assert launched.awaits is not None
    return EitherFirst(customer, wallet, invoice, launched.awaits)


def hear_backwards(world: World) -> None:
    """Hand in what the provider has to tell, newest first and each twice, and let it be decided."""
    told = world.sandbox.due_deliveries()
    for attempt in reversed(told):
        world.clock.step(timedelta(seconds=1))
        assert world.hand_in(attempt)
        assert world.hand_in(attempt)
        world.sandbox.record_attempt(attempt.delivery, 200)
        world.work()
