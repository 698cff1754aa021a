"""The composition root: builds the real house from its settings."""

import contextlib
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from counterfoil.engine.clock import SystemClock
from counterfoil.engine.house import House, Opened, Settings
from counterfoil.engine.identity import RandomIds
from counterfoil.engine.post import PostOffice
from counterfoil.providers.port import ProviderPort
from counterfoil.store import work
from counterfoil.store.database import Database
from counterfoil.store.secrets import SecretBox

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

KEY_FILE = "master.key"
OPENED_AGE_MAX_S = 1.0
"""How long a provider's key that was replaced may still be used."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a house is built from. Read from the environment, a file or options by the command line."""

    dsn: str = field(repr=False)
    master_key: str = field(repr=False)
    settings: Settings = field(default_factory=Settings)
    pool_size: int = 10
    start_at: datetime | None = None
    """Where business time starts, in test mode only."""
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    mail_operators: str | None = None
    public_url: str | None = None


def build(configuration: Configuration, providers: ProviderPort | None = None) -> House:
    """Build the real house: Postgres, the Stripe adapter, the machine's clock."""
    from counterfoil.providers.posting import HttpSender
    from counterfoil.providers.stripe.adapter import StripePort

    database = Database(configuration.dsn, size=configuration.pool_size)
    clock = SystemClock()
    house = House(
        database=database,
        providers=providers or StripePort(),
        clock=clock,
        ids=RandomIds(),
        box=SecretBox(configuration.master_key),
        sender=HttpSender(),
        settings=configuration.settings,
        post=post_office(configuration),
        opened=Opened(OPENED_AGE_MAX_S),
    )
    set_clock(house, clock, configuration.start_at)
    return house


def post_office(configuration: Configuration) -> PostOffice:
    """Give what the house writes letters with. Raises MailServerUnreadable."""
    from counterfoil.providers.smtp import SmtpMailer, server_at

    url, given = configuration.smtp_url, PostOffice()
    return PostOffice(
        mailer=SmtpMailer(server_at(url)) if url else None,
        sender=configuration.mail_from or given.sender,
        operators=configuration.mail_operators,
        public_url=configuration.public_url or given.public_url,
    )


def set_clock(house: House, clock: SystemClock, start_at: datetime | None) -> None:
    """Let business time start where the settings say, once per database, or go on where it stood."""
    with house.database.claims() as tx:
        ahead = work.clock_ahead(tx)
        if start_at is not None and house.settings.allow_clock and not ahead:
            ahead = start_at.astimezone(UTC) - clock.wall()
            work.move_clock(tx, ahead)
    clock.offset = ahead


def refresh_clock(house: House) -> None:
    """Read how far business time runs ahead, which another process may have moved."""
    if isinstance(house.clock, SystemClock):
        with house.database.claims() as tx:
            house.clock.offset = work.clock_ahead(tx)


API_PATHS: Final = ("/v1/", "/webhooks/", "/docs/", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""What the API answers; every other path is a page of the console."""


def application(house: House) -> "ASGIApp":
    """Give API, webhook door and console as one application. Start and stop are the API's."""
    from counterfoil.api.app import create_app
    from counterfoil.console.app import create_console

    api, console = create_app(house), create_console(house)

    async def serve(scope: "Scope", receive: "Receive", send: "Send") -> None:
        is_page = scope["type"] == "http" and not scope["path"].startswith(API_PATHS)
        await (console if is_page else api)(scope, receive, send)

    return serve


def master_key_for(data_dir: Path) -> str:
    """Give the master key of an embedded installation, made once and readable by its owner only.

    Of several processes that make it at once one wins, and all read the winner's.
    """
    path = data_dir / KEY_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=KEY_FILE, dir=data_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text().strip()
