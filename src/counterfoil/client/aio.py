"""The client for asynchronous applications: the scripts of the synchronous one, on asyncio or Trio."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import anyio
import httpx2

from counterfoil.client import scripts, verbs
from counterfoil.client.ambient import Ambient, RealAmbient
from counterfoil.client.backlog import BACKLOG_MAX, Backlog, Told, Unbooked
from counterfoil.client.billing import URL, answer_of, headers
from counterfoil.client.errors import CounterfoilError
from counterfoil.client.exchange import Ask, Broken, Heard, Patience, Pause, Send, exchange
from counterfoil.client.scripts import Desk, IfMore, IfUnsettled, OnUnavailable, Script, Use
from counterfoil.client.values import Balance, CustomerState, Hold, Method, Purchase, Quantity, Spent, Wallet
from counterfoil.client.verbs import SpendRequest, SpendResult

T = TypeVar("T")


class AsyncBilling:
    """Counterfoil, as an application sees it.

    Every request has a key of its own that is kept over its retries, so that nothing is booked twice. Retried is what
    can be: no connection, no answer in time, too many requests, trouble on the other side; with growing pauses, by
    chance, until `patience.deadline_s`. `on_unbooked` hears of every spend that could not be booked at once, and of
    what became of it; without one, the log `counterfoil.client` does.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = URL,
        *,
        patience: Patience | None = None,
        on_unbooked: Told | None = None,
        backlog_max: int = BACKLOG_MAX,
        transport: httpx2.AsyncBaseTransport | None = None,
        ambient: Ambient | None = None,
    ) -> None:
        self._http = httpx2.AsyncClient(base_url=base_url, headers=headers(api_key), transport=transport)
        self._patience, self._ambient = patience or Patience(), ambient or RealAmbient()
        self._desk = Desk(self._ambient, Backlog(backlog_max, on_unbooked))

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """Make a client from COUNTERFOIL_KEY and COUNTERFOIL_URL. Raises KeyError without a key."""
        return cls(os.environ["COUNTERFOIL_KEY"], os.environ.get("COUNTERFOIL_URL", URL), **options)

    # --- spending ---

    def spend(
        self,
        customer: str,
        unit: str,
        estimate: Quantity,
        *,
        feature: str | None = None,
        pools: Sequence[str] = (),
        key: str | None = None,
        on_unavailable: OnUnavailable = "fail_closed",
        if_unsettled: IfUnsettled = "settle_estimate",
        expires_in_s: int | None = None,
    ) -> "AsyncSpend":
        """Hold the estimate while something is done, and settle what it really used.

            async with billing.spend("ext:dana", "credits", "2.5", feature="chat") as spend:
                tokens = await answer()
                await spend.settle(price(tokens))

        Entering raises InsufficientCredits and the other refusals before anything is done. An exception inside
        releases the hold. Leaving without having settled books the estimate, or releases, as `if_unsettled` says.
        When Counterfoil can't be reached, `fail_closed` raises CounterfoilUnavailable; `fail_open` goes on without a
        hold, and keeps what is settled to send it later. `customer` is `cust_…`, `ext:<your id>`, or a wallet; `pools`
        are the plans whose allowances may pay for it, the matching one first, before other credits.
        """
        wanted = SpendRequest(customer, unit, estimate, feature, key, pools=tuple(pools))
        return AsyncSpend(
            self, wanted, on_unavailable=on_unavailable, if_unsettled=if_unsettled, expires_in_s=expires_in_s
        )

    @overload
    async def spend_now(
        self,
        customer: str,
        unit: str,
        amount: Quantity,
        *,
        feature: str | None = None,
        pools: Sequence[str] = (),
        key: str | None = None,
        occurred_at: datetime | None = None,
        on_unavailable: Literal["fail_closed"] = "fail_closed",
    ) -> Spent: ...
    @overload
    async def spend_now(
        self,
        customer: str,
        unit: str,
        amount: Quantity,
        *,
        feature: str | None = None,
        pools: Sequence[str] = (),
        key: str | None = None,
        occurred_at: datetime | None = None,
        on_unavailable: Literal["fail_open"],
    ) -> Spent | Unbooked: ...
    async def spend_now(
        self,
        customer: str,
        unit: str,
        amount: Quantity,
        *,
        feature: str | None = None,
        pools: Sequence[str] = (),
        key: str | None = None,
        occurred_at: datetime | None = None,
        on_unavailable: OnUnavailable = "fail_closed",
    ) -> Spent | Unbooked:
        """Spend at once what was used. Give a `key` of your own, such as a request's id, to be safe over restarts."""
        wanted = SpendRequest(customer, unit, amount, feature, key, occurred_at, tuple(pools))
        return await self._run(scripts.spending(self._desk, wanted, on_unavailable))

    async def spends(self, wanted: Sequence[SpendRequest]) -> tuple[SpendResult, ...]:
        """Spend many at once. Each has its own answer, in order: what was spent, or the refusal, as a value.

        Raises BatchUnavailable, which holds the answers so far and what to send again.
        """
        return await self._run(scripts.spending_many(self._desk, wanted))

    # --- setting the scene ---

    async def declare_unit(self, code: str, scale: int = 6) -> None:
        """Declare a unit that wallets can count, to `scale` decimal places. Doing it again is no change."""
        await self.ask(verbs.declare_unit(code, scale))

    async def sign_up(
        self, external_id: str, unit: str, *, name: str | None = None, email: str | None = None
    ) -> Wallet:
        """Make sure that a customer of yours and its wallet are there, and give the wallet. `ext:<your id>` names the
        customer from then on."""
        return await self._run(scripts.signing_up(external_id, unit, name, email))

    async def grant(self, wallet: str, amount: Quantity, *, key: str, expires_at: datetime | None = None) -> None:
        """Give credits that nobody paid for. `key` names the one reason, such as `welcome-7012`: it happens once."""
        await self.ask(verbs.grant(wallet, amount, key, expires_at))

    # --- reading ---

    async def wallet(self, customer: str, unit: str) -> Wallet | None:
        """Give a customer's wallet in a unit, None when there is none."""
        return next((each for each in await self.wallets(customer) if each.unit == unit), None)

    async def wallets(self, customer: str) -> tuple[Wallet, ...]:
        """Give all wallets of a customer."""
        return await self.ask(verbs.list_wallets(customer))

    async def available(self, customer: str, unit: str) -> Decimal:
        """Give what a customer can spend now; zero without a wallet."""
        found = await self.wallet(customer, unit)
        return found.available if found else Decimal(0)

    async def balance(self, wallet: str, at: datetime | None = None) -> Balance:
        """Give what a wallet held at an instant, now unless told."""
        return await self.ask(verbs.balance(wallet, at))

    async def state(self, customer: str) -> CustomerState:
        """Give everything about a customer: wallets, open invoices, and why spending is stopped, if it is."""
        return await self.ask(verbs.state(customer))

    async def hold(self, identity: str) -> Hold:
        """Give a hold."""
        return await self.ask(verbs.show_hold(identity))

    async def spent(self, identity: str) -> Spent:
        """Give a spend that is in the books."""
        return await self.ask(verbs.show_spend(identity))

    async def explain(self, identity: str) -> Mapping[str, Any]:
        """Say why anything that has an id is what it is."""
        return await self.ask(verbs.explain(identity))

    # --- buying ---

    async def declare_packs(self, packs: Sequence[Mapping[str, Any]]) -> None:
        """Declare what is on sale, with the fields of `POST /v1/packs`. What says nothing new stays as it is."""
        await self.ask(verbs.declare_packs(packs))

    async def save_method(self, customer: str, token: str, *, key: str | None = None) -> Method:
        """Save a payment method that the customer gave to the provider (`pm_…`), as the one to charge from now on.

        Gives it once the provider has said saved or refused, or still pending after some seconds.
        """
        return await self._run(scripts.saving(customer, token, key or self._ambient.new_key()))

    async def purchase(self, customer: str, unit: str, pack: str, *, key: str | None = None, **more: Any) -> Purchase:
        """Buy a pack of credits with the saved payment method. Give a `key` of your own that names this one wish, such
        as the id of a form: a double click buys once.

        A payment that is refused is no error: `status` is then "failed", and `failure` says why. One that is under way
        is "pending"; look again with `show_purchase`. `more` are further fields of `POST /v1/purchases`.
        """
        return await self.ask(verbs.purchase(customer, unit, pack, key or self._ambient.new_key(), more))

    async def show_purchase(self, identity: str) -> Purchase:
        """Give a purchase, and how far it came."""
        return await self.ask(verbs.show_purchase(identity))

    # --- what could not be booked yet ---

    @property
    def unbooked(self) -> tuple[Unbooked, ...]:
        """Give what waits to be sent, the oldest first."""
        return self._desk.backlog.waiting

    async def send_unbooked(self) -> int:
        """Send what waits now. Gives how many were dealt with; what can't be sent still waits."""
        return await self._run(scripts.catching_up(self._desk.backlog))

    async def close(self) -> None:
        """Send what waits, say what is lost, and close the connections."""
        try:
            await self.send_unbooked()
        finally:
            self._desk.backlog.lose_all()
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    # --- how requests are made ---

    async def ask(self, asked: Ask[T]) -> T:
        """Send one request until it is answered."""
        steps = exchange(asked, self._patience, self._ambient)
        heard: Heard = None
        try:
            while True:
                step = steps.send(heard)
                heard = await (self._send(asked, step) if isinstance(step, Send) else anyio.sleep(step.seconds))
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def _send(self, asked: Ask[Any], step: Send) -> Heard:
        try:
            answer = await self._http.request(
                asked.method,
                asked.path,
                json=asked.body,
                params=asked.params or None,
                headers=asked.headers,
                timeout=step.timeout_s,
            )
        except httpx2.RequestError as error:
            return Broken(f"{type(error).__name__}: {error}")
        return answer_of(answer)

    async def _run(self, script: Script[T]) -> T:
        give = script.send
        given: Any = None
        try:
            while True:
                asked = give(given)
                if isinstance(asked, Pause):
                    await anyio.sleep(asked.seconds)
                    give, given = script.send, None
                    continue
                try:
                    give, given = script.send, await self.ask(asked)
                except CounterfoilError as error:
                    give, given = script.throw, error
        except StopIteration as end:
            result: T = end.value
            return result


