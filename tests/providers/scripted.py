"""A provider that answers what a test says, for replies that no provider should give."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from counterfoil.core.ids import AccountId
from counterfoil.providers.port import Credentials
from counterfoil.providers.stripe.adapter import StripePort
from counterfoil.providers.stripe.calls import Caller
from counterfoil.providers.stripe.inprocess import InProcessClient
from counterfoil.providers.stripe.provider import StripeProvider


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: Mapping[str, str]


Says = tuple[int, Mapping[str, str], bytes] | OSError
Script = Callable[[Asked], Says]


@dataclass
class Scripted:
    """Answers by a script and remembers what it was asked."""

    script: Script
    asked: list[Asked] = field(default_factory=list)

    def caller(self, **more: Any) -> Caller:
        credentials = Credentials(
            AccountId("pacc_1"), "sk_test_1", livemode=False, base_url="http://scripted.test", **more
        )
        return StripePort(lambda: InProcessClient(self._answer)).caller(credentials)

    def provider(self) -> StripeProvider:
        return StripeProvider(self.caller())

    def _answer(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        parts = urlsplit(url)
        asked = Asked(method, parts.path, dict(parse_qsl(parts.query or body.decode())), headers)
        self.asked.append(asked)
        said = self.script(asked)
        if isinstance(said, OSError):
            raise said
        return said


def says(status: int, doc: object, **headers: str) -> Says:
    """A JSON reply."""
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(doc).encode()


def always(said: Says) -> Scripted:
    """A provider with one answer for everything."""
    return Scripted(lambda _: said)
