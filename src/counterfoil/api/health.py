"""Says whether the process lives, and whether it can do its work."""

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.api.door import json_response
from counterfoil.store.database import CommitUnknown, DatabaseUnavailable
from counterfoil.store.migrate import migrations
from counterfoil.store.work import backlog


def live(request: Request) -> Response:
    """Answer whenever the process can answer at all."""
    return json_response({"status": "ok"})


def ready(request: Request) -> Response:
    """Answer 200 when the database can be reached and has every migration of this program, else 503 with what lacks."""
    try:
        with request.app.state.house.database.owner("") as tx:
            held = {row["number"] for row in tx.rows("select number from schema_migration")}
            waiting = backlog(tx, request.app.state.house.clock.now())
    except (DatabaseUnavailable, CommitUnknown):
        return json_response({"status": "unavailable", "database": "unreachable", "migrations": "unknown"}, 503)
    missing = [each.name for each in migrations() if each.number not in held]
    if missing:
        return json_response({"status": "unavailable", "database": "ok", "migrations": missing}, 503)
    return json_response({"status": "ok", "database": "ok", "migrations": "current", "backlog": waiting})
