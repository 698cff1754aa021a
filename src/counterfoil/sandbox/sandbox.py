"""The sandbox itself: one request in, one response out, and webhook deliveries as a queue.

It opens no socket, starts no thread and reads no clock or random source but those it is given, so a seeded world can
drive it by hand. Nothing in it is safe for several threads at once: a shell that has threads holds a lock around
every call.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from counterfoil.sandbox import control, deliveries, faults, idempotency
from counterfoil.sandbox.accounts import Shelf, account_of_key, authenticate, shelf_of
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.deliveries import Attempt
from counterfoil.sandbox.documents import Doc, Tables
from counterfoil.sandbox.errors import StripeError, invalid, secret_key_required, unknown_path
from counterfoil.sandbox.faults import Rule
from counterfoil.sandbox.idempotency import Claim
from counterfoil.sandbox.lists import Page
from counterfoil.sandbox.params import read_fields
from counterfoil.sandbox.ports import Clock, Ids
from counterfoil.sandbox.rendering import Fetch, expand_tree, plain, render, render_event
from counterfoil.sandbox.routing import EXPAND, Route, find_route
from counterfoil.sandbox.settings import Settings
from counterfoil.sandbox.surface import ROUTES, TIMERS
from counterfoil.sandbox.versions import check_version
from counterfoil.sandbox.webhook_endpoints import build
from counterfoil.sandbox.wire import Request, Response, decode_form, json_body
from counterfoil.sandbox.world import World

LOG_MAX = 500
HANG_S = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body, before the headers and the trouble."""

    status: int
    body: bytes
    headers: dict[str, str]
    keep: bool = True


