"""Takes webhooks in: checked over the exact bytes, stored before the answer, decided later by a worker.

Nothing of a body is trusted before its signature is. What is accepted is in the database before the sender hears so.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Final, TypeAlias

from counterfoil.core.facts import Notice, Source
from counterfoil.engine.apply import enqueue_news
from counterfoil.engine.house import House
from counterfoil.engine.lanes import Lane, Limits, Waiting, pending
from counterfoil.engine.upkeep import Growth, look_again
from counterfoil.providers.port import NoticeRefused
from counterfoil.store import accounts, inbox
from counterfoil.store.accounts import Endpoint
from counterfoil.store.database import Tx
from counterfoil.store.inbox import News
from counterfoil.store.upkeep import TAKEN_IN

BODY_MAX: Final = 1024 * 1024
"""The largest body that is read, in bytes."""
ENDPOINT_AGE_MAX_S: Final = 1.0
"""How long an endpoint may be remembered: a secret that was rotated or revoked stops counting within this time."""
ENDPOINTS_MAX: Final = 1024
LANE_THREADS: Final = 4


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


@dataclass(frozen=True, slots=True)
class Checked:
    """A webhook whose signature is right: where it came in, what it says, and its exact bytes."""

    endpoint: Endpoint
    notice: Notice
    body: bytes


BUSY: Final = Rejected(503, "intake_busy", "Too many webhooks wait to be stored; send this one again later.")


def accept(house: House, slug: str, headers: Mapping[str, str], body: bytes) -> Accepted | Rejected:
    """Check and store one webhook by itself. Two reads to find the endpoint, one transaction to store."""
    if len(body) > BODY_MAX:
        return too_large()
    endpoint = find_endpoint(house, slug)
    checked = check(house, endpoint, headers, body) if endpoint else unknown(slug)
    if isinstance(checked, Rejected):
        return checked
    notice, account = checked.notice, checked.endpoint.account
    return house.transact(checked.endpoint.tenant, lambda tx: store(tx, house, account, notice, body, Source.WEBHOOK))


def too_large() -> Rejected:
    """Refuse a body without reading it."""
    return Rejected(413, "webhook_too_large", f"The body is larger than {BODY_MAX} bytes.")


def unknown(slug: str) -> Rejected:
    """Refuse a path that is nobody's."""
    return Rejected(404, "webhook_endpoint_unknown", f"There is no webhook endpoint {slug!r}.")


