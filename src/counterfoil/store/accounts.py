"""Tenants, API keys, provider accounts and their webhook endpoints."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from counterfoil.core.money import ServiceUnit
from counterfoil.store.database import Row, Tx
from counterfoil.store.sealing import seal
from counterfoil.store.secrets import SecretBox


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organization in one mode, immutable: whose books these are."""

    id: str
    name: str
    mode: str
    created_at: datetime
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant's account at the provider. `mode` `observe` decides but sends nothing; `live` sends."""

    id: str
    livemode: bool
    mode: str
    created_at: datetime
    secret_key: str = field(repr=False)
    provider: str = "stripe"
    paused: bool = False
    external_account: str | None = None
    base_url: str | None = None
    api_version: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider account's webhooks come in. Several secrets are valid while one is being rotated."""

    tenant: str
    slug: str
    account: str
    secrets: tuple[str, ...] = field(repr=False)
    livemode: bool
    external_account: str | None


class EndpointTaken(Exception):
    """Another organization's webhooks come in under this name already. Choose another slug for the endpoint."""

    code = "endpoint_taken"


def lock_setup(tx: Tx) -> None:
    """Let one transaction at a time set the tenant up, so that two that begin at once make everything once."""
    tx.rows("select pg_advisory_xact_lock(hashtextextended('setup ' || %(tenant)s, 0))")


def put_tenant(tx: Tx, tenant: Tenant) -> None:
    """Create a tenant. Only the owner of the schema may."""
    tx.run(
        "insert into tenant (id, name, mode, created_at) values (%(tenant)s, %(name)s, %(mode)s, %(created_at)s)",
        name=tenant.name,
        mode=tenant.mode,
        created_at=tenant.created_at,
    )


def tenant(tx: Tx) -> Tenant | None:
    """Give the tenant of the transaction."""
    row = tx.one("select id, name, mode, created_at, paused from tenant where id = %(tenant)s")
    return Tenant(**row) if row else None


def put_account(tx: Tx, box: SecretBox, account: Account) -> None:
    """Connect a provider account, or replace its settings."""
    tx.run(
        """
        insert into provider_account (tenant, id, provider, livemode, mode, external_account, base_url, api_version,
            secret_box, created_at)
        values (%(tenant)s, %(id)s, %(provider)s, %(livemode)s, %(mode)s, %(external_account)s, %(base_url)s,
            %(api_version)s, %(secret_box)s, %(created_at)s)
        on conflict (tenant, id) do update set
            mode = excluded.mode, base_url = excluded.base_url, api_version = excluded.api_version,
            secret_box = excluded.secret_box
        """,
        id=account.id,
        provider=account.provider,
        livemode=account.livemode,
        mode=account.mode,
        external_account=account.external_account,
        base_url=account.base_url,
        api_version=account.api_version,
        secret_box=seal(tx, box, account.secret_key, account.created_at),
        created_at=account.created_at,
    )


def account(tx: Tx, box: SecretBox, identity: str) -> Account | None:
    """Give a provider account, its key opened."""
    row = tx.one("select * from provider_account where tenant = %(tenant)s and id = %(id)s", id=identity)
    return _account(tx, box, row) if row else None


def accounts(tx: Tx, box: SecretBox) -> tuple[Account, ...]:
    """Give the tenant's provider accounts, oldest first."""
    rows = tx.rows("select * from provider_account where tenant = %(tenant)s order by created_at, id")
    return tuple(_account(tx, box, row) for row in rows)


def all_ids(tx: Tx) -> list[str]:
    """Give the ids of the tenant's provider accounts, oldest first, without opening their keys."""
    rows = tx.rows("select id from provider_account where tenant = %(tenant)s order by created_at, id")
    return [row["id"] for row in rows]


def _account(tx: Tx, box: SecretBox, row: Row) -> Account:
    return Account(
        id=row["id"],
        livemode=row["livemode"],
        mode=row["mode"],
        created_at=row["created_at"],
        secret_key=box.open(tx.tenant, row["secret_box"]),
        provider=row["provider"],
        paused=row["paused"],
        external_account=row["external_account"],
        base_url=row["base_url"],
        api_version=row["api_version"],
    )


def served_by(tx: Tx, identity: str) -> tuple[bool, str | None]:
    """Say which mode and which connected account a provider account serves, without opening its key."""
    row = tx.one(
        "select livemode, external_account from provider_account where tenant = %(tenant)s and id = %(id)s", id=identity
    )
    assert row is not None, f"no provider account {identity}"
    return row["livemode"], row["external_account"]


