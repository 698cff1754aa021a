"""From an authenticated request to a status and a body: version, idempotency, parameters, handler, rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from counterfoil.sandbox import clocks, faults, idempotency
from counterfoil.sandbox.accounts import Shelf
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid, secret_key_required, unknown_path
from counterfoil.sandbox.faults import Rule
from counterfoil.sandbox.idempotency import Claim
from counterfoil.sandbox.lists import Page
from counterfoil.sandbox.params import read_fields
from counterfoil.sandbox.rendering import expand_tree, plain, render, render_event
from counterfoil.sandbox.routing import EXPAND, Route, find_route
from counterfoil.sandbox.subscription_states import ENDED
from counterfoil.sandbox.surface import ROUTES
from counterfoil.sandbox.versions import BASIL, check_version, since
from counterfoil.sandbox.wire import Request, decode_form, json_body
from counterfoil.sandbox.world import World

FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose caller is known. `rules` are the fault rules that strike it."""

    world: World
    request: Request
    request_id: str
    shelf: Shelf
    rules: list[Rule]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body, before the connection has its say. `keep`: an idempotency key may keep it."""

    status: int
    body: bytes
    headers: dict[str, str]
    keep: bool = True


def answer(asked: Asked) -> Answer:
    """Execute a request, or replay what its key keeps."""
    version = asked.shelf.account["default_api_version"]
    try:
        version = check_version(asked.request.header("Stripe-Version") or version)
        faults.strike_before(asked.rules)
        claim = idempotency.claim_of(asked.request, asked.shelf.key)
        kept = idempotency.replay(asked.world, claim) if claim else None
        return _replayed(kept, version) if kept is not None else _execute(asked, version, claim)
    except StripeError as error:
        return refusal(asked.world, error, asked.request_id, version, asked.shelf)


def refusal(world: World, error: StripeError, request_id: str, version: str, shelf: Shelf | None = None) -> Answer:
    """The answer to a request that is refused, with the objects in it as the version shows them."""
    fields = {name: plain(value, version) if isinstance(value, dict) else value for name, value in error.fields.items()}
    mode = "" if shelf is not None and shelf.livemode else "test/"
    owner = f"{shelf.account['id']}/" if shelf is not None else ""
    fields["request_log_url"] = f"https://dashboard.stripe.com/{owner}{mode}logs/{request_id}?t={world.seconds()}"
    if not since(version, BASIL):
        fields.pop("advice_code", None)
    headers = {"Stripe-Version": version, **error.headers}
    if error.should_retry is not None:
        headers["Stripe-Should-Retry"] = "true" if error.should_retry else "false"
    return Answer(error.status, json_body({"error": fields}), headers, keep=error.stored)


def _replayed(kept: Doc, version: str) -> Answer:
    headers = {"Stripe-Version": version, "Idempotent-Replayed": "true", "Original-Request": kept["request_id"]}
    return Answer(kept["status"], kept["body"].encode(), headers)


def _execute(asked: Asked, version: str, claim: Claim | None) -> Answer:
    """Run the operation and keep its answer under its key, unless it was refused before it began."""
    try:
        body = json_body(_run(asked, version, claim))
        faults.strike_after(asked.rules)
        result = Answer(200, body, {"Stripe-Version": version})
    except StripeError as error:
        result = refusal(asked.world, error, asked.request_id, version, asked.shelf)
    if claim is not None and result.keep:
        busy_s = faults.slowness(asked.rules)
        idempotency.keep(asked.world, claim, result.status, result.body, asked.request_id, busy_s)
    return result


def _run(asked: Asked, version: str, claim: Claim | None) -> Doc:
    route, path = _route(asked)
    given = read_fields({**route.params, **EXPAND}, _form(asked.request))
    tree = expand_tree(given.pop("expand", []), of_list=_is_list(route))
    clock = clocks.clock_of(asked.shelf, [*path.values(), *clocks.named(given)])
    if asked.request.method != "GET":
        clocks.check_still(asked.shelf, clock)
    call = Call(
        world=asked.world,
        shelf=asked.shelf,
        version=version,
        given=given,
        path=path,
        request_id=asked.request_id,
        idempotency_key=claim.key if claim else None,
        stale_s=faults.staleness(asked.rules),
        clock=clock,
    )
    return _shown(call, route.handler(call), tree, asked.request.route_path)


def _route(asked: Asked) -> tuple[Route, dict[str, str]]:
    found = find_route(ROUTES, asked.request.method, asked.request.route_path)
    if found is None:
        raise unknown_path(asked.request.method, asked.request.route_path)
    if asked.shelf.publishable and not found[0].public:
        raise secret_key_required()
    return found


def _shown(call: Call, result: Doc | Page, tree: dict[str, Any], path: str) -> Doc:
    if not isinstance(result, Page):
        return _shown_one(call, result, tree)
    counted = tree.pop("total_count", None) is not None
    data = [_shown_one(call, doc, tree) for doc in result.data]
    shown: Doc = {"object": result.object, "data": data, "has_more": result.has_more, "url": path}
    if result.object == "search_result":
        shown["next_page"] = result.next_page
        if counted:
            shown["total_count"] = result.total_count
    return shown


def _shown_one(call: Call, doc: Doc, tree: dict[str, Any]) -> Doc:
    """An object at the request's version; an event at the version that it happened at."""
    if doc.get("object") == "event":
        return render_event(doc, doc["api_version"])
    return render(doc, call.version, tree, call.shelf.get, _lists(call.shelf))


def _lists(shelf: Shelf) -> Callable[[str, str, str], list[Doc]]:
    def included(kind: str, back: str, identifier: str) -> list[Doc]:
        rows = shelf.newest_first(kind)
        own = [doc for _, doc in rows if not doc.get("deleted") and doc.get(back) == identifier]
        # A customer shows the subscriptions that go on; the others are listed for those who ask.
        return [doc for doc in own if kind != "subscription" or doc["status"] not in ENDED]

    return included


def _form(request: Request) -> dict[str, Any]:
    """The parameters: of a POST its body (and query), else the query."""
    kind = request.header("Content-Type") or FORM_TYPE
    if request.body and not kind.lower().startswith(FORM_TYPE):
        message = (
            "Invalid request (check that your POST content type is "
            "application/x-www-form-urlencoded). If you have any questions, we can help at "
            "https://support.stripe.com/."
        )
        raise invalid(message)
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        raise invalid("Invalid request: the body is not UTF-8.") from None
    return decode_form("&".join(part for part in (request.query, text) if part))


def _is_list(route: Route) -> bool:
    return "limit" in route.params
