"""A sandbox on a socket whose every answer and event is checked against Stripe's schemas."""

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import stripe

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.rendering import plain, render_event
from counterfoil.sandbox.server import SandboxServer
from counterfoil.sandbox.versions import ACACIA, NEWEST
from counterfoil.sandbox.wire import Request, Response
from sandbox.shapes import problems_of

KEY = "sk_test_suite"
RENDERINGS = (ACACIA, "2025-08-27.basil", "2026-02-25.clover", "2026-08-26.dahlia", NEWEST)


class CheckedServer(SandboxServer):
    """A sandbox server that remembers every answer whose shape is not Stripe's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.problems: list[str] = []

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        if not request.route_path.startswith("/_sandbox") and response.headers.get("Stripe-Version"):
            self.problems += problems_of(response.body, response.headers["Stripe-Version"])
        return response

    def check_everything(self) -> list[str]:
        """What is wrong with any answer so far, or with any object or event at any rendering."""
        found = list(self.problems)
        with self.locked() as sandbox:
            tables = sandbox.world.tables
            for name in tables.names():
                kind = name.rpartition("/")[2]
                if kind.replace(".", "").isidentifier() and "/" in name:
                    found += [
                        problem for doc in tables.rows(name) if "object" in doc for problem in _problems_of_stored(doc)
                    ]
        return sorted(set(found))

    def control(self, method: str, path: str, body: Doc | None = None) -> Any:
        """Ask the control plane; refuses nothing quietly."""
        response = self.handle(Request(method, f"/_sandbox/{path}", {}, json.dumps(body or {}).encode()))
        assert response.status == 200, response.body.decode()
        if response.headers["Content-Type"] == "application/x-ndjson":
            return [json.loads(line) for line in response.body.decode().splitlines()]
        return response.json()

    def fault(self, match: Doc, do: str, **options: Any) -> None:
        self.control("POST", "faults", {"match": match, "do": do, **options})

    def journal(self, *kinds: str) -> list[Doc]:
        return [line for line in self.control("GET", "journal") if not kinds or line["kind"] in kinds]

    def wait_until_answered(self, timeout_s: float = 5.0) -> None:
        """Wait until every webhook attempt that went out has its outcome recorded."""
        end = time.monotonic() + timeout_s
        while any(row["state"] == "sending" for row in self.control("GET", "deliveries")["waiting"]):
            assert time.monotonic() < end, "a webhook attempt never ended"
            time.sleep(0.01)

    def event_types(self, key: str = KEY) -> list[str]:
        """Every event of the key's account, oldest first."""
        with self.locked() as sandbox:
            tables = sandbox.world.tables
            return [event["type"] for name in tables.names() if name.endswith("/event") for event in tables.rows(name)]

    def client(
        self, key: str = KEY, retries: int = 0, version: str | None = None, account: str | None = None
    ) -> stripe.StripeClient:
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=retries,
            stripe_version=version,
            stripe_account=account,
            http_client=stripe.RequestsClient(timeout=5),
        )


def _problems_of_stored(doc: Doc) -> list[str]:
    show: Callable[[Doc, str], Doc] = render_event if doc["object"] == "event" else plain
    return [problem for version in RENDERINGS for problem in problems_of(show(doc, version), version)]


def code_of(error: stripe.StripeError) -> str | None:
    """The code in an error's body: the SDK does not carry it over to every class of error."""
    body: Any = error.json_body
    code: str | None = body["error"].get("code")
    return code


@dataclass
class Hook:
    """One webhook request that arrived."""

    body: bytes
    signature: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """An endpoint that keeps what it is sent, and answers as told."""

    status: int = 200
    answers_after_s: float = 0.0
    hooks: list[Hook] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._changed = threading.Condition()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/hook"

    def take(self, hook: Hook) -> None:
        with self._changed:
            self.hooks.append(hook)
            self._changed.notify_all()

    def wait_for(self, count: int, timeout_s: float = 5.0) -> list[Hook]:
        """The hooks, once there are `count` of them."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.hooks) >= count, timeout_s)
            assert arrived, (
                f"{len(self.hooks)} of {count} webhooks arrived: {[hook.json()['type'] for hook in self.hooks]}"
            )
            return list(self.hooks)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.take(Hook(body, self.headers["Stripe-Signature"]))
            time.sleep(receiver.answers_after_s)
            with contextlib.suppress(ConnectionError):  # the sender may have given up
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
