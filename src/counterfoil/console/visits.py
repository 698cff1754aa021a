"""Who looks: signing in with an API key or with a link that works once, and signing out for good.

The cookie holds a signed id and nothing else; the visit itself is a row, so that ending it ends every copy of the
cookie. A fresh id is made at every sign-in: what a browser brought along before is never taken over.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.engine import setup
from counterfoil.engine.house import House
from counterfoil.store import listings, sessions

COOKIE: Final = "counterfoil_session"
VISIT_LASTS: Final = timedelta(hours=12)
LINK_LASTS: Final = timedelta(minutes=30)
MAY_LOOK: Final = frozenset({"read", "admin"})


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in: whose books they look at, and what the frame of every page says about these.

    `key` is the shown part of the API key, None when a link brought them.
    """

    tenant: str
    visit: str
    key: str | None
    name: str
    mode: str | None
    """What the pill says: sandbox, test or shadow; None in live mode, which wears no pill."""


class SignInRefused(Exception):
    """Nobody is let in by this. `text` is the key of the text that says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def login_url(house: House, base_url: str, tenant: str = setup.DEFAULT_TENANT) -> str:
    """Make a link that signs its first user in, once, within half an hour."""
    now = house.clock.wall()
    link = house.ids.secret()
    with house.database.transaction(tenant) as tx:
        sessions.offer_link(tx, link, now, now + LINK_LASTS)
    return f"{base_url.rstrip('/')}/sign-in/{_signer(house, 'link').dumps([tenant, link])}"


def with_link(house: House, token: str) -> str:
    """Sign in by a link and give the cookie's value. Raises SignInRefused."""
    tenant, link = _read(house, "link", token) or ("", "")
    if not tenant:
        raise SignInRefused("sign_in.link_used")
    now = house.clock.wall()
    with house.database.transaction(tenant) as tx:
        if not sessions.use_link(tx, link, now):
            raise SignInRefused("sign_in.link_used")
    return _open(house, tenant, None)


def with_key(house: House, key: str) -> str:
    """Sign in by an API key and give the cookie's value. Raises SignInRefused."""
    caller = setup.authenticate(house, key.strip())
    if caller is None:
        raise SignInRefused("sign_in.refused")
    if not caller.scopes & MAY_LOOK:
        raise SignInRefused("sign_in.no_scope")
    return _open(house, caller.tenant, caller.key)


def _open(house: House, tenant: str, key: str | None) -> str:
    now = house.clock.wall()
    visit = house.ids.secret()
    with house.database.transaction(tenant) as tx:
        sessions.open_visit(tx, visit, key, now, now + VISIT_LASTS)
    return str(_signer(house, "visit").dumps([tenant, visit]))


def visitor_of(house: House, request: Request) -> Visitor | None:
    """Recognize who sent a request; None when nobody is signed in (any more)."""
    tenant, visit = _read(house, "visit", request.cookies.get(COOKIE, "")) or ("", "")
    if not tenant:
        return None
    with house.database.transaction(tenant) as tx:
        row = sessions.visit(tx, visit, house.clock.wall())
        around = listings.surroundings(tx) if row else None
    if row is None or around is None:
        return None
    return Visitor(tenant, visit, row["prefix"], around["name"], _mode(around))


def _mode(around: dict[str, object]) -> str | None:
    if around["observes"]:
        return "shadow"
    if around["mode"] == "live":
        return None
    return "sandbox" if around["stands_in"] else "test"


def sign_out(house: House, visitor: Visitor) -> None:
    """End a visit: whoever holds a copy of its cookie is out too."""
    with house.database.transaction(visitor.tenant) as tx:
        sessions.end_visit(tx, visitor.visit, house.clock.wall())


def remember(response: Response, request: Request, value: str) -> None:
    """Set the cookie of a visit."""
    response.set_cookie(
        COOKIE,
        value,
        max_age=int(VISIT_LASTS.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def forget(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def _signer(house: House, purpose: str) -> URLSafeSerializer:
    keys = [each.hex() for each in reversed(house.box.derived("console/cookies"))]  # the last one signs
    return URLSafeSerializer(keys, salt=f"counterfoil.console.{purpose}")


def _read(house: House, purpose: str, value: str) -> tuple[str, str] | None:
    """Read what we signed for a purpose: a tenant and an id. None for anything else."""
    try:
        tenant, identity = _signer(house, purpose).loads(value)
    except (BadSignature, ValueError, TypeError):
        return None
    return str(tenant), str(identity)