class Sandbox:
    """A stateful, Stripe-compatible API behind one method."""

    def __init__(self, clock: Clock, ids: Ids, settings: Settings | None = None, tables: Tables | None = None) -> None:
        self.world = World(clock, ids, settings or Settings(), tables or Tables())
        self.requests: deque[Doc] = deque(maxlen=LOG_MAX)
        self._everyones: tuple[str, str | None] | None = None
        deliveries.requeue_unanswered(self.world)

    def handle(self, request: Request) -> Response:
        """Answer one request, of the API or of the control plane. Never raises for anything that a caller can send."""
        self.tick()
        if request.route_path.startswith("/_sandbox"):
            return control.handle(self, request)
        request_id = "req_" + self.world.token(14)
        try:
            shelf = authenticate(self.world, request)
            self._greet(shelf)
        except StripeError as error:
            return self._finished(
                request,
                None,
                request_id,
                self._refusal(error, request_id, self.world.settings.default_api_version, None),
                [],
            )
        rules = faults.for_request(self.world, shelf.key, request.method, request.route_path)
        return self._finished(request, shelf, request_id, self._answer(request, shelf, request_id, rules), rules)

    def tick(self, upto: float | None = None) -> None:
        """Run every timer that is due (by `upto`, else now), earliest first; what they set in turn runs too."""
        limit = self.world.now() if upto is None else upto
        while due := self.world.take_due_timers(limit):
            for timer in due:
                shelf = shelf_of(self.world, timer["account"])
                TIMERS[timer["act"]](Call(self.world, shelf, shelf.account["default_api_version"]), timer["subject"])

    def advance(self, seconds: float) -> None:
        """Move business time forward, stopping at every timer on the way, so that each acts in its own time."""
        target = self.world.now() + seconds
        while (due := self.world.timers.next_due()) is not None and due <= target:
            self.world.advance(max(0.0, due - self.world.now()))
            self.tick(due)
        self.world.advance(max(0.0, target - self.world.now()))

    def start_at(self, now: float) -> None:
        """Let business time start at `now`, which may be in the past, while there is nothing that could be older."""
        if not self.world.tables.count("accounts"):
            self.world.advance(now - self.world.now())

    def due_deliveries(self, upto: float | None = None) -> list[Attempt]:
        """The webhook attempts to make now, signed. Each is handed out once, until its outcome is recorded."""
        self.tick()
        return deliveries.due_deliveries(self.world, upto)

    def next_due(self) -> float | None:
        """Business time of the next thing that happens by itself (a delivery or a timer), None when nothing is
        waiting.
        """
        times = (self.world.timers.next_due(), deliveries.next_due(self.world))
        return min((time for time in times if time is not None), default=None)

    def record_attempt(self, delivery: str, status: int | None) -> None:
        """Say how an attempt went: the endpoint's HTTP status, None when it gave no answer."""
        deliveries.record_attempt(self.world, delivery, status)

    def lose_delivery(self, delivery: str) -> None:
        """Give a delivery up for good, as if every attempt of it had been lost without anybody's knowing."""
        deliveries.lose_delivery(self.world, delivery)

    def add_webhook(
        self,
        api_key: str,
        url: str,
        secret: str | None = None,
        enabled_events: tuple[str, ...] = ("*",),
        api_version: str | None = None,
        connect: bool = False,
    ) -> Doc:
        """Register an endpoint with a secret of the caller's choice; returns the endpoint with its secret."""
        account = account_of_key(self.world, api_key)
        shelf = Shelf(self.world, account)
        call = Call(self.world, shelf, account["default_api_version"])
        endpoint = call.create(build(call, url, list(enabled_events), api_version, connect, secret))
        return plain(endpoint, call.version) | {"secret": endpoint["_secret"]}

    def add_webhook_for_all(self, url: str, secret: str | None = None) -> None:
        """Give every account, from its next request on, an endpoint at `url`; one that it has already stays."""
        self._everyones = (url, secret)

    def _greet(self, shelf: Shelf) -> None:
        if self._everyones is None or shelf.account["platform"]:
            return
        url, secret = self._everyones
        if all(endpoint["url"] != url for endpoint in shelf.rows("webhook_endpoint")):
            call = Call(self.world, shelf, shelf.account["default_api_version"])
            call.create(build(call, url, ["*"], None, False, secret))

    def set_default_version(self, api_key: str, version: str) -> None:
        """Choose what an account's requests without a version, and its events, are rendered at."""
        account = account_of_key(self.world, api_key)
        account["default_api_version"] = check_version(version)
        self.world.tables.put("accounts", account["key"], account)

    def snapshot(self) -> bytes:
        return self.world.tables.dump()

    def restore(self, snapshot: bytes) -> None:
        """Become what the sandbox was at a snapshot; attempts that were out then are due again."""
        self.world.tables.load(snapshot)
        deliveries.requeue_unanswered(self.world)

    def journal(self) -> list[Doc]:
        """Every durable money effect, creation and fault so far, oldest first."""
        return self.world.tables.rows("journal")

    def reset(self) -> None:
        self.world.tables.clear()
        self.requests.clear()

    def _answer(self, request: Request, shelf: Shelf, request_id: str, rules: list[Rule]) -> Answer:
        version = request.header("Stripe-Version") or shelf.account["default_api_version"]
        try:
            version = check_version(version)
            _before(rules)
            claim = idempotency.claim_of(request, shelf.key)
            kept = idempotency.replay(self.world, claim) if claim else None
            if kept is not None:
                headers = {
                    "Stripe-Version": version,
                    "Idempotent-Replayed": "true",
                    "Original-Request": kept["request_id"],
                }
                return Answer(kept["status"], kept["body"].encode(), headers)
            return self._execute(request, shelf, request_id, version, claim, rules)
        except StripeError as error:
            return self._refusal(error, request_id, version, shelf)

    def _execute(
        self, request: Request, shelf: Shelf, request_id: str, version: str, claim: Claim | None, rules: list[Rule]
    ) -> Answer:
        """Run the operation and keep its answer under its key, unless it was refused before it began."""
        try:
            body = self._run(request, shelf, request_id, version, claim, _staleness(rules))
            _after(rules)
            answer = Answer(200, body, {"Stripe-Version": version})
        except StripeError as error:
            answer = self._refusal(error, request_id, version, shelf)
        if claim is not None and answer.keep:
            idempotency.keep(self.world, claim, answer.status, answer.body, request_id, _slowness(rules))
        return answer

    def _run(
        self, request: Request, shelf: Shelf, request_id: str, version: str, claim: Claim | None, stale_s: float
    ) -> bytes:
        found = find_route(ROUTES, request.method, request.route_path)
        if found is None:
            raise unknown_path(request.method, request.route_path)
        route, path = found
        if shelf.publishable and not route.public:
            raise secret_key_required()
        given = read_fields({**route.params, **EXPAND}, _form(request))
        expand = given.pop("expand", [])
        call = Call(self.world, shelf, version, given, path, request_id, claim.key if claim else None, stale_s)
        tree = expand_tree(expand, of_list=_is_list(route))
        return json_body(self._shown(call, route, route.handler(call), tree, request.route_path))

    def _shown(self, call: Call, route: Route, result: Doc | Page, tree: dict[str, Any], path: str) -> Doc:
        if isinstance(result, Page):
            return self._shown_page(call, result, tree, path)
        if result.get("object") == "event":
            return render_event(result, result["api_version"])
        return render(result, call.version, tree, self._fetch(call.shelf), _lists(call.shelf))

    def _shown_page(self, call: Call, page: Page, tree: dict[str, Any], path: str) -> Doc:
        counted = tree.pop("total_count", None) is not None
        fetch, lists = self._fetch(call.shelf), _lists(call.shelf)
        data = [
            render_event(doc, doc["api_version"])
            if doc["object"] == "event"
            else render(doc, call.version, tree, fetch, lists)
            for doc in page.data
        ]
        shown: Doc = {"object": page.object, "data": data, "has_more": page.has_more, "url": path}
        if page.object == "search_result":
            shown["next_page"] = page.next_page
            if counted:
                shown["total_count"] = page.total_count
        return shown

    def _fetch(self, shelf: Shelf) -> Fetch:
        return shelf.get

    def _refusal(self, error: StripeError, request_id: str, version: str, shelf: Shelf | None) -> Answer:
        fields = {
            name: plain(value, version) if isinstance(value, dict) else value for name, value in error.fields.items()
        }
        mode = "" if shelf is not None and shelf.livemode else "test/"
        owner = f"{shelf.account['id']}/" if shelf is not None else ""
        fields["request_log_url"] = (
            f"https://dashboard.stripe.com/{owner}{mode}logs/{request_id}?t={self.world.seconds()}"
        )
        if version[:10] < "2025-03-31":
            fields.pop("advice_code", None)
        headers = {"Stripe-Version": version}
        if error.should_retry is not None:
            headers["Stripe-Should-Retry"] = "true" if error.should_retry else "false"
        return Answer(error.status, json_body({"error": fields}), headers, keep=error.stored)

    def _finished(
        self, request: Request, shelf: Shelf | None, request_id: str, answer: Answer, rules: list[Rule]
    ) -> Response:
        """Add the headers every answer has, log the request, and do to the connection what the rules say."""
        headers = {"Content-Type": "application/json", "Request-Id": request_id, **answer.headers}
        key = request.header("Idempotency-Key")
        if key and request.method == "POST":
            headers["Idempotency-Key"] = key
            headers.setdefault("Original-Request", request_id)
        if shelf is not None and shelf.account["platform"]:
            headers["Stripe-Account"] = shelf.account["id"]
        response = _troubled(Response(answer.status, headers, answer.body), rules)
        self._log(request, shelf, request_id, response, rules)
        return response

    def _log(
        self, request: Request, shelf: Shelf | None, request_id: str, response: Response, rules: list[Rule]
    ) -> None:
        self.requests.append(
            {
                "id": request_id,
                "at": self.world.now(),
                "account": shelf.key if shelf else None,
                "method": request.method,
                "path": request.route_path,
                "status": response.status,
                "fault": response.fault,
                "rules": [rule.do for rule in rules],
                "idempotency_key": request.header("Idempotency-Key"),
                "replayed": "Idempotent-Replayed" in response.headers,
            }
        )


