"""Takes webhooks in: checked over the exact bytes, stored before the answer, decided later by a worker.

Nothing of a body is trusted before its signature is. What is accepted is in the database before the sender hears so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from counterfoil.core.facts import Notice, Source
from counterfoil.engine.apply import enqueue_news
from counterfoil.engine.house import House
from counterfoil.providers.port import NoticeRefused
from counterfoil.store import accounts
from counterfoil.store.accounts import Endpoint
from counterfoil.store.database import Tx
from counterfoil.store.inbox import News

BODY_MAX: Final = 1024 * 1024
"""The largest body that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The news is stored. `new` is False when it had been stored before."""

    inbox: str
    new: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was stored. `status` and `code` say why."""

    status: int
    code: str
    detail: str


def accept(house: House, slug: str, headers: Mapping[str, str], body: bytes) -> Accepted | Rejected:
    """Check and store one webhook. Two transactions: one to find the endpoint, one to store."""
    if len(body) > BODY_MAX:
        return Rejected(413, "webhook_too_large", f"The body is larger than {BODY_MAX} bytes.")
    endpoint = find_endpoint(house, slug)
    if endpoint is None:
        return Rejected(404, "webhook_endpoint_unknown", f"There is no webhook endpoint {slug!r}.")
    try:
        notice = house.providers.verify(body, headers, endpoint.secrets, house.clock.wall())
    except NoticeRefused as refused:
        return Rejected(400, refused.code, str(refused) or str(type(refused).__doc__))
    return house.transact(endpoint.tenant, lambda tx: store(tx, house, endpoint.account, notice, body, Source.WEBHOOK))


def find_endpoint(house: House, slug: str) -> Endpoint | None:
    """Find the endpoint a webhook's path names."""
    with house.database.claims() as tx:
        tenant = accounts.route(tx, slug)
    if tenant is None:
        return None
    with house.database.transaction(tenant) as tx:
        return accounts.endpoint(tx, house.box, slug)


def store(tx: Tx, house: House, account: str, notice: Notice, body: bytes, source: Source) -> Accepted:
    """Store a notice once, whichever way and however often it came, and make it due."""
    now = house.clock.now()
    mode = "live" if notice.livemode else "test"
    news = News(
        id=house.new_id("inbox"),
        source=source,
        kind=notice.kind,
        identity=f"event:{account}:{notice.connected_account or ''}:{mode}:{notice.provider_event}",
        occurred_at=notice.occurred_at,
        received_at=now,
        account=account,
        subject_kind=notice.subject_kind,
        subject_ref=notice.subject_ref,
        detail=notice,
        body=body,
    )
    identity, new = enqueue_news(tx, news, now)
    return Accepted(identity, new)
