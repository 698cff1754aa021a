"""The house: the ports, bound. Everything the engine does outside itself goes through these."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from counterfoil.core.ids import AccountId, NewId
from counterfoil.engine.clock import Clock
from counterfoil.engine.identity import Ids
from counterfoil.providers.port import Credentials, Provider, ProviderPort
from counterfoil.store import accounts
from counterfoil.store.database import TRANSIENT, CommitUnknown, Transactions, Tx
from counterfoil.store.secrets import SecretBox

T = TypeVar("T")

TRIES_MAX: Final = 5
"""How often one unit of work is done again after a serialization failure, a deadlock or a unique race."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Times and bounds of the engine. All durations are wall time unless they say otherwise."""

    lease: timedelta = timedelta(seconds=60)
    retry_first: timedelta = timedelta(seconds=1)
    retry_max: timedelta = timedelta(minutes=10)
    tries_before_parking: int = 12
    sweep_every: timedelta = timedelta(minutes=5)
    batch: int = 20
    allow_clock: bool = False


@dataclass(frozen=True, slots=True)
class House:
    """The ports and settings that the phases run with."""

    database: Transactions
    providers: ProviderPort
    clock: Clock
    ids: Ids
    box: SecretBox
    settings: Settings = field(default_factory=Settings)

    @property
    def new_id(self) -> NewId:
        """The ids port as the rules take it."""
        return self.ids.new

    def account(self, tenant: str, account: str) -> accounts.Account:
        """Give a provider account, its key opened."""
        with self.database.transaction(tenant) as tx:
            found = accounts.account(tx, self.box, account)
        assert found is not None, f"no provider account {account}"
        return found

    def provider(self, tenant: str, account: str) -> Provider:
        """Open a provider account. Not inside a transaction: it reads the account in one of its own."""
        held = self.account(tenant, account)
        return self.providers.open(credentials(held))

    def transact(self, tenant: str, work: Callable[[Tx], T]) -> T:
        """Do one unit of work in one transaction; do it again, a bounded number of times, when it lost a race.

        An unknown commit is settled by doing it again too: every unit of work finds its own natural key taken.
        """
        for attempt in range(1, TRIES_MAX + 1):
            try:
                with self.database.transaction(tenant) as tx:
                    return work(tx)
            except (*TRANSIENT, CommitUnknown):
                if attempt == TRIES_MAX:
                    raise
        raise AssertionError("unreachable")


def credentials(account: accounts.Account) -> Credentials:
    """Give what the provider port needs to reach an account."""
    return Credentials(
        account=AccountId(account.id),
        secret_key=account.secret_key,
        livemode=account.livemode,
        base_url=account.base_url,
        connected_account=account.external_account,
        api_version=account.api_version,
    )
