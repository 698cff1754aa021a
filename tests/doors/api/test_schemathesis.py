"""Requests made from the OpenAPI document, fitting and unfitting ones: nothing breaks, and what is documented holds."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.asgi import ASGI_TRANSPORT

from counterfoil.api.app import without_house
from counterfoil.api.openapi import build
from doors.api.caller import Caller

DOCUMENT = build(without_house())
schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SKIPPED = {"/webhooks/stripe/{endpoint}", "/metrics", "/openapi.json", "/docs/errors", "/readyz"}


@pytest.fixture
def real(api: Caller) -> dict[str, str]:
    """Books that are not empty: the id of one object of every noun, by its part of a path."""
    dana = api.customer()
    wallet = api.credits(dana, "100")
    invoice, payment = api.invoice(dana), api.made(f"/v1/invoices/{api.invoice(dana)}/pay")["id"]
    method = api.made("/v1/payment-methods", {"customer": dana, "token": "pm_card_visa"})["id"]
    decision = api.get("/v1/decisions", limit=1).json()["data"][0]
    ids = {"customers": dana, "wallets": wallet, "invoices": invoice, "payments": payment, "payment-methods": method}
    return ids | {"decisions": decision["id"], "provider-events": decision["news"]["id"], "explain": invoice}


@schema.exclude(path_regex="|".join(f"^{path}$" for path in SKIPPED).replace("{endpoint}", ".*")).parametrize()
@seed(20260614)
@settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_sent_the_answer_is_one_that_is_documented(case: Any, api: Caller, real: dict[str, str]) -> None:
    """Invented ids find nothing, so every other request is about something that is there."""
    case.headers = {**(case.headers or {}), **api.authorization, "Prefer": "wait=0"}
    noun = case.path.split("/")[2] if case.path.startswith("/v1/") else ""
    if case.path_parameters and noun in real and next(api.numbers) % 2:
        case.path_parameters["id"] = real[noun]

    response = ASGI_TRANSPORT.send(case, app=api.client.app)

    case.validate_response(response, checks=CHECKS)
