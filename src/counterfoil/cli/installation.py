"""An installation: the tenant `default`, its provider account and the key to its API, made once and found again."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from counterfoil.cli.troubles import AccountMismatch, DataDirectoryInUse, ModeMismatch, explained

if TYPE_CHECKING:
    from counterfoil.cli.settings import Settings
    from counterfoil.engine.house import House
    from counterfoil.store.accounts import Account, Tenant

SLUG: Final = "default"
SANDBOX_KEY: Final = "sk_test_sandbox"
"""The sandbox's account that stands in for the tenant's own."""
KEY_FILE: Final = "api.key"
LOCK_FILE: Final = "up.lock"
ALL_SCOPES: Final = ("admin", "fix", "read", "refund", "spend", "write")


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Be the only one that serves a data directory. The kernel gives it up with the process.

    Raises DataDirectoryInUse, PlaceUnusable.
    """
    with explained(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryInUse(f"another `counterfoil` serves {data_dir}") from None
        yield
    finally:
        os.close(descriptor)


def tenant_of(house: "House", *, is_live: bool) -> "Tenant":
    """Give the tenant `default`. Raises ModeMismatch when it is in the other mode."""
    from counterfoil.engine import setup

    mode = "live" if is_live else "test"
    tenant = setup.ensure_tenant(house, "default", mode, setup.DEFAULT_TENANT)
    if tenant.mode != mode and is_live:
        raise ModeMismatch(f"the tenant `default` of this database is in {tenant.mode} mode, and the key is not")
    return tenant


def account_of(house: "House", tenant: str, slug: str = SLUG) -> "Account | None":
    """Give the account behind an endpoint, None before it is connected."""
    from counterfoil.store import accounts

    with house.database.transaction(tenant) as tx:
        endpoint = accounts.endpoint(tx, house.box, slug)
        return accounts.account(tx, house.box, endpoint.account) if endpoint else None


def secrets_of(house: "House", tenant: str) -> tuple[str, ...]:
    """Give the signing secrets of the endpoint `default`."""
    from counterfoil.store import accounts

    with house.database.transaction(tenant) as tx:
        endpoint = accounts.endpoint(tx, house.box, SLUG)
    return endpoint.secrets if endpoint else ()


def connect_given(house: "House", tenant: str, settings: "Settings") -> None:
    """Connect the account whose key the settings give, unless it is connected so already.

    Raises AccountMismatch when the books are the sandbox's.
    """
    from counterfoil.engine import setup

    assert settings.stripe_key
    held, known = account_of(house, tenant), secrets_of(house, tenant)
    if held and held.secret_key == SANDBOX_KEY:
        raise AccountMismatch("the account `default` of these books is the sandbox's, and a Stripe key was given")
    secrets = settings.webhook_secrets or known
    if held and (held.secret_key, held.base_url, known) == (settings.stripe_key, settings.stripe_api_base, secrets):
        return
    setup.connect(house, tenant, setup.Connection(settings.stripe_key, secrets, settings.stripe_api_base, SLUG))


def wants_sandbox(house: "House", tenant: str, settings: "Settings", *, no_sandbox: bool) -> bool:
    """Say whether the sandbox takes the provider's place: nobody gave or connected an account of their own."""
    if no_sandbox or settings.stripe_key:
        return False
    held = account_of(house, tenant)
    return held is None or held.secret_key == SANDBOX_KEY


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key that `up` prints, None when it was made elsewhere and can't be shown."""

    text: str | None = field(repr=False)


def api_key(house: "House", tenant: "Tenant", data_dir: Path, *, may_add: bool) -> ApiKey:
    """Give the installation's own API key: kept in the data directory, for its owner only, and made when lost.

    Where keys exist already and none may be added, nothing is shown.
    """
    from counterfoil.engine import setup
    from counterfoil.store import accounts

    path = data_dir / KEY_FILE
    kept = path.read_text(encoding="utf-8").strip() if path.exists() else None
    caller = setup.authenticate(house, kept) if kept else None
    if kept and caller and caller.tenant == tenant.id:
        return ApiKey(kept)
    with house.database.transaction(tenant.id) as tx:
        exists = any(key.revoked_at is None for key in accounts.keys(tx))
    if exists and not may_add:
        return ApiKey(None)
    _, text = setup.create_key(house, tenant, ALL_SCOPES)
    write_private(path, text)
    return ApiKey(text)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, in one step."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    draft.replace(path)
