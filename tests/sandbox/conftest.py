"""Fixtures of the sandbox's own suite: every answer and event that a test causes is checked against Stripe's shapes."""

from collections.abc import Iterator

import pytest
import stripe

from counterfoil.sandbox.ports import SeededIds, SteppingClock
from counterfoil.sandbox.settings import Settings
from sandbox.harness import CheckedServer, Receiver


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def server(clock: SteppingClock) -> Iterator[CheckedServer]:
    settings = Settings(retry_delays_s=(10.0, 20.0, 40.0), retry_compression=1.0)
    with CheckedServer(settings=settings, clock=clock, ids=SeededIds(1)) as running:
        yield running
    assert running.check_everything() == []


@pytest.fixture
def api(server: CheckedServer) -> stripe.StripeClient:
    """The official SDK with its automatic retries off."""
    return server.client()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening
