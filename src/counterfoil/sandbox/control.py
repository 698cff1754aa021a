"""The control plane under `/_sandbox/`: trouble, time, the journal, and what a person would do in a browser or a
dashboard. JSON in, JSON out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from counterfoil.sandbox import (
    board,
    clocks,
    deliveries,
    disputes,
    dunning,
    faults,
    hosted,
    payouts,
    static_files,
    webhook_endpoints,
)
from counterfoil.sandbox.accounts import ACCOUNTS, Shelf, account_of_key, open_account, shelf_of
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.deliveries import DONE
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid, parameter_missing, resource_missing, unknown_path
from counterfoil.sandbox.rendering import plain
from counterfoil.sandbox.static_files import STATIC
from counterfoil.sandbox.versions import check_version
from counterfoil.sandbox.wire import Request, Response, json_body
from counterfoil.sandbox.world import JOURNAL, QUEUE

if TYPE_CHECKING:
    from counterfoil.sandbox.sandbox import Sandbox

Act: TypeAlias = Callable[["Sandbox", Doc, dict[str, str], str], Any]
"""Takes the sandbox, the JSON body, the query and the id in the path; returns JSON, or text lines for the journal."""


def handle(sandbox: Sandbox, request: Request) -> Response:
    """Answer one request of the control plane."""
    try:
        if request.route_path.startswith(STATIC):
            return static_files.answer(request)
        page = board.answer(sandbox, request) or hosted.answer(request, lambda *named: _owner(sandbox, *named))
        if page is not None:
            return page
        act, identifier = _find(request)
        result = act(sandbox, _body(request), _query(request), identifier)
    except StripeError as error:
        return Response(error.status, {"Content-Type": "application/json"}, json_body({"error": error.fields}))
    if isinstance(result, list) and act is _journal:
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in result)
        return Response(200, {"Content-Type": "application/x-ndjson"}, lines.encode())
    return Response(200, {"Content-Type": "application/json"}, json_body(result))


def _faults(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    return {"data": sandbox.world.tables.rows(faults.RULES)}


def _add_fault(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    return faults.add_rule(sandbox.world, body)


def _clear_faults(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    keys = sandbox.world.tables.keys(faults.RULES)
    for key in keys:
        _drop_fault(sandbox, key)
    return {"cleared": len(keys)}


def _clear_fault(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    if sandbox.world.tables.get(faults.RULES, identifier) is None:
        raise resource_missing("fault", identifier, "id")
    _drop_fault(sandbox, identifier)
    return {"cleared": 1}


def _drop_fault(sandbox: Sandbox, identifier: str) -> None:
    sandbox.world.tables.drop(faults.RULES, identifier)
    deliveries.release_held(sandbox.world, identifier)


def _journal(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """The journal; `?kind=`, `?account=` and `?after=<seq>` narrow it."""
    kind, account = query.get("kind"), query.get("account")
    after = _number(query.get("after") or 0, "after")
    return [
        line
        for line in sandbox.world.tables.rows(JOURNAL)
        if kind in (None, line["kind"])
        and line["seq"] > after
        and account in (None, line["account"], line["account"].partition("/")[0])
    ]


def _clock(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    return {"now": sandbox.world.now(), "wall": sandbox.world.wall()}


def _advance(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    seconds = body.get("advance_s")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        raise invalid("advance_s must be a number of seconds, not negative: time only goes forward.", "advance_s")
    sandbox.advance(float(seconds))
    return _clock(sandbox, body, query, identifier)


def _reset(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    sandbox.reset()
    return {"reset": True}


def _state(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """How much there is of everything."""
    tables = sandbox.world.tables
    return {
        "accounts": [
            {name: account[name] for name in ("id", "livemode", "platform", "default_api_version")}
            | {
                "objects": {
                    name.rpartition("/")[2]: tables.count(name)
                    for name in tables.names()
                    if name.startswith(account["key"] + "/")
                }
            }
            for account in tables.rows(ACCOUNTS)
        ],
        "deliveries": {"waiting": tables.count(QUEUE), "finished": tables.count(DONE)},
        "faults": tables.count(faults.RULES),
        "journal": tables.count(JOURNAL),
        "now": sandbox.world.now(),
    }


def _accounts(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """Open an account by its key, or a connected one of it; choose its default version."""
    account = account_of_key(sandbox.world, _text(body, "api_key"))
    if body.get("account"):
        account = open_account(sandbox.world, _text(body, "account"), account["livemode"], account["id"])
    if body.get("default_api_version"):
        account["default_api_version"] = check_version(_text(body, "default_api_version"), "default_api_version")
    if body.get("dunning_ends"):
        account["dunning_ends"] = dunning.check_end(_text(body, "dunning_ends"))
    sandbox.world.tables.put(ACCOUNTS, account["key"], account)
    return account


def _add_webhook(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    return sandbox.add_webhook(
        _text(body, "api_key"),
        _text(body, "url"),
        body.get("secret"),
        tuple(body.get("enabled_events") or ("*",)),
        body.get("api_version"),
        bool(body.get("connect")),
    )


def _roll_secret(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    call, endpoint = _owner(sandbox, "webhook_endpoint", identifier)
    webhook_endpoints.roll_secret(
        call, endpoint, _number(body.get("expires_in_s", 86_400), "expires_in_s"), body.get("secret")
    )
    return {"id": identifier, "secret": endpoint["_secret"]}


def _authenticate(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """What the customer does on the challenge page."""
    outcome = body.get("outcome", "succeed")
    if outcome not in ("succeed", "fail"):
        raise invalid("Invalid outcome: must be one of succeed or fail", "outcome")
    call, intent = _owner(sandbox, hosted.kind_of_intent(identifier), identifier)
    return plain(hosted.finish_challenge(call, intent, outcome == "succeed"), call.version)


def _dispute(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """A bank disputes a charge that had gone well."""
    call, charge = _owner(sandbox, "charge", identifier)
    return plain(disputes.open_dispute(call, charge, str(body.get("reason", "fraudulent"))), call.version)


def _fail_payout(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """The bank sends a payout back."""
    call, payout = _owner(sandbox, payouts.KIND, identifier)
    return plain(payouts.fail(call, payout, str(body.get("failure_code", "account_closed"))), call.version)


def _deliveries(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    tables = sandbox.world.tables
    return {"waiting": tables.rows(QUEUE), "finished": tables.rows(DONE)}


def _requests(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    return {"data": [{name: line[name] for name in line if not name.startswith("_")} for line in sandbox.requests]}


def _settings(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    """Show the settings, or change those that the body names."""
    settings = sandbox.world.settings
    names = [name for name in type(settings).__slots__ if isinstance(name, str)]
    for name, value in body.items():
        if name not in names:
            raise invalid(f"Unknown setting: {name}", name)
        current = getattr(settings, name)
        setattr(settings, name, _like(current, value, name))
    return {name: getattr(settings, name) for name in names}


def _coverage(sandbox: Sandbox, body: Doc, query: dict[str, str], identifier: str) -> Any:
    from counterfoil.sandbox.surface import ROUTES

    return {"data": [f"{route.method} {route.path}" for route in ROUTES]}


ACTS: dict[tuple[str, str], Act] = {
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("DELETE", "faults/{id}"): _clear_fault,
    ("GET", "journal"): _journal,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _advance,
    ("POST", "reset"): _reset,
    ("GET", "state"): _state,
    ("POST", "accounts"): _accounts,
    ("POST", "webhook_endpoints"): _add_webhook,
    ("POST", "webhook_endpoints/{id}/roll_secret"): _roll_secret,
    ("POST", "payment_intents/{id}/authenticate"): _authenticate,
    ("POST", "setup_intents/{id}/authenticate"): _authenticate,
    ("POST", "charges/{id}/dispute"): _dispute,
    ("POST", "payouts/{id}/fail"): _fail_payout,
    ("GET", "deliveries"): _deliveries,
    ("GET", "requests"): _requests,
    ("GET", "settings"): _settings,
    ("POST", "settings"): _settings,
    ("GET", "coverage"): _coverage,
}
"""The control plane as data."""


def _find(request: Request) -> tuple[Act, str]:
    segments = request.route_path.split("/")[2:]
    literal = ACTS.get((request.method, "/".join(segments)))
    if literal is not None:
        return literal, ""
    if len(segments) > 1:
        pattern = "/".join([segments[0], "{id}", *segments[2:]])
        named = ACTS.get((request.method, pattern))
        if named is not None:
            return named, segments[1]
    raise unknown_path(request.method, request.route_path)


def _body(request: Request) -> Doc:
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        raise invalid("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return body


def _number(value: object, name: str) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise invalid(f"{name} must be a number", name) from None


def _like(current: Any, value: Any, name: str) -> Any:
    """A setting's new value, of the kind that it has now."""
    if isinstance(current, tuple):
        return tuple(_number(item, name) for item in value) if isinstance(value, list) else (_number(value, name),)
    if isinstance(current, str):
        return check_version(str(value), name) if name == "default_api_version" else str(value)
    return type(current)(_number(value, name))


def _query(request: Request) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(request.query).items()}


def _text(body: Doc, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise parameter_missing(name)
    return value


def _owner(sandbox: Sandbox, kind: str, identifier: str) -> tuple[Call, Doc]:
    """The account that has an object, and the object: ids are unique across accounts."""
    for account in sandbox.world.tables.rows(ACCOUNTS):
        shelf: Shelf = shelf_of(sandbox.world, account["key"])
        doc = shelf.get(kind, identifier)
        if doc is not None:
            clock = clocks.clock_of(shelf, [identifier])
            return Call(sandbox.world, shelf, account["default_api_version"], clock=clock), doc
    raise resource_missing(kind, identifier, "id")
