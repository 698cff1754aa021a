"""Sets a house up: tenants, keys, provider accounts and endpoints.

The environment only bootstraps the tenant `default`; everything else is made by a command.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from counterfoil.core.ids import PREFIXES, typeid
from counterfoil.core.money import USD_CREDIT
from counterfoil.engine.house import House
from counterfoil.engine.identity import api_key, tenant_of_key
from counterfoil.store import accounts, directory, sealing, work
from counterfoil.store.accounts import Account, Endpoint, Key, Tenant
from counterfoil.store.secrets import hash_key

DEFAULT_TENANT = typeid(PREFIXES["tenant"], 1)
PEPPER = "api_keys"
"""The tenant's secret that its API keys are hashed with. It outlives the master key that seals it."""
SCOPES = frozenset({"read", "spend", "write", "refund", "fix", "admin"})


class ScopeUnknown(Exception):
    """A key was asked for with a scope that does not exist. Choose among read, spend, write, refund, fix, admin."""

    code = "scope_unknown"


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider account to be connected, and the secrets its webhooks are signed with."""

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    base_url: str | None = None
    slug: str = "default"
    mode: str = "live"
    external_account: str | None = None
    api_version: str | None = None
    provider_ref: str | None = None

    @property
    def livemode(self) -> bool:
        """Say whether the key moves real money."""
        return "_live_" in self.secret_key


def ensure_tenant(house: House, name: str, mode: str, identity: str | None = None) -> Tenant:
    """Give the tenant of this id, creating it when there is none. Needs a connection that owns the schema."""
    made = Tenant(identity or house.new_id("tenant"), name, mode, house.clock.now())
    with house.database.owner(made.id) as tx:
        accounts.lock_setup(tx)
        held = accounts.tenant(tx)
        if held is None:
            accounts.put_tenant(tx, made)
            accounts.declare_unit(tx, USD_CREDIT)
    return held or made


def connect(house: House, tenant: str, wanted: Connection) -> Account:
    """Connect a provider account and open its webhook endpoint; connecting again replaces key and secrets.

    The first sweep is due at once. Raises MasterKeyUnknown, EndpointTaken.
    """
    with house.database.transaction(tenant) as tx:
        accounts.lock_setup(tx)
        sealing.check_keys(tx, house.box)
        held = accounts.endpoint(tx, house.box, wanted.slug)
        account = Account(
            id=held.account if held else house.new_id("account"),
            livemode=wanted.livemode,
            mode=wanted.mode,
            created_at=house.clock.now(),
            secret_key=wanted.secret_key,
            external_account=wanted.external_account,
            base_url=wanted.base_url,
            api_version=wanted.api_version,
        )
        accounts.put_account(tx, house.box, account)
        endpoint = Endpoint(
            tenant, wanted.slug, account.id, wanted.webhook_secrets, account.livemode, account.external_account
        )
        accounts.put_endpoint(tx, house.box, endpoint, wanted.provider_ref, account.created_at)
        work.enqueue(tx, work.Queue.SWEEP, account.id, account.created_at)
    return account


def create_key(house: House, tenant: Tenant, scopes: tuple[str, ...]) -> tuple[Key, str]:
    """Make an API key and give it with the key itself, which is shown this once. Raises ScopeUnknown."""
    if not scopes or not set(scopes) <= SCOPES:
        raise ScopeUnknown(str(ScopeUnknown.__doc__))
    text = api_key(house.ids, tenant.id, tenant.mode)
    key = Key(house.new_id("key"), text[:9] + "…" + text[-4:], tuple(sorted(scopes)), house.clock.now())
    with house.database.transaction(tenant.id) as tx:
        pepper = sealing.made_tenant_secret(tx, house.box, PEPPER, key.created_at)
        accounts.put_key(tx, key, hash_key(pepper, text))
    return key, text


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: whose books, with which key, allowed what."""

    tenant: str
    key: str
    scopes: frozenset[str]


def authenticate(house: House, text: str) -> Caller | None:
    """Recognize an API key, None when it is unknown, revoked or mistyped."""
    tenant = tenant_of_key(text)
    if tenant is None:
        return None
    with house.database.transaction(tenant) as tx:
        pepper = sealing.tenant_secret(tx, house.box, PEPPER)
        key = accounts.find_key(tx, hash_key(pepper, text)) if pepper else None
    return Caller(tenant, key.id, frozenset(key.scopes)) if key else None


class ClockFixed(Exception):
    """Business time can be moved in test mode only, forward only, and never while a live account is connected."""

    code = "clock_fixed"


def advance_clock(house: House, tenant: str, by: timedelta) -> timedelta:
    """Move business time forward and give how far it now runs ahead. Raises ClockFixed."""
    if not house.settings.allow_clock or by < timedelta() or _serves_live(house):
        raise ClockFixed(str(ClockFixed.__doc__))
    with house.database.transaction(tenant) as tx:
        ahead = work.clock_ahead(tx) + by
        work.move_clock(tx, ahead)
    return ahead


def _serves_live(house: House) -> bool:
    """Say whether anybody's live account is connected: business time is one for all who share the installation."""
    with house.database.owner("") as tx:
        everybody = directory.tenants(tx)
    for each in everybody:
        with house.database.transaction(each.id) as tx:
            if any(account.livemode for account in accounts.accounts(tx, house.box)):
                return True
    return False