class _Unanswered(StripeError):
    """The request never reached the service."""


def _before(rules: list[Rule]) -> None:
    """Trouble that strikes before anything is executed."""
    for rule in rules:
        if rule.do in ("timeout_before", "refuse"):
            raise _Unanswered("The request was lost before it was executed.", status=504, type="api_error")
        if rule.do == "status" and rule.option("when", "before") == "before":
            raise faults.failure(rule)


def _after(rules: list[Rule]) -> None:
    """Trouble that strikes after the effect is committed."""
    for rule in rules:
        if rule.do == "status" and rule.option("when", "before") == "after":
            raise faults.failure(rule)


def _troubled(response: Response, rules: list[Rule]) -> Response:
    """What becomes of the connection."""
    for rule in rules:
        match rule.do:
            case "timeout_before" | "timeout_after":
                return replace(response, fault="timeout", delay_s=float(rule.option("hang_s", HANG_S)))
            case "reset":
                return replace(response, fault="reset")
            case "refuse":
                return replace(response, fault="refused")
            case _:
                continue
    return replace(response, delay_s=_slowness(rules))


def _slowness(rules: list[Rule]) -> float:
    return sum(float(rule.option("delay_s", 1.0)) for rule in rules if rule.do == "slow")


def _staleness(rules: list[Rule]) -> float:
    return max((float(rule.option("age_s", 60.0)) for rule in rules if rule.do == "stale_read"), default=0.0)


def _form(request: Request) -> dict[str, Any]:
    """The parameters: of a POST its body (and query), else the query."""
    kind = request.header("Content-Type") or ""
    if request.body and "json" in kind:
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


def _lists(shelf: Shelf) -> Any:
    def included(kind: str, back: str, identifier: str) -> list[Doc]:
        return [doc for _, doc in shelf.newest_first(kind) if not doc.get("deleted") and doc.get(back) == identifier]

    return included
