"""The provider of a simulated house: the sandbox in this process, behind the official SDK and no socket."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from counterfoil.core.invariants import BalanceMove, ProviderCharge, ProviderTruth
from counterfoil.providers.stripe.adapter import StripePort
from counterfoil.sandbox.ports import SeededIds
from counterfoil.sandbox.sandbox import Sandbox
from counterfoil.sandbox.settings import Settings
from counterfoil.sandbox.wire import Request, Response
from counterfoil.sim.ports import VirtualClock

ADDRESS: Final = "http://sandbox.test"
RETRIES_S: Final = (300.0, 1_800.0, 7_200.0, 18_000.0)
"""Pauses between a webhook's attempts: one more of them than test mode makes, over hours as in live mode."""

Trouble = Callable[[str, str], Mapping[str, Any] | None]
"""Asked before every call of ours with its method and path: the fault to strike it with, None for none."""


class Provider:
    """One sandbox with one account of ours."""

    def __init__(self, clock: VirtualClock, seed: int, key: str) -> None:
        from counterfoil.providers.stripe.inprocess import InProcessClient

        self.key = key
        self.sandbox = Sandbox(clock.seconds, SeededIds(seed), Settings(retry_delays_s=RETRIES_S, retry_compression=1))
        self.port = StripePort(lambda: InProcessClient(self._transport))
        self.trouble: Trouble = lambda method, path: None
        self.lists_lag = timedelta()
        """How long a new object is missing in lists that we ask for. The provider's reads may lag behind its writes."""

    def ask(self, method: str, path: str, **form: Any) -> dict[str, Any]:
        """Call the API as somebody else with the same key: the host application, or a person at the dashboard."""
        query = f"?{urlencode(form)}" if method == "GET" and form else ""
        body = urlencode(form).encode() if method == "POST" else b""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer: dict[str, Any] = self.sandbox.handle(Request(method, path + query, headers, body)).json()
        return answer

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Use the control plane."""
        request = Request(method, f"/_sandbox/{path}", {}, json.dumps(body or {}).encode())
        return self.sandbox.handle(request).json()

    def objects(self, path: str) -> Iterator[dict[str, Any]]:
        """Give every object of a list, newest first."""
        after: dict[str, str] = {}
        while True:
            page = self.ask("GET", path, limit=100, **after)
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}

    def charges(self) -> list[dict[str, Any]]:
        """Give the charges that took money."""
        return [each for each in self.objects("/v1/charges") if each["status"] == "succeeded"]

    def truth(self, account: str) -> ProviderTruth:
        """Say what the provider has taken in and kept, for the invariants."""
        charges = (
            ProviderCharge(
                account, each["payment_intent"] or each["id"], each["id"], each["amount"], each["currency"].upper()
            )
            for each in self.charges()
        )
        moves = (
            BalanceMove(account, each["id"], each["net"], each["currency"].upper())
            for each in self.objects("/v1/balance_transactions")
        )
        return ProviderTruth(tuple(charges), tuple(moves))

    def _transport(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        path = url.removeprefix(ADDRESS)
        strike = self.trouble(method, path)
        if strike is not None:
            self.control("POST", "faults", {"match": {"path": "*"}, "times": 1, **strike})
        response = self.sandbox.handle(Request(method, path, headers, body))
        if self.lists_lag and method == "GET":
            response = self._lagging(response)
        return _received(response)

    def _lagging(self, response: Response) -> Response:
        """Leave out of a list what is younger than it lags."""
        page = response.json()
        if page.get("object") != "list":
            return response
        until = self.sandbox.world.now() - self.lists_lag.total_seconds()
        page["data"] = [each for each in page["data"] if each["created"] <= until]
        return replace(response, body=json.dumps(page).encode())


def _received(response: Response) -> tuple[int, Mapping[str, str], bytes]:
    match response.fault:
        case "refused":
            raise ConnectionRefusedError
        case "timeout":
            raise TimeoutError
        case "reset":
            raise ConnectionResetError
        case _:
            return response.status, response.headers, response.body