def put_endpoint(tx: Tx, box: SecretBox, endpoint: Endpoint, provider_ref: str | None, created_at: datetime) -> None:
    """Open a webhook endpoint, or replace its secrets. The slug is unique over all tenants: it is part of a URL.

    Raises EndpointTaken when it is another tenant's.
    """
    tx.run(
        "insert into endpoint_route (slug, tenant) values (%(slug)s, %(tenant)s) on conflict (slug) do nothing",
        slug=endpoint.slug,
    )
    if route(tx, endpoint.slug) != tx.tenant:
        raise EndpointTaken(str(EndpointTaken.__doc__))
    tx.run(
        """
        insert into webhook_endpoint (tenant, slug, account, secrets_box, provider_ref, created_at)
        values (%(tenant)s, %(slug)s, %(account)s, %(secrets_box)s, %(provider_ref)s, %(created_at)s)
        on conflict (tenant, slug) do update set
            secrets_box = excluded.secrets_box, account = excluded.account, provider_ref = excluded.provider_ref
        """,
        slug=endpoint.slug,
        account=endpoint.account,
        secrets_box=seal(tx, box, json.dumps(endpoint.secrets), created_at),
        provider_ref=provider_ref,
        created_at=created_at,
    )


def route(tx: Tx, slug: str) -> str | None:
    """Say which tenant a webhook path belongs to."""
    row = tx.one("select tenant from endpoint_route where slug = %(slug)s", slug=slug)
    return str(row["tenant"]) if row else None


def endpoint(tx: Tx, box: SecretBox, slug: str) -> Endpoint | None:
    """Give an endpoint of the transaction's tenant, its secrets opened."""
    row = tx.one(
        """
        select e.slug, e.account, e.secrets_box, a.livemode, a.external_account
        from webhook_endpoint e
        join provider_account a on a.tenant = e.tenant and a.id = e.account
        where e.tenant = %(tenant)s and e.slug = %(slug)s
        """,
        slug=slug,
    )
    if row is None:
        return None
    secrets = tuple(json.loads(box.open(tx.tenant, row["secrets_box"])))
    return Endpoint(tx.tenant, row["slug"], row["account"], secrets, row["livemode"], row["external_account"])


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, without the key itself."""

    id: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


def put_key(tx: Tx, key: Key, hashed: bytes) -> None:
    """Store a key's hash. The key itself is never stored."""
    tx.run(
        """
        insert into api_key (tenant, id, prefix, hash, scopes, created_at)
        values (%(tenant)s, %(id)s, %(prefix)s, %(hash)s, %(scopes)s, %(created_at)s)
        """,
        id=key.id,
        prefix=key.prefix,
        hash=hashed,
        scopes=list(key.scopes),
        created_at=key.created_at,
    )


def find_key(tx: Tx, hashed: bytes) -> Key | None:
    """Give the key with this hash, unless it was revoked."""
    row = tx.one(
        "select * from api_key where tenant = %(tenant)s and hash = %(hash)s and revoked_at is null", hash=hashed
    )
    return _key(row) if row else None


def keys(tx: Tx) -> tuple[Key, ...]:
    """Give the tenant's keys, oldest first."""
    rows = tx.rows("select * from api_key where tenant = %(tenant)s order by created_at, id")
    return tuple(_key(row) for row in rows)


def _key(row: Row) -> Key:
    return Key(row["id"], row["prefix"], tuple(row["scopes"]), row["created_at"], row["revoked_at"])


def revoke_key(tx: Tx, identity: str, now: datetime) -> bool:
    """Revoke a key for ever. False when there is none to revoke."""
    return bool(
        tx.run(
            """
            update api_key set revoked_at = %(now)s
            where tenant = %(tenant)s and id = %(id)s and revoked_at is null
            """,
            id=identity,
            now=now,
        )
    )


def declare_unit(tx: Tx, unit: ServiceUnit) -> None:
    """Declare a service unit. A declared one is never changed: what it means is pinned."""
    tx.run(
        """
        insert into service_unit (tenant, code, scale, face_minor, face_currency)
        values (%(tenant)s, %(code)s, %(scale)s, %(face_minor)s, %(face_currency)s)
        on conflict (tenant, code) do nothing
        """,
        code=unit.code,
        scale=unit.scale,
        face_minor=unit.face_minor,
        face_currency=unit.face_currency,
    )


def unit(tx: Tx, code: str) -> ServiceUnit | None:
    """Give a declared service unit."""
    row = tx.one(
        """
        select code, scale, face_minor, face_currency from service_unit
        where tenant = %(tenant)s and code = %(code)s
        """,
        code=code,
    )
    return ServiceUnit(**row) if row else None


def put_person(
    tx: Tx, customer: str, name: str | None, email: str | None, metadata: dict[str, str], locale: str = "en"
) -> None:
    """Store a customer's personal data, apart from the books."""
    tx.run(
        """
        insert into customer_person (tenant, customer, name, email, metadata, locale)
        values (%(tenant)s, %(customer)s, %(name)s, %(email)s, %(metadata)s, %(locale)s)
        on conflict (tenant, customer) do update set
            name = excluded.name, email = excluded.email, metadata = excluded.metadata, locale = excluded.locale
        """,
        customer=customer,
        name=name,
        email=email,
        metadata=json.dumps(metadata, ensure_ascii=False),
        locale=locale,
    )


def person(tx: Tx, customer: str) -> Row | None:
    """Give a customer's personal data, None when there is none or it was erased."""
    return tx.one(
        """
        select name, email, metadata, locale, billing from customer_person
        where tenant = %(tenant)s and customer = %(customer)s
        """,
        customer=customer,
    )