def check(house: House, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Checked | Rejected:
    """Check the signature over the exact bytes and read the event. Touches no database."""
    try:
        notice = house.providers.verify(body, headers, endpoint.secrets, house.clock.wall())
    except NoticeRefused as refused:
        return Rejected(400, refused.code, str(refused) or str(type(refused).__doc__))
    return Checked(endpoint, notice, body)


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
    news = news_of(house, account, notice, body, source)
    identity, new = enqueue_news(tx, news, news.received_at)
    return Accepted(identity, new)


def store_all(tx: Tx, news: Sequence[News]) -> list[Accepted]:
    """Store webhooks and make them due, in one statement; the same one twice among them is one row."""
    return [Accepted(identity, new) for identity, new in inbox.put_all(tx, news)]


def news_of(house: House, account: str, notice: Notice, body: bytes, source: Source) -> News:
    """Give a notice as the inbox takes it. The provider's event makes it itself."""
    mode = "live" if notice.livemode else "test"
    return News(
        id=house.new_id("inbox"),
        source=source,
        kind=notice.kind,
        identity=f"event:{account}:{notice.connected_account or ''}:{mode}:{notice.provider_event}",
        occurred_at=notice.occurred_at,
        received_at=house.clock.now(),
        account=account,
        subject_kind=notice.subject_kind,
        subject_ref=notice.subject_ref,
        detail=notice,
        body=body,
    )


class Endpoints:
    """Remembers endpoints for a moment, so that not every webhook costs two reads and a decryption.

    Only those that exist are remembered: a new endpoint counts at once.
    """

    def __init__(self, house: House, ticks: Callable[[], float]) -> None:
        self._house = house
        self._ticks = ticks
        self._held: dict[str, tuple[float, Endpoint]] = {}

    def fresh(self, slug: str) -> Endpoint | None:
        """Give an endpoint that was read a moment ago, None when it has to be read. Touches no database."""
        held = self._held.get(slug)
        return held[1] if held and self._ticks() - held[0] < ENDPOINT_AGE_MAX_S else None

    def find_all(self, slugs: Sequence[str]) -> list[Endpoint | None]:
        """Give endpoints, each read once, and None where there is none."""
        found = {slug: self._find(slug) for slug in set(slugs)}
        return [found[slug] for slug in slugs]

    def _find(self, slug: str) -> Endpoint | None:
        # The age counts from before the read, so that nothing older than the bound is ever used.
        asked_at = self._ticks()
        found = find_endpoint(self._house, slug)
        if len(self._held) >= ENDPOINTS_MAX:
            self._held.clear()
        if found is None:
            self._held.pop(slug, None)
        else:
            self._held[slug] = (asked_at, found)
        return found


Answered: TypeAlias = "Future[Accepted | Rejected]"


class IntakeLane:
    """Takes webhooks in for as long as a door is open; those that arrive together share one commit, per tenant.

    Behaves like `accept` for each of them. Close it, or leave its `with` block, to finish what has been taken in.
    """

    def __init__(self, house: House, *, limits: Limits | None = None, ticks: Callable[[], float] = monotonic) -> None:
        self._house = house
        self._limits = limits or Limits()
        self._endpoints = Endpoints(house, ticks)
        self._finder = ThreadPoolExecutor(1, thread_name_prefix="intake-finder")
        self._writers = ThreadPoolExecutor(LANE_THREADS, thread_name_prefix="intake-writer")
        self._finding = Lane(self._endpoints.find_all, self._finder, self._limits)
        self._growth = Growth()
        self._opening = Lock()
        self._lanes: dict[str, Lane[Checked, Accepted | Rejected]] = {}

    def accept(self, slug: str, headers: Mapping[str, str], body: bytes) -> Accepted | Rejected:
        """Check and store one webhook, and wait for its commit. Raises DatabaseUnavailable."""
        return self.submit(slug, headers, body).result()

    def submit(self, slug: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Check one webhook and have it stored. Never waits for the database, so an event loop may call it.

        The future is done after the commit; it can't be cancelled.
        """
        if len(body) > BODY_MAX:
            return _known(too_large())
        endpoint = self._endpoints.fresh(slug)
        answer: Answered = pending()
        if endpoint is not None:
            self._check_in(endpoint, headers, body, answer)
            return answer
        found: Future[Endpoint | None] = pending()
        found.add_done_callback(lambda found: self._go_on(found, slug, headers, body, answer))
        return answer if self._finding.put(Waiting(slug, 0, found)) else _known(BUSY)

    def close(self) -> None:
        """Store what has been taken in, answer it, and take in nothing more."""
        self._finder.shutdown(wait=True)
        self._writers.shutdown(wait=True)

    def __enter__(self) -> "IntakeLane":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _go_on(
        self, found: "Future[Endpoint | None]", slug: str, headers: Mapping[str, str], body: bytes, answer: Answered
    ) -> None:
        try:
            endpoint = found.result()
            if endpoint is None:
                answer.set_result(unknown(slug))
            else:
                self._check_in(endpoint, headers, body, answer)
        except Exception as error:
            # The caller waits in another thread: it is told there, whatever it is.
            answer.set_exception(error)

    def _check_in(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes, answer: Answered) -> None:
        checked = check(self._house, endpoint, headers, body)
        if isinstance(checked, Rejected):
            answer.set_result(checked)
        elif not self._lane(endpoint.tenant).put(Waiting(checked, len(body), answer)):
            answer.set_result(BUSY)

    def _lane(self, tenant: str) -> "Lane[Checked, Accepted | Rejected]":
        """Give the tenant's lane: one database transaction touches one tenant."""
        with self._opening:
            if tenant not in self._lanes:
                self._lanes[tenant] = Lane(lambda batch: self._store(tenant, batch), self._writers, self._limits)
            return self._lanes[tenant]

    def _store(self, tenant: str, batch: Sequence[Checked]) -> Sequence[Accepted | Rejected]:
        news = [news_of(self._house, each.endpoint.account, each.notice, each.body, Source.WEBHOOK) for each in batch]
        stored = self._house.transact(tenant, lambda tx: store_all(tx, news))
        if self._growth.note(len(batch)):
            with suppress(RuntimeError):  # The lane is closing; what was stored is stored.
                self._writers.submit(look_again, self._house, TAKEN_IN)
        return stored


def _known(answer: Accepted | Rejected) -> Answered:
    known: Answered = pending()
    known.set_result(answer)
    return known
