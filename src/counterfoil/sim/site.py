"""A simulated house with everything around it: one tenant, its account at the sandbox, its webhook endpoint."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from counterfoil.core.ids import PREFIXES, typeid
from counterfoil.engine import intake, setup
from counterfoil.engine.house import House, Settings
from counterfoil.sim.host import Host
from counterfoil.sim.ports import SeededIds, VirtualClock
from counterfoil.sim.provider import ADDRESS, Provider
from counterfoil.store.database import Transactions
from counterfoil.store.secrets import SecretBox

WEBHOOK_SECRET: Final = "whsec_simulated"  # noqa: S105  # guards nothing
STRIPE_KEY: Final = "sk_test_simulated"  # the sandbox takes any
SETTINGS: Final = Settings(sweep_every=timedelta(hours=1), allow_clock=True)


@dataclass(frozen=True, slots=True)
class Site:
    """One tenant of a simulated house and its provider."""

    house: House
    clock: VirtualClock
    provider: Provider
    tenant: str
    account: str
    slug: str
    host: Host

    def deliver(self, headers: dict[str, str], body: bytes) -> intake.Accepted | intake.Rejected:
        """Bring a webhook to the door."""
        return intake.accept(self.house, self.slug, headers, body)

    def pass_time(self, by: timedelta) -> None:
        """Let time pass here and at the provider."""
        self.clock.step(by)
        self.provider.sandbox.tick()

    def jump(self, by: timedelta) -> None:
        """Move business time ahead, here and at the provider."""
        self.clock.jump(by)
        self.provider.sandbox.advance(by.total_seconds())


def open_site(database: Transactions, number: int, seed: int = 0, settings: Settings = SETTINGS) -> Site:
    """Open tenant `number` of a database. The same seed gives the same ids, whatever the number."""
    clock = VirtualClock()
    provider = Provider(clock, seed, STRIPE_KEY)
    host = Host()
    house = build_house(database, provider, clock, SeededIds(seed, clock), settings, host)
    tenant = setup.ensure_tenant(house, f"simulated {number}", "test", typeid(PREFIXES["tenant"], 1000 + number))
    slug = f"sim-{number}"
    wanted = setup.Connection(provider.key, (WEBHOOK_SECRET,), base_url=ADDRESS, slug=slug)
    account = setup.connect(house, tenant.id, wanted)
    provider.sandbox.add_webhook(provider.key, f"http://counterfoil.test/webhooks/stripe/{slug}", WEBHOOK_SECRET)
    return Site(house, clock, provider, tenant.id, account.id, slug, host)


def build_house(
    database: Transactions,
    provider: Provider,
    clock: VirtualClock,
    ids: SeededIds,
    settings: Settings = SETTINGS,
    host: Host | None = None,
) -> House:
    """Build the house with the ports of a simulation."""
    return House(
        database=database,
        providers=provider.port,
        clock=clock,
        ids=ids,
        box=SecretBox("a-master-key-of-the-simulation"),
        sender=host or Host(),
        settings=settings,
    )
