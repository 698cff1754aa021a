"""The OpenAPI 3.1 document: what the routes say about themselves, and what holds for all of them, said once."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from fastapi import FastAPI

import counterfoil
from counterfoil.api.door import ERRORS, MOVES_MONEY
from counterfoil.api.examples import EXAMPLES, LISTED
from counterfoil.api.openapi_machines import machine_routes
from counterfoil.api.schemas import Preview, ProblemDocument
from counterfoil.api.schemas_spending import HoldAnswers, SpendAnswers

Doc = dict[str, Any]

DESCRIPTION: Final = """\
Settles invoices and prepaid credits on top of Stripe, exactly once, and can tell you why any number is what it is.

Money is `{amount, currency, formatted}` with `amount` in minor units; credits are decimal strings with their unit;
times are RFC 3339 in UTC. Lists give `{data, next_cursor}`. Every error is a problem document (RFC 9457) whose `type`
is a page that says what to do. Requests that can move money need an `Idempotency-Key`; with `dry_run=true` they only
say what they would do.
"""
WORDS: Final = {
    400: "The request can't be read, or lacks its Idempotency-Key.",
    401: "The API key is missing or unknown.",
    402: "The payment was refused, or can't be collected.",
    403: "The API key lacks the scope that this needs.",
    404: "There is no such object, or it is somebody else's.",
    409: "It clashes with what is on the books or under way.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A value is not accepted, or a rule refused the command.",
    503: "The database can't be reached; nothing was lost.",
}
CODES: Final = {
    400: "json_invalid",
    401: "api_key_unknown",
    402: "no_payment_method",
    403: "scope_missing",
    404: "not_found",
    409: "payment_in_progress",
    413: "body_too_large",
    415: "content_type_not_json",
    422: "invalid_request",
    503: "database_unavailable",
}
REQUEST_ID: Final = {"Request-Id": {"description": "Finds this request in the log.", "schema": {"type": "string"}}}
REPLAYED: Final = {
    "Idempotency-Replayed": {
        "description": "`true` when this answer was given before to the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
TAGS: Final = (
    ("Customers", "Who pays."),
    ("Messages", "What is written to people, and when refused payments are tried again."),
    ("Payment methods", "Saved ways to pay; the card itself stays at the provider."),
    ("Wallets", "Prepaid credits, in lots."),
    ("Spends", "Uses, paid for from wallets, one by one or a thousand at once."),
    ("Units", "What wallets count."),
    ("Invoices", "What customers owe."),
    ("Months", "Month end: trial balance, roll-forward, closing."),
    ("Documents", "Invoices and receipts as they were given out, who sells, and the series of their numbers."),
    ("Payments", "Attempts to collect invoices, in legs: credits first, the provider for the rest."),
    ("Disputes", "Payments that their payers contest, what is held for them, and how they end."),
    ("Provider events", "What the provider sent, and what was decided about it."),
    ("Decisions", "Every decision with its reason, those without an effect too."),
    ("Events", "What happened here, in order, to be pulled."),
    ("Webhook endpoints", "Where your applications are told of events."),
    ("Deliveries", "What they were told, try by try, and sending it again."),
    ("Cases", "Questions for a person."),
    ("Reconciliation", "Runs that compare the provider with the books."),
    ("Explain", "Why a number is what it is."),
    ("Test mode", "Moves time."),
    ("Webhooks", "Where the provider's events come in."),
    ("Operation", "Health and metrics."),
)


def document(app: FastAPI) -> str:
    """Write the document. It is made once per application."""
    if not hasattr(app.state, "openapi"):
        app.state.openapi = json.dumps(build(app), indent=2, ensure_ascii=False) + "\n"
    written: str = app.state.openapi
    return written


def build(app: FastAPI) -> Doc:
    """Build the document."""
    doc = deepcopy(app.openapi())
    doc["info"] = {
        "title": "Counterfoil",
        "version": counterfoil.__version__,
        "description": DESCRIPTION,
        "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    }
    doc["servers"] = [{"url": "/"}]
    doc["tags"] = [{"name": name, "description": text} for name, text in TAGS]
    schemas = doc["components"]["schemas"]
    for model in (ProblemDocument, Preview, SpendAnswers, HoldAnswers):
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= described.pop("$defs", {})
        schemas[model.__name__] = described
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    doc["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `cfk_…`. Scopes are per key."}
    }
    for method, operation in operations(doc):
        _complete(method, operation)
    for path, methods in BARE.items():
        doc["paths"][path] = {**methods, **doc["paths"].get(path, {})}
    return doc


def operations(doc: Doc) -> Iterator[tuple[str, Doc]]:
    """Give every operation with its HTTP method."""
    for path in doc["paths"].values():
        yield from path.items()


def _complete(method: str, operation: Doc) -> None:
    """Say what holds for every route of authenticated callers."""
    operation["security"] = [{"key": []}]
    responses = operation["responses"]
    responses.pop("422", None)
    for response in responses.values():
        _exemplify(response)
    if any(each["name"] == "dry_run" for each in operation.get("parameters", ())):
        _as_command(operation)
    bodied = (400, 413, 415) if method in ("post", "patch") else (400,)
    for status in sorted({401, 403, 422, 503, *bodied, *operation.pop(ERRORS)}):
        responses.setdefault(str(status), _problem(status))
    for response in responses.values():
        response.setdefault("headers", {}).update(REQUEST_ID)


def _exemplify(response: Doc) -> None:
    for content in response.get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        example = EXAMPLES.get(name) or LISTED.get(name)
        if example:
            content["example"] = example


def _as_command(operation: Doc) -> None:
    """Say that a command may be a dry run, may replay, and, when it waits for a payment, may be answered early."""
    responses = operation["responses"]
    status, response = next(iter(responses.items()))
    response["headers"] = dict(REPLAYED)
    real = response["content"]["application/json"]
    if real["schema"]["$ref"].endswith("/Payment"):
        early = deepcopy(response)
        early["description"] = "The payment is under way, or waits for its customer. Look again at `Location`."
        early["headers"]["Location"] = {"description": "The payment.", "schema": {"type": "string"}}
        early["content"]["application/json"]["example"] = {**EXAMPLES["Payment"], "status": "processing"}
        responses["202"] = early
        refused = _problem(402)
        refused["content"]["application/json"] = deepcopy(real)
        responses["402"] = refused
    preview = {"$ref": "#/components/schemas/Preview"}
    if status == "200":
        real["schema"] = {"anyOf": [real["schema"], preview]}
    else:
        responses["200"] = {
            "description": "With `dry_run=true`: what would happen.",
            "content": {"application/json": {"schema": preview, "example": EXAMPLES["Preview"]}},
        }
    if operation.get(MOVES_MONEY):
        next(each for each in operation["parameters"] if each["name"] == "Idempotency-Key")["required"] = True


def _problem(status: int) -> Doc:
    code = CODES[status]
    example = {
        "type": f"/docs/errors#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": WORDS[status],
        "retryable": status == 503,
        "request_id": "req_01h455vb4pex5vsknk084sn02q",
    }
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        "description": WORDS[status],
        "content": {"application/problem+json": {"schema": schema, "example": example}},
    }


def _plain(tag: str, name: str, summary: str, media_type: str, example: Any, *errors: int) -> Doc:
    """Describe a bare route that is read."""
    content = {media_type: {"schema": {"type": "object" if "json" in media_type else "string"}, "example": example}}
    responses: Doc = {"200": {"description": summary, "content": content, "headers": REQUEST_ID}}
    for status in errors:
        responses[str(status)] = {**_problem(status), "headers": REQUEST_ID}
    return {"tags": [tag], "operationId": name, "summary": summary, "security": [], "responses": responses}


def _webhook() -> Doc:
    operation = _plain(
        "Webhooks",
        "receive_webhook",
        "Receive an event of the provider",
        "application/json",
        {"id": "pevt_01h455vb4pex5vsknk084sn02q", "received": True},
        *(400, 404, 413, 503),
    )
    operation["description"] = (
        "Checks the signature over the exact bytes and stores the event before it answers. The same event twice is "
        "stored once."
    )
    event = {"id": "evt_1PqTxU", "object": "event", "type": "payment_intent.succeeded"}
    operation["parameters"] = [
        {
            "name": "endpoint",
            "in": "path",
            "required": True,
            "description": "The endpoint's name; `default` is the first one.",
            "schema": {"type": "string"},
            "example": "default",
        },
        {
            "name": "Stripe-Signature",
            "in": "header",
            "required": True,
            "schema": {"type": "string"},
            "example": "t=1781409600,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
        },
    ]
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": event}},
    }
    return operation


def _readiness() -> Doc:
    unready = {"status": "unavailable", "database": "unreachable", "migrations": "unknown"}
    operation = _plain("Operation", "ready", "Say whether it can do its work", "application/json", {"status": "ok"})
    operation["responses"]["503"] = {
        "description": "The database can't be reached, or lacks migrations.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": unready}},
        "headers": REQUEST_ID,
    }
    return operation


BARE: Final[Doc] = {
    **machine_routes(_problem, REQUEST_ID, REPLAYED),
    "/webhooks/stripe/{endpoint}": {"post": _webhook()},
    "/healthz": {
        "get": _plain("Operation", "live", "Say that the process lives", "application/json", {"status": "ok"})
    },
    "/readyz": {"get": _readiness()},
    "/metrics": {
        "get": _plain(
            "Operation", "metrics", "Give metrics for Prometheus", "text/plain", "counterfoil_database_up 1.0"
        )
    },
    "/openapi.json": {
        "get": _plain("Operation", "openapi", "Give this document", "application/json", {"openapi": "3.1.0"})
    },
    "/docs/errors": {
        "get": _plain("Operation", "errors", "Show what every error means", "text/html", "<!doctype html>…")
    },
}
