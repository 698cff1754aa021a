"""The sandbox itself: one request in, one response out, and webhook deliveries as a queue.

It opens no socket, starts no thread and reads no clock or random source but those it is given, so a seeded world can
drive it by hand. Nothing in it is safe for several threads at once: a shell that has threads holds a lock around
every call.
"""

from __future__ import annotations

from collections import deque

from counterfoil.sandbox import control, deliveries, faults
from counterfoil.sandbox.accounts import Shelf, account_of_key, authenticate, shelf_of
from counterfoil.sandbox.answering import Answer, Asked, answer, refusal
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.deliveries import Attempt
from counterfoil.sandbox.documents import Doc, Tables
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.faults import Rule
from counterfoil.sandbox.ports import Clock, Ids
from counterfoil.sandbox.rates import Rates
from counterfoil.sandbox.rendering import plain
from counterfoil.sandbox.settings import Settings
from counterfoil.sandbox.surface import FOLLOWERS, TIMERS
from counterfoil.sandbox.versions import check_version
from counterfoil.sandbox.webhook_endpoints import build
from counterfoil.sandbox.wire import CORS, Request, Response
from counterfoil.sandbox.world import World

LOG_MAX = 500


class Sandbox:
    """A stateful, Stripe-compatible API behind one method."""

    def __init__(self, clock: Clock, ids: Ids, settings: Settings | None = None, tables: Tables | None = None) -> None:
        self.world = World(clock, ids, settings or Settings(), tables or Tables(), FOLLOWERS, TIMERS)
        self.requests: deque[Doc] = deque(maxlen=LOG_MAX)
        self._rates = Rates(self.world)
        self._everyones: tuple[str, str | None] | None = None
        deliveries.requeue_unanswered(self.world)

    def handle(self, request: Request) -> Response:
        """Answer one request, of the API or of the control plane. Never raises for anything that a caller can send."""
        self.tick()
        if request.route_path.startswith("/_sandbox"):
            return control.handle(self, request)
        if request.method == "OPTIONS":
            return Response(200, dict(CORS), b"")
        request_id = "req_" + self.world.token(14)
        shelf = None
        try:
            shelf = authenticate(self.world, request)
            self._rates.take(shelf.key, request.method)
        except StripeError as error:
            refused = refusal(self.world, error, request_id, self.world.settings.default_api_version, shelf)
            return self._finished(request, shelf, request_id, refused, [])
        self._greet(shelf)
        rules = faults.for_request(self.world, shelf.key, request.method, request.route_path)
        given = answer(Asked(self.world, request, request_id, shelf, rules))
        return self._finished(request, shelf, request_id, given, rules)

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
        """Register an endpoint with a secret of the caller's choice; returns the endpoint with its secret.

        An endpoint that the account has at this URL is replaced, so that a restarted program may register it again.
        """
        account = account_of_key(self.world, api_key)
        shelf = Shelf(self.world, account)
        call = Call(self.world, shelf, account["default_api_version"])
        fresh = build(call, url, list(enabled_events), api_version, connect, secret)
        for known in shelf.rows("webhook_endpoint"):
            if known["url"] == url:
                shelf.bury(known)
        endpoint = call.create(fresh)
        return plain(endpoint, call.version) | {"secret": endpoint["_secret"]}

    def add_webhook_for_all(self, url: str, secret: str | None = None) -> None:
        """Give every account, from its next request on, an endpoint at `url`; one that it has already stays."""
        self._everyones = (url, secret)

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

    def _greet(self, shelf: Shelf) -> None:
        """Give a newcomer the endpoint that everyone has."""
        if self._everyones is None or shelf.account["platform"]:
            return
        url, secret = self._everyones
        if all(endpoint["url"] != url for endpoint in shelf.rows("webhook_endpoint")):
            call = Call(self.world, shelf, shelf.account["default_api_version"])
            call.create(build(call, url, ["*"], None, False, secret))

    def _finished(
        self, request: Request, shelf: Shelf | None, request_id: str, given: Answer, rules: list[Rule]
    ) -> Response:
        """Add the headers every answer has, log the request, and do to the connection what the rules say."""
        headers = {"Content-Type": "application/json", "Request-Id": request_id, **CORS, **given.headers}
        key = request.header("Idempotency-Key")
        if key and request.method == "POST":
            headers["Idempotency-Key"] = key
            headers.setdefault("Original-Request", request_id)
        if shelf is not None and shelf.account["platform"]:
            headers["Stripe-Account"] = shelf.account["id"]
        response = faults.troubled(Response(given.status, headers, given.body), rules)
        self.requests.append(_logged(self.world, request, shelf, response, rules))
        return response


def _logged(world: World, request: Request, shelf: Shelf | None, response: Response, rules: list[Rule]) -> Doc:
    return {
        "id": response.headers["Request-Id"],
        "at": world.now(),
        "account": shelf.key if shelf else None,
        "method": request.method,
        "path": request.route_path,
        "query": request.query,
        "version": response.headers.get("Stripe-Version"),
        "status": response.status,
        "fault": response.fault,
        "rules": [rule.do for rule in rules],
        "idempotency_key": request.header("Idempotency-Key"),
        "replayed": "Idempotent-Replayed" in response.headers,
        "_body": request.body,
        "_answer": response.body,
    }
