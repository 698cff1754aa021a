"""The house: the ports, bound. Everything the engine does outside itself goes through these."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Final, TypeVar

from counterfoil.core.ids import AccountId, NewId
from counterfoil.engine.clock import Clock
from counterfoil.engine.identity import Ids
from counterfoil.engine.post import PostOffice
from counterfoil.providers.port import Credentials, Provider, ProviderPort
from counterfoil.providers.sender import Sender
from counterfoil.store import accounts
from counterfoil.store.database import TRANSIENT, CommitUnknown, Transactions, Tx
from counterfoil.store.secrets import SecretBox

T = TypeVar("T")

TRIES_MAX: Final = 5
"""How often one unit of work is done again after a serialization failure, a deadlock or a unique race."""

OPENED_MAX: Final = 1024
"""How many open provider accounts are remembered."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Times and bounds of the engine. All durations are wall time unless they say otherwise.

    `keep_bodies` and `keep_keys` are business time: how long raw bodies, and keys and answers of commands, are kept.
    """

    lease: timedelta = timedelta(seconds=60)
    retry_first: timedelta = timedelta(seconds=1)
    retry_max: timedelta = timedelta(minutes=10)
    tries_before_parking: int = 12
    sweep_every: timedelta = timedelta(minutes=5)
    reconcile_every: timedelta = timedelta(days=1)
    upkeep_every: timedelta = timedelta(hours=1)
    recognise_every: timedelta = timedelta(hours=1)
    keep_bodies: timedelta = timedelta(days=90)
    keep_keys: timedelta = timedelta(days=30)
    batch: int = 100
    allow_clock: bool = False
    webhooks_to_loopback: bool = False
    """Whether a test tenant's webhooks may go to this very machine."""


class Opened:
    """Provider accounts that were opened a moment ago, so that not every call costs a read and a decryption.

    `age_max_s` bounds how long a key that was replaced may still be used; 0 remembers nothing.
    """

    def __init__(self, age_max_s: float = 0.0, ticks: Callable[[], float] = monotonic) -> None:
        self._age_max_s = age_max_s
        self._ticks = ticks
        self._held: dict[tuple[str, str], tuple[float, Provider]] = {}

    def get(self, tenant: str, account: str, open_it: Callable[[], Provider]) -> Provider:
        """Give an account that is open, opening it where that was too long ago."""
        held = self._held.get((tenant, account))
        if held and self._ticks() - held[0] < self._age_max_s:
            return held[1]
        # The age counts from before the read, so that nothing older than the bound is ever used.
        asked_at = self._ticks()
        opened = open_it()
        if len(self._held) >= OPENED_MAX:
            self._held.clear()
        self._held[tenant, account] = (asked_at, opened)
        return opened


@dataclass(frozen=True, slots=True)
class House:
    """The ports and settings that the phases run with."""

    database: Transactions
    providers: ProviderPort
    clock: Clock
    ids: Ids
    box: SecretBox
    sender: Sender
    settings: Settings = field(default_factory=Settings)
    post: PostOffice = field(default_factory=PostOffice)
    opened: Opened = field(default_factory=Opened)

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
        return self.opened.get(tenant, account, lambda: self.providers.open(credentials(self.account(tenant, account))))

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
