"""The events of an account, as the API lists them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.lists import CREATED, PAGING, Page, page_of, within
from counterfoil.sandbox.params import Flag, Items, Text
from counterfoil.sandbox.routing import Route


def _retrieve(call: Call) -> Doc:
    return call.find("event")


def _list(call: Call) -> Page:
    given = call.given
    if given.get("type") and given.get("types"):
        raise invalid("You may only specify one of these parameters: type, types.", "types")
    wanted = given.get("types") or [given.get("type") or "*"]
    delivered = given.get("delivery_success")

    def keep(event: Doc) -> bool:
        return (
            any(fnmatchcase(event["type"], pattern) for pattern in wanted)
            and within(event["created"], given.get("created"))
            and (delivered is None or (event["pending_webhooks"] == 0) == delivered)
        )

    return page_of(call, "event", keep)


ROUTES = (
    Route(
        "GET", "/v1/events", _list, {**PAGING, **CREATED, "type": Text(), "types": Items(), "delivery_success": Flag()}
    ),
    Route("GET", "/v1/events/{id}", _retrieve),
)
