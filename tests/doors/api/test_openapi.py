"""The OpenAPI document: it is committed, it is what the application serves, and it leaves nothing out."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Route
from starlette.testclient import TestClient

from counterfoil.api import (
    schemas,
    schemas_checks,
    schemas_collecting,
    schemas_disputes,
    schemas_hooks,
    schemas_messages,
    schemas_orders,
    schemas_papers,
    schemas_refunds,
    schemas_spending,
)
from counterfoil.api.app import ROUTERS, without_house
from counterfoil.api.examples import EXAMPLES
from counterfoil.api.openapi import build, document, operations

DOCUMENT = build(without_house())
OPERATIONS = [(operation["operationId"], operation) for _, operation in operations(DOCUMENT)]
COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_committed_document_is_the_one_that_is_served(client: TestClient) -> None:
    """When this fails: .venv/bin/python docs/generate.py"""
    served = client.get("/openapi.json").text

    assert served == document(without_house())
    assert COMMITTED.read_text() == served


def test_every_route_is_described_and_nothing_else_is() -> None:
    bare = [each for each in without_house().routes if isinstance(each, Route) and not isinstance(each, APIRoute)]
    routes = [*bare, *(each for router in ROUTERS for each in router.routes if isinstance(each, Route))]
    served = {(each.path, method.lower()) for each in routes for method in (each.methods or set()) - {"HEAD"}}

    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}

    assert described == served


def test_the_document_is_of_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_every_operation_says_what_it_is_for_and_how_it_fails(name: str, operation: dict[str, Any]) -> None:
    assert operation["tags"]
    assert operation["summary"]
    if operation["security"]:
        assert operation["description"]
        assert operation["x-scope"] in {"read", "write", "admin", "refund", "fix", "spend"}
        assert {"401", "403", "422", "503"} <= set(operation["responses"])
    for status, response in operation["responses"].items():
        assert response["description"]
        assert "Request-Id" in response["headers"], (name, status)


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_every_operation_shows_examples(name: str, operation: dict[str, Any]) -> None:
    body = operation.get("requestBody")
    contents = [content for response in operation["responses"].values() for content in response["content"].values()]
    for content in contents:
        assert "example" in content or "anyOf" in content["schema"], name
    if body:
        content = body["content"]["application/json"]
        assert "example" in content or examples_of(content["schema"]), name


def examples_of(schema: dict[str, Any]) -> bool:
    """Whether a body's schema has examples, also where the body may be left out. One without fields needs none."""
    refs = [each["$ref"] for each in (schema, *schema.get("anyOf", ())) if "$ref" in each]
    named = [DOCUMENT["components"]["schemas"][ref.rpartition("/")[2]] for ref in refs]
    return any(each.get("examples") or not each.get("properties") for each in named)


ROOMS = (
    *(schemas, schemas_checks, schemas_spending, schemas_collecting, schemas_papers, schemas_hooks, schemas_orders),
    schemas_refunds,
    schemas_disputes,
    schemas_messages,
)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_example_fits_its_schema(name: str) -> None:
    model: type[BaseModel] = next(found for room in ROOMS if (found := getattr(room, name, None)))

    model.model_validate(EXAMPLES[name], strict=True)


def test_what_moves_money_is_documented_to_need_a_key() -> None:
    required = {
        operation["operationId"]
        for _, operation in operations(DOCUMENT)
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key" and parameter["required"]
    }

    assert required == {
        "close_month",
        "correct_spend",
        "create_grant",
        "forgive_debt",
        "void_grant",
        "finalize_invoice",
        "pay_invoice",
        "void_invoice",
        "write_off_invoice",
        "record_payment",
        "create_payment",
        "cancel_payment",
        "create_purchase",
        "authorize_purchase",
        "settle_purchase",
        "cancel_purchase",
        "void_purchase",
        "create_pending_line",
        "cancel_pending_line",
        "set_auto_topup",
        "stop_auto_topup",
        "refund_payment",
        "refund_purchase",
    }
