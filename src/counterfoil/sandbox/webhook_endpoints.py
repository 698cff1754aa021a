"""Webhook endpoints: where an account's events are sent, and at which version."""

from __future__ import annotations

from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import PAGING, Page, page_of
from counterfoil.sandbox.params import Flag, Items, Kind, Need, Text
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.versions import check_version

_KEPT: dict[str, Kind] = {**METADATA, "description": Text()}
MOST = 16


def _create(call: Call) -> Doc:
    given = call.given
    if len(call.shelf.rows("webhook_endpoint")) >= MOST:
        raise StripeError(f"You have reached the maximum of {MOST} test webhook endpoints.")
    endpoint = build(call, given["url"], given["enabled_events"], given.get("api_version"), bool(given.get("connect")))
    apply_given(endpoint, given, ("description", "metadata"))
    call.create(endpoint)
    return endpoint | {"secret": endpoint["_secret"]}


def build(
    call: Call, url: str, enabled: list[str], version: str | None, connect: bool, secret: str | None = None
) -> Doc:
    """An endpoint, not yet stored. Its secret is shown once, by whoever creates it."""
    return {
        "id": call.world.new_id("we_1"),
        "object": "webhook_endpoint",
        "api_version": check_version(version, "api_version") if version else None,
        "application": None,
        "created": call.now,
        "description": None,
        "enabled_events": _events(enabled),
        "livemode": call.livemode,
        "metadata": {},
        "status": "enabled",
        "url": _address(url),
        "_connect": connect,
        "_secret": secret or "whsec_" + call.world.token(32),
        "_old_secret": None,
    }


def roll_secret(call: Call, endpoint: Doc, expires_in_s: float, secret: str | None = None) -> Doc:
    """Give an endpoint a new secret; the old one signs too until it expires."""
    endpoint["_old_secret"] = {"secret": endpoint["_secret"], "until": call.world.now() + expires_in_s}
    endpoint["_secret"] = secret or "whsec_" + call.world.token(32)
    return call.save(endpoint)


def _retrieve(call: Call) -> Doc:
    return call.find("webhook_endpoint", "webhook_endpoint")


def _update(call: Call) -> Doc:
    endpoint = call.find("webhook_endpoint", "webhook_endpoint")
    given = call.given
    url = _address(given["url"]) if given.get("url") else endpoint["url"]
    enabled = _events(given["enabled_events"]) if "enabled_events" in given else endpoint["enabled_events"]
    apply_given(endpoint, given, ("description", "metadata"))
    endpoint |= {"url": url, "enabled_events": enabled}
    if "disabled" in given:
        endpoint["status"] = "disabled" if given["disabled"] else "enabled"
    return call.save(endpoint)


def _delete(call: Call) -> Doc:
    return call.shelf.bury(call.find("webhook_endpoint", "webhook_endpoint"))


def _list(call: Call) -> Page:
    return page_of(call, "webhook_endpoint")


def _address(url: str) -> str:
    """Check an address. Stripe wants HTTPS in live mode; here live mode is for mixing modes up, on anybody's laptop."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest:
        raise StripeError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
    return url


def _events(enabled: list[str]) -> list[str]:
    if not enabled:
        raise invalid("You must enable at least one event.", "enabled_events")
    for position, name in enumerate(enabled):
        if name != "*" and ("." not in name or "*" in name):
            raise invalid(
                f"Invalid enabled_events[{position}]: {name} is not an event type.", f"enabled_events[{position}]"
            )
    return enabled


ROUTES = (
    Route(
        "POST",
        "/v1/webhook_endpoints",
        _create,
        {**_KEPT, "api_version": Text(), "connect": Flag(), "enabled_events": Need(Items()), "url": Need(Text())},
    ),
    Route("GET", "/v1/webhook_endpoints/{id}", _retrieve),
    Route(
        "POST",
        "/v1/webhook_endpoints/{id}",
        _update,
        {**_KEPT, "disabled": Flag(), "enabled_events": Items(), "url": Text()},
    ),
    Route("DELETE", "/v1/webhook_endpoints/{id}", _delete),
    Route("GET", "/v1/webhook_endpoints", _list, PAGING),
)
