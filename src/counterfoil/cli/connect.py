"""`counterfoil connect`: a Stripe account of one's own, and the webhook endpoint that brings its news."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from counterfoil.cli import installation, paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import AccountMismatch, LiveKeyRefused, ModeMismatch, SettingsInvalid

if TYPE_CHECKING:
    from counterfoil.cli.settings import Settings
    from counterfoil.engine.house import House
    from counterfoil.engine.setup import Connection
    from counterfoil.providers.stripe.connect import AccountInfo
    from counterfoil.store.accounts import Tenant as Owner


class Mode(StrEnum):
    """What an account may do: `observe` decides and sends nothing, `live` sends."""

    LIVE = "live"
    OBSERVE = "observe"


def connect(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where Stripe reaches this installation; a webhook endpoint is made there."),
    ] = None,
    slug: Annotated[str, typer.Option(help="The endpoint's name in its path.")] = installation.SLUG,
    mode: Annotated[Mode, typer.Option(help="`observe` decides and sends nothing.")] = Mode.LIVE,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the endpoint that the address has.")] = False,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check a Stripe key (COUNTERFOIL_STRIPE_API_KEY), make its webhook endpoint, and keep both, sealed.

    With COUNTERFOIL_STRIPE_WEBHOOK_SECRET no endpoint is made: the secret is that of an endpoint that exists, or of
    `stripe listen`.
    """
    from counterfoil.engine import setup

    entry = entry_of(context)
    settings = premises.settings_of(entry, data_dir=data_dir)
    _check_settings(settings, url)
    with premises.house_of(entry, data_dir=data_dir) as house:
        owner = tenants.named(house, tenant)
        _check_books(house, owner, settings, slug)
        info, wanted = _at_the_provider(house, settings, url, slug, mode, replace=replace)
        account = setup.connect(house, owner.id, wanted)
    told = {"account": account.id, "provider_ref": info.ref, "name": info.name, "livemode": info.livemode}
    endpoint = f"{url.rstrip('/')}/webhooks/stripe/{slug}" if url else f"/webhooks/stripe/{slug}"
    if as_json:
        paper.say_json(told | {"webhooks": endpoint, "mode": mode.value})
    else:
        typer.echo(f"Connected {info.name or info.ref} ({mode.value}). Its webhooks come in at {endpoint}")


def _check_settings(settings: "Settings", url: str | None) -> None:
    if not settings.stripe_key:
        raise SettingsInvalid("there is no Stripe key; set COUNTERFOIL_STRIPE_API_KEY")
    if not url and not settings.webhook_secrets:
        raise SettingsInvalid("neither --url nor COUNTERFOIL_STRIPE_WEBHOOK_SECRET says where webhooks come from")
    if settings.is_live and not settings.dsn and not settings.force_live:
        raise LiveKeyRefused("a live Stripe key was given together with the embedded database")


def _check_books(house: "House", owner: "Owner", settings: "Settings", slug: str) -> None:
    if (owner.mode == "live") != settings.is_live:
        raise ModeMismatch(f"the tenant {owner.name} is in {owner.mode} mode, and the key is not")
    held = installation.account_of(house, owner.id, slug)
    if held and held.secret_key == installation.SANDBOX_KEY:
        raise AccountMismatch(f"the books of the endpoint `{slug}` are the sandbox's")


def _at_the_provider(
    house: "House", settings: "Settings", url: str | None, slug: str, mode: Mode, *, replace: bool
) -> "tuple[AccountInfo, Connection]":
    """Check the key, and make the endpoint where one is wanted."""
    from counterfoil.core.ids import AccountId
    from counterfoil.engine.setup import Connection
    from counterfoil.providers.port import Credentials
    from counterfoil.providers.stripe import connect as stripe
    from counterfoil.providers.stripe.adapter import StripePort

    key, secrets, ref, version = settings.stripe_key or "", settings.webhook_secrets, None, None
    credentials = Credentials(AccountId(slug), key, settings.is_live, settings.stripe_api_base)
    caller = StripePort().caller(credentials)
    info = stripe.check_key(caller)
    if url and not secrets:
        address = f"{url.rstrip('/')}/webhooks/stripe/{slug}"
        made = stripe.create_endpoint(caller, address, house.new_id("endpoint"), replace=replace)
        secrets, ref, version = (made.secret,), made.ref, made.api_version
    wanted = Connection(key, secrets, settings.stripe_api_base, slug, mode.value, None, version, ref)
    return info, wanted
