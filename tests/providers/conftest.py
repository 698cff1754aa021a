"""The provider that the contract is held against: the sandbox over real sockets, the same in process, or Stripe itself.

With COUNTERFOIL_STRIPE_API_KEY=sk_test_… the same tests run against Stripe's test mode (set COUNTERFOIL_STRIPE_API_BASE
for another server); those that need trouble on request are skipped there, since only the sandbox makes it.
"""

import os
from collections.abc import Iterator

import pytest

from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.server import SandboxServer
from providers.provider_house import ProviderHouse, in_process, live, over_sockets

LIVE_KEY = os.environ.get("COUNTERFOIL_STRIPE_API_KEY")
LIVE_BASE = os.environ.get("COUNTERFOIL_STRIPE_API_BASE")


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """One listening sandbox for the session; each test has an account of its own in it."""
    with SandboxServer(deliver=False) as server:
        yield server


@pytest.fixture(params=["stripe"] if LIVE_KEY else ["sockets", "in process"])
def house(request: pytest.FixtureRequest) -> Iterator[ProviderHouse]:
    """One provider account with nothing in it (Stripe's own excepted)."""
    if LIVE_KEY:
        yield live(LIVE_KEY, LIVE_BASE)
        return
    if request.param == "in process":
        yield in_process()
        return
    server: SandboxServer = request.getfixturevalue("sandbox_server")
    yield over_sockets(server, account_key(request.node.nodeid))
    with server.locked() as sandbox:
        clear_faults(sandbox)


def account_key(nodeid: str) -> str:
    """A test key that only this test uses."""
    return "sk_test_" + "".join(character for character in nodeid if character.isalnum())


def clear_faults(sandbox: Sandbox) -> None:
    """Leave no trouble behind for the next test."""
    for fault in list(sandbox.world.tables.keys("faults")):
        sandbox.world.tables.drop("faults", fault)
