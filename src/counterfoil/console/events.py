"""Events: everything that came in and what was decided about it, and one of them with its payload."""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.console.reading import explained, listed, read, sought
from counterfoil.console.render import page
from counterfoil.console.visits import Visitor
from counterfoil.core.effects import Outcome
from counterfoil.core.facts import Source
from counterfoil.engine.explain import NotFound
from counterfoil.engine.explain import payload as body_of
from counterfoil.engine.story_views import step_of, step_view
from counterfoil.store import listings, stories
from counterfoil.store.database import Row, Tx
from counterfoil.store.listings import Sought

PROVIDER: Final = "provider"
SHOWN_MAX: Final = 64 * 1024
"""The largest payload that is laid out on the page, in bytes; a larger one is offered for download."""
DEPTH_MAX: Final = 30
SECRETS: Final = frozenset({"client_secret", "key", "secret"})
HIDDEN: Final = "•••"


def listing(request: Request, visitor: Visitor) -> Response:
    """Show what came in, newest first; what the provider sent unless asked for everything."""
    query = request.query_params
    source, outcome = query.get("source", PROVIDER), query.get("outcome")
    wanted = sought(
        request,
        "inbox",
        source=source if source in (PROVIDER, *Source) else None,
        status=outcome if outcome in tuple(Outcome) else None,
        kind=query.get("kind") or None,
        customer=query.get("customer") or None,
    )
    values = {
        "listed": listed(request, visitor, _steps, wanted, "news"),
        "room": "events",
        "kinds": read(request, visitor, listings.kinds),
        "outcomes": list(Outcome),
        "sources": list(Source),
    }
    return page(request, "events.html", values, visitor=visitor)


def _steps(tx: Tx, wanted: Sought) -> list[Row]:
    """Give rows with the step that each of them shows."""
    units = stories.units(tx)
    return [{**row, "step": step_view(step_of(row), units)} for row in listings.notices(tx, wanted)]


def one(request: Request, visitor: Visitor) -> Response:
    """Show one event: its decision, the rule, the inputs, the effects, its deliveries and its payload."""
    told = explained(request, visitor, "inbox")
    raw = body_of(request.app.state.house, visitor.tenant, told["subject"]["id"])
    values = {"told": told, "room": "events", "payload": laid_out(raw)}
    return page(request, "event.html", values, visitor=visitor)


def payload(request: Request, visitor: Visitor) -> Response:
    """Hand out a payload exactly as it came, never as a page."""
    told = explained(request, visitor, "inbox")
    raw = body_of(request.app.state.house, visitor.tenant, told["subject"]["id"])
    if raw is None:
        raise NotFound("The payload was erased, or none came.")
    name = f'attachment; filename="{told["subject"]["id"]}.json"'
    return Response(raw, media_type="application/octet-stream", headers={"Content-Disposition": name})


def laid_out(raw: bytes | None) -> dict[str, Any]:
    """Read a payload for the page. Keys that open something at the provider are not shown."""
    if raw is None or not raw.strip():
        return {"state": "none", "value": None}
    if len(raw) > SHOWN_MAX:
        return {"state": "large", "value": None}
    try:
        return {"state": "shown", "value": hidden(json.loads(raw))}
    except (ValueError, RecursionError):
        return {"state": "odd", "value": raw.decode("utf-8", "replace")}


def hidden(value: Any, depth: int = 0) -> Any:
    """Give a JSON value without the secrets in it, and no deeper than a page can show."""
    if depth > DEPTH_MAX:
        return "…"
    if isinstance(value, dict):
        return {
            name: HIDDEN if name in SECRETS and isinstance(each, str) else hidden(each, depth + 1)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [hidden(each, depth + 1) for each in value]
    return value
