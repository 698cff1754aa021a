"""What the board shows, gathered from the sandbox: the newest requests and events, and everything about one."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from counterfoil.sandbox.accounts import ACCOUNTS, shelf_of
from counterfoil.sandbox.deliveries import DONE
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import resource_missing
from counterfoil.sandbox.rendering import render_event
from counterfoil.sandbox.wire import decode_form, json_body
from counterfoil.sandbox.world import QUEUE, World

if TYPE_CHECKING:
    from counterfoil.sandbox.sandbox import Sandbox

NEWEST_MAX = 40


def requests(sandbox: Sandbox, account: str | None) -> list[Doc]:
    """The newest requests (of one account), newest first."""
    lines = (line for line in reversed(sandbox.requests) if account in (None, line["account"]))
    return [line | {"time": time_of_day(line["at"]), "state": _state(line)} for line in islice(lines, NEWEST_MAX)]


def bodies(line: Doc) -> dict[str, Any]:
    """What a request asked and what it was answered, readable; a body that is no form or JSON is shown as it came."""
    try:
        asked = json_body(decode_form(line["_body"].decode())).decode() if line["_body"] else ""
    except UnicodeDecodeError:
        asked = repr(line["_body"])
    return {"asked": asked, "answered": line["_answer"].decode(errors="replace"), "time": day_and_time(line["at"])}


def events(world: World, account: str | None) -> list[Doc]:
    """The newest events (of one account), newest first, each with how its deliveries stand."""
    found: list[tuple[float, int, Doc]] = []
    for known in world.tables.rows(ACCOUNTS):
        if account in (None, known["key"]):
            rows = islice(world.tables.newest_first(f"{known['key']}/event"), NEWEST_MAX)
            found += [(event["created"], -place, event) for place, (_, event) in enumerate(rows)]
    found.sort(key=lambda item: item[:2], reverse=True)
    newest = [event for _, _, event in found[:NEWEST_MAX]]
    sent = _deliveries_of(world, {event["id"] for event in newest})
    return [_event_row(event, sent.get(event["id"], [])) for event in newest]


def event(world: World, identifier: str) -> dict[str, Any]:
    """One event as its account's version shows it, and its deliveries."""
    for known in world.tables.rows(ACCOUNTS):
        found = shelf_of(world, known["key"]).get("event", identifier)
        if found is not None:
            shown = json_body(render_event(found, found["api_version"])).decode()
            rows = _deliveries_of(world, {identifier}).get(identifier, [])
            sent = [row | _sent(world, row) for row in rows]
            return {"event": found, "body": shown, "deliveries": sent, "time": day_and_time(found["created"])}
    raise resource_missing("event", identifier, "id")


def accounts(world: World) -> list[Doc]:
    """The accounts, with how much each has of everything."""
    rows = []
    for known in world.tables.rows(ACCOUNTS):
        names = [name for name in world.tables.names() if name.startswith(f"{known['key']}/")]
        kept = {name.rpartition("/")[2]: world.tables.count(name) for name in names}
        urls = [endpoint["url"] for endpoint in shelf_of(world, known["key"]).rows("webhook_endpoint")]
        rows.append(known | {"kept": sorted(kept.items()), "urls": urls})
    return rows


def time_of_day(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def day_and_time(at: float) -> str:
    return time.strftime("%-d %b %Y %H:%M:%S UTC", time.gmtime(at))


def _state(line: Doc) -> tuple[str, str]:
    """A request's end as a word and the class of its pill."""
    if line["fault"]:
        return {"timeout": "no answer", "reset": "broken off", "refused": "refused"}[line["fault"]], "bad"
    if line["status"] >= 500:
        return str(line["status"]), "bad"
    return str(line["status"]), "warn" if line["status"] >= 400 else "ok"


def _event_row(event: Doc, sent: list[Doc]) -> Doc:
    subject = event["_subject"]
    return {
        "id": event["id"],
        "time": time_of_day(event["created"]),
        "type": event["type"],
        "object": subject.get("id", ""),
        "state": _delivered(event, sent),
    }


def _delivered(event: Doc, sent: list[Doc]) -> tuple[str, str]:
    states = {row["state"] for row in sent}
    if not sent:
        return ("dropped", "bad") if event["pending_webhooks"] else ("no endpoint", "")
    if states == {"delivered"}:
        return "delivered", "ok"
    if states & {"queued", "sending"}:
        return ("retrying", "warn") if any(row["attempts"] for row in sent) else ("waiting", "info")
    return "given up", "bad"


def _deliveries_of(world: World, wanted: set[str]) -> dict[str, list[Doc]]:
    found: dict[str, list[Doc]] = {}
    for table in (QUEUE, DONE):
        for row in world.tables.rows(table):
            if row["event"] in wanted:
                found.setdefault(row["event"], []).append(row)
    return found


def _sent(world: World, row: Doc) -> Doc:
    endpoint = shelf_of(world, row["owner"]).get("webhook_endpoint", row["endpoint"]) or {}
    kinds = {"delivered": "ok", "queued": "info", "sending": "info"}
    return {
        "url": endpoint.get("url", "endpoint deleted"),
        "pill": kinds.get(row["state"], "bad"),
        "trouble": msgspec.json.encode(row["trouble"]).decode() if row["trouble"] else "",
        "next": day_and_time(row["due"]) if row["state"] == "queued" else "",
    }
