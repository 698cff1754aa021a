"""A caller of the API: one key, its headers, and short names for what tests ask again and again."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from counterfoil.engine import setup
from counterfoil.store.accounts import Tenant
from houses import STRIPE_KEY, World

NOW = {"Prefer": "wait=0"}


@dataclass(slots=True)
class Caller:
    """Calls the API with one key. Commands get a fresh Idempotency-Key unless they are given one."""

    client: TestClient
    key: str
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def get(self, path: str, **params: Any) -> Response:
        return self.client.get(path, params=params, headers=self.authorization)

    def post(self, path: str, body: Any = None, key: str | None = None, **headers: str) -> Response:
        """Post a body. Nothing waits for a worker that these tests drive by hand."""
        fresh = key or f"key-{next(self.numbers)}"
        sent = {**self.authorization, **NOW, "Idempotency-Key": fresh, **headers}
        return self.client.post(path, json=body, headers=sent)

    def patch(self, path: str, body: Any) -> Response:
        return self.client.patch(path, json=body, headers=self.authorization)

    def made(self, path: str, body: Any = None, key: str | None = None) -> Any:
        """Post a body that has to be accepted, and give the answer's."""
        answer = self.post(path, body, key)
        assert answer.status_code < 300, answer.text
        return answer.json()

    # --- the story that most tests begin with ---

    def customer(self, external_id: str = "dana") -> str:
        body = {"external_id": external_id, "name": "Dana", "email": "dana@example.com"}
        identity: str = self.made("/v1/customers", body)["id"]
        return identity

    def wallet(self, customer: str) -> str:
        identity: str = self.made("/v1/wallets", {"customer": customer, "unit": "usd-credit"})["id"]
        return identity

    def credits(self, customer: str, amount: str) -> str:
        wallet = self.wallet(customer)
        self.made(f"/v1/wallets/{wallet}/grants", {"amount": amount, "source": "promotional"})
        return wallet

    def draft(self, customer: str, net: int = 10_000, currency: str = "USD") -> str:
        body = {"customer": customer, "currency": currency, "lines": [{"description": "Pro plan", "net": net}]}
        identity: str = self.made("/v1/invoices", body)["id"]
        return identity

    def invoice(self, customer: str, net: int = 10_000) -> str:
        identity = self.draft(customer, net)
        self.made(f"/v1/invoices/{identity}/finalize")
        return identity


def another_tenant(world: World, client: TestClient) -> Caller:
    """A caller of another organization on the same installation, with a provider account of its own."""
    tenant = setup.ensure_tenant(world.house, "other", "test")
    setup.connect(world.house, tenant.id, setup.Connection(f"{STRIPE_KEY}_other", ("whsec_other",), slug="other"))
    return with_scopes(world, client, tenant, *setup.SCOPES)


def with_scopes(world: World, client: TestClient, tenant: Tenant, *scopes: str) -> Caller:
    """A caller whose key has these scopes and no others."""
    _, key = setup.create_key(world.house, tenant, scopes)
    return Caller(client, key)
