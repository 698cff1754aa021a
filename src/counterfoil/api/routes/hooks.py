"""Webhooks to host applications: where they go, what became of each, and sending one again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from counterfoil.api import schemas, schemas_hooks
from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.filters import CustomerFilter, Status, words
from counterfoil.api.ids import DeliveryPath, EndpointPath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.requests import NoFields
from counterfoil.api.requests_hooks import NewWebhookEndpoint, Rotation, WebhookEndpointChanges
from counterfoil.core.lifecycle import DeliveryStatus, EndpointStatus
from counterfoil.engine import delivering, hooks
from counterfoil.engine.hooks import Opened, Wish
from counterfoil.engine.looks import look
from counterfoil.providers.addresses import AddressRefused
from counterfoil.store.deliveries import Wanted
from counterfoil.store.pages import Filter

T = TypeVar("T")

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["Webhook endpoints"], route_class=Door)
sent = APIRouter(prefix="/v1/deliveries", tags=["Deliveries"], route_class=Door)

REPLIES: str = "admin"
"""The scope that may see what host applications answered: their text may say what only operators should read."""


@router.post(
    "",
    summary="Open a webhook endpoint",
    response_model=schemas_hooks.OpenedWebhookEndpoint,
    openapi_extra=declare("admin", 409),
)
def create_endpoint(body: NewWebhookEndpoint, call: Asking) -> Response:
    """Opens an endpoint. Its `secret` is shown this once; everything that happens from now on is sent, signed."""
    wish = Wish(body.url, tuple(body.kinds), body.payload, body.schedule, None, body.description)
    try:
        opened = _addressed(lambda: hooks.create(call.house, call.tenant, wish))
    except hooks.TooManyEndpoints as error:
        raise Problem(409, "webhook_endpoints_full") from error
    return _opened(opened)


def _addressed(act: Callable[[], T]) -> T:
    try:
        return act()
    except AddressRefused as error:
        raise Problem(422, "webhook_url_refused", f"url: {error}.", param="url") from error


def _opened(opened: Opened) -> Response:
    return json_response({**opened.view, "secret": opened.secret})


@router.get(
    "",
    summary="List webhook endpoints",
    response_model=schemas.List[schemas_hooks.WebhookEndpoint],
    openapi_extra=declare("read"),
)
def list_endpoints(call: Asking, paging: Paged, status: Status = None) -> Response:
    """Lists endpoints, the newest first, with how much waits to be sent and how much was given up."""
    page, wanted = paging.page("endpoint"), Filter(statuses=words(status, EndpointStatus, "status"))
    rows = look(call.house, call.tenant, lambda tx: hooks.endpoints(tx, call.house, page, wanted))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/{id}",
    summary="Show a webhook endpoint",
    response_model=schemas_hooks.WebhookEndpoint,
    openapi_extra=declare("read", 404),
)
def get_endpoint(identity: EndpointPath, call: Asking) -> Response:
    """Shows an endpoint, without its secrets."""
    endpoint = checked("endpoint", identity)
    return _found(look(call.house, call.tenant, lambda tx: hooks.endpoint(tx, call.house, endpoint)), identity)


@router.patch(
    "/{id}",
    summary="Change a webhook endpoint",
    response_model=schemas_hooks.WebhookEndpoint,
    openapi_extra=declare("admin", 404),
)
def update_endpoint(identity: EndpointPath, body: WebhookEndpointChanges, call: Asking) -> Response:
    """Changes an endpoint, pauses it or lets it go on. One that goes on is sent what it was not told of while it was
    paused; what happened while it was disabled is read by `GET /v1/events`."""
    kinds = None if body.kinds is None else tuple(body.kinds)
    status = None if body.status is None else EndpointStatus(body.status)
    wish = Wish(body.url, kinds, body.payload, body.schedule, status, body.description)
    endpoint = checked("endpoint", identity)
    return _found(_addressed(lambda: hooks.update(call.house, call.tenant, endpoint, wish)), identity)


@router.delete(
    "/{id}",
    summary="Delete a webhook endpoint",
    response_model=schemas_hooks.WebhookEndpoint,
    openapi_extra=declare("admin", 404),
)
def delete_endpoint(identity: EndpointPath, call: Asking) -> Response:
    """Deletes an endpoint and its secrets, for ever. What was sent to it stays on record."""
    return _found(hooks.delete(call.house, call.tenant, checked("endpoint", identity)), identity)


@router.post(
    "/{id}/rotate-secret",
    summary="Give a webhook endpoint a new secret",
    response_model=schemas_hooks.OpenedWebhookEndpoint,
    openapi_extra=declare("admin", 404),
)
def rotate_endpoint_secret(identity: EndpointPath, call: Asking, body: Rotation | None = None) -> Response:
    """Makes a new secret, shown this once. Until the one before ends, each delivery is signed with both."""
    both_valid = timedelta(seconds=(body or Rotation()).both_valid_s)
    opened = hooks.rotate(call.house, call.tenant, checked("endpoint", identity), both_valid)
    if opened is None:
        raise not_found("webhook endpoint", identity)
    return _opened(opened)


@router.post(
    "/{id}/test",
    summary="Send a webhook endpoint a test",
    response_model=schemas_hooks.DeliveryWithTries,
    openapi_extra=declare("admin", 404, 409),
)
def try_endpoint(identity: EndpointPath, call: Asking, body: NoFields | None = None) -> Response:
    """Sends the endpoint an event of its own, `webhook_endpoint.tested`. Look at the delivery for what was answered."""
    try:
        return _found(hooks.send_test(call.house, call.tenant, checked("endpoint", identity)), identity)
    except hooks.EndpointOff as error:
        raise Problem(409, "webhook_endpoint_off") from error


def _found(view: dict[str, object] | None, identity: str, noun: str = "webhook endpoint") -> Response:
    if view is None:
        raise not_found(noun, identity)
    return json_response(view)


@sent.get(
    "",
    summary="List deliveries",
    response_model=schemas.List[schemas_hooks.Delivery],
    openapi_extra=declare("read", 404),
)
def list_deliveries(
    call: Asking,
    paging: Paged,
    endpoint: Annotated[str | None, Query(max_length=300, description="Only those to this endpoint.")] = None,
    event: Annotated[str | None, Query(max_length=300, description="Only those of this event.")] = None,
    status: Status = None,
    customer: CustomerFilter = None,
) -> Response:
    """Lists what was sent and is to be sent, the newest first, each with its last try."""
    wanted = Wanted(
        None if endpoint is None else checked("endpoint", endpoint, "endpoint"),
        None if event is None else checked("event", event, "event"),
        words(status, DeliveryStatus, "status"),
        customer_filter(call, customer),
    )
    page = paging.page("delivery")
    rows = look(call.house, call.tenant, lambda tx: hooks.delivery_page(tx, page, wanted))
    return json_response(listed(rows, paging.limit))


@sent.get(
    "/{id}",
    summary="Show a delivery with its tries",
    response_model=schemas_hooks.DeliveryWithTries,
    openapi_extra=declare("read", 404),
)
def get_delivery(identity: DeliveryPath, call: Asking) -> Response:
    """Shows a delivery: what is sent, byte for byte, and every try of it."""
    delivery, with_replies = checked("delivery", identity), REPLIES in call.caller.scopes
    view = look(call.house, call.tenant, lambda tx: hooks.delivery(tx, delivery, with_replies=with_replies))
    return _found(view, identity, "delivery")


@sent.post(
    "/{id}/replay",
    summary="Send a delivery again",
    response_model=schemas_hooks.DeliveryWithTries,
    openapi_extra=declare("write", 404),
)
def replay_delivery(identity: DeliveryPath, call: Asking, body: NoFields | None = None) -> Response:
    """Sends a delivery again, whatever became of it: the same event under the same `webhook-id`, so that a receiver who
    took it before knows it. A paused endpoint gets it when it goes on."""
    delivery, with_replies = checked("delivery", identity), REPLIES in call.caller.scopes
    delivering.replay(call.house, call.tenant, delivery)
    view = look(call.house, call.tenant, lambda tx: hooks.delivery(tx, delivery, with_replies=with_replies))
    return _found(view, identity, "delivery")