class AsyncSpend(Use):
    """One use in an `async with` block: settle it with what was used, or release it."""

    def __init__(self, billing: AsyncBilling, wanted: SpendRequest, **policies: Any) -> None:
        super().__init__(billing._desk, wanted, **policies)
        self._billing = billing

    async def settle(self, actual: Quantity, *, if_more: IfMore = "draw") -> Spent | Unbooked | None:
        """Book what was used and free the rest of what was held; 0 books nothing, and gives None.

        More than was held is drawn as any use would be, which raises InsufficientCredits when it is not there; with
        `if_more` "refuse" it raises HoldExceeded. Left unhandled, either books what was held. What can't be sent is
        kept: it is given back as Unbooked when the use fails open, and CounterfoilUnavailable is raised otherwise.
        """
        return await self._shielded(self.settling(actual, if_more))

    async def release(self) -> None:
        """Give the credits back: nothing was used."""
        await self._shielded(self.releasing())

    async def __aenter__(self) -> Self:
        await self._billing._run(self.opening())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._shielded(self.ending(error))

    async def _shielded(self, script: Script[T]) -> T:
        """Play to the end, even when the caller hung up and this task is canceled: credits would stay held."""
        with anyio.CancelScope(shield=True):
            result = await self._billing._run(script)
        return result  # noqa: RET504 -- a scope may swallow, as the type checker sees it
