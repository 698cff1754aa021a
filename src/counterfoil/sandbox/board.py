"""The board at `/_sandbox/`: requests, events and deliveries as they happen, trouble, time and accounts.

Every page is a plain GET with its state in the address; every act is a plain form. The script only renews what is
shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from counterfoil.sandbox import board_rows, deliveries, faults, pages
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid, resource_missing
from counterfoil.sandbox.wire import Request, Response

if TYPE_CHECKING:
    from jinja2 import Environment

    from counterfoil.sandbox.sandbox import Sandbox

BOARD = "/_sandbox"
Show: TypeAlias = Callable[["Sandbox", Request, str], Response]
_DAY_S = 86_400
STEPS = {"1 minute": 60, "1 hour": 3_600, "1 day": _DAY_S, "7 days": 7 * _DAY_S, "31 days": 31 * _DAY_S}
"""How far the clock can be advanced by one press."""
_SECONDS_OF = {"slow": "delay_s", "delay": "delay_s", "hold": "delay_s", "reorder": "delay_s"}
"""What a number of seconds means to a trouble; to all others it is an age."""


def answer(sandbox: Sandbox, request: Request) -> Response | None:
    """Show a page of the board, or do what was pressed on it; None for any other address."""
    segments = request.route_path.removeprefix(BOARD).strip("/").split("/")
    if segments == [""] and request.method == "GET":
        return _overview(sandbox, request, "")
    if segments[0] != "board":
        return None
    show = _ACTS.get((request.method, "/".join(segments[1:2])))
    if show is None:
        return _page("missing.html", status=404, sandbox=sandbox)
    if request.method == "POST" and request.header("Sec-Fetch-Site") not in (None, "same-origin", "none"):
        return _page("missing.html", status=403, sandbox=sandbox)
    try:
        return show(sandbox, request, "/".join(segments[2:]))
    except StripeError as error:
        return _overview(sandbox, request, str(error))


def _overview(sandbox: Sandbox, request: Request, refusal: str) -> Response:
    account = parse_qs(request.query).get("account", [None])[-1]
    return _page(
        "overview.html",
        status=400 if refusal else 200,
        sandbox=sandbox,
        account=account,
        events=board_rows.events(sandbox.world, account),
        refusal=refusal,
        requests=board_rows.requests(sandbox, account),
        rules=[_told(rule) for rule in sandbox.world.tables.rows(faults.RULES)],
        trouble={"Requests": faults.REQUEST_TROUBLE, "Webhooks": faults.EVENT_TROUBLE},
    )


def _request(sandbox: Sandbox, request: Request, identifier: str) -> Response:
    found = next((line for line in sandbox.requests if line["id"] == identifier), None)
    if found is None:
        raise resource_missing("request", identifier, "id")
    return _page("request.html", sandbox=sandbox, line=found, **board_rows.bodies(found))


def _event(sandbox: Sandbox, request: Request, identifier: str) -> Response:
    return _page("event.html", sandbox=sandbox, **board_rows.event(sandbox.world, identifier))


def _accounts(sandbox: Sandbox, request: Request, identifier: str) -> Response:
    return _page("accounts.html", sandbox=sandbox, accounts=board_rows.accounts(sandbox.world))


def _add_fault(sandbox: Sandbox, request: Request, identifier: str) -> Response:
    form = {name: text for name, text in pages.form_of(request).items() if text}
    do = form.get("do", "")
    of_event = do in faults.EVENT_TROUBLE
    match: Doc = {"event" if of_event else "path": form.get("match", "*")}
    if form.get("method") and not of_event:
        match["method"] = form["method"]
    if form.get("nth"):
        match["nth"] = _count(form["nth"], "nth")
    rule: Doc = {"match": match, "do": do}
    if form.get("seconds"):
        rule[_SECONDS_OF.get(do, "age_s")] = float(_count(form["seconds"], "seconds"))
    if form.get("status") and do == "status":
        rule["status"] = _count(form["status"], "status")
    faults.add_rule(sandbox.world, rule)
    return pages.redirect(BOARD + "/")


def _clear_fault(sandbox: Sandbox, request: Request, identifier: str) -> Response:
    """Clear one rule, or all of them."""
    for key in sandbox.world.tables.keys(faults.RULES):
        if identifier in ("", key):
            sandbox.world.tables.drop(faults.RULES, key)
            deliveries.release_held(sandbox.world, key)
    return pages.redirect(BOARD + "/")


def _advance(sandbox: Sandbox, request: Request, identifier: str) -> Response:
    step = pages.form_of(request).get("step", "")
    if step not in STEPS:
        raise invalid(f"The clock advances by one of: {', '.join(STEPS)}.", "step")
    sandbox.advance(float(STEPS[step]))
    return pages.redirect(BOARD + "/")


def _told(rule: Doc) -> Doc:
    """A rule in words."""
    match = rule["match"]
    where = match.get("event") or f"{str(match.get('method', 'any')).upper()} {match.get('path', '*')}"
    options = ", ".join(f"{name} {value}" for name, value in rule["options"].items())
    nth = f"at match {match['nth']}" if match.get("nth") else "at every match"
    return rule | {"where": where, "how": ", ".join(part for part in (nth, options) if part)}


def _count(text: str, name: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise invalid(f"{name} must be a whole number.", name)
    return int(text)


_ACTS: dict[tuple[str, str], Show] = {
    ("GET", "requests"): _request,
    ("GET", "events"): _event,
    ("GET", "accounts"): _accounts,
    ("POST", "faults"): _add_fault,
    ("POST", "clear"): _clear_fault,
    ("POST", "clock"): _advance,
}


def _page(template: str, *, sandbox: Sandbox, status: int = 200, **shown: Any) -> Response:
    now = board_rows.day_and_time(sandbox.world.now())
    text = _templates().get_template(template).render(now=now, steps=STEPS, page=template, **shown)
    policy = pages.HTML["Content-Security-Policy"] + "; form-action 'self'"
    return Response(status, pages.HTML | {"Content-Security-Policy": policy}, text.encode())


@cache
def _templates() -> Environment:
    """Loaded when the board is first looked at, so that a sandbox that nobody looks at starts without it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent / "templates"
    return Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
