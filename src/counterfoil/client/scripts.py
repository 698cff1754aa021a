"""What happens on the way from a use to its booking, written once for both clients: generators that yield requests
and pauses.

Whoever plays a script sends what it yields, hands the answer back, and throws the error in when there is none.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from counterfoil.client import verbs
from counterfoil.client.ambient import Ambient
from counterfoil.client.backlog import Backlog, Fate, Unbooked, log
from counterfoil.client.errors import (
    BatchUnavailable,
    CounterfoilError,
    CounterfoilUnavailable,
    HoldNotOpen,
    NotFound,
    Refused,
    SpendClosed,
)
from counterfoil.client.exchange import Ask, Patience, Pause
from counterfoil.client.values import Hold, Method, Quantity, Spent, Wallet, quantity_text
from counterfoil.client.verbs import BATCH_MAX, SpendRequest, SpendResult

T = TypeVar("T")
Script = Generator[Ask[Any] | Pause, Any, T]

OnUnavailable = Literal["fail_closed", "fail_open"]
IfMore = Literal["draw", "refuse"]
IfUnsettled = Literal["settle_estimate", "release"]
CHOICES: Final = {
    "on_unavailable": ("fail_closed", "fail_open"),
    "if_more": ("draw", "refuse"),
    "if_unsettled": ("settle_estimate", "release"),
}


BRIEFLY: Final = Patience(deadline_s=2.0, timeout_s=2.0, tries_max=1)
"""What a request that went well spends at most on sending what waited before it."""


def check_choice(name: str, value: str) -> None:
    """Refuse a policy that does not exist: a typo must not decide who may spend."""
    if value not in CHOICES[name]:
        raise ValueError(f"{name} is one of {', '.join(CHOICES[name])}, not {value!r}")


@dataclass(frozen=True, slots=True)
class Desk:
    """What all scripts of one client share."""

    ambient: Ambient
    backlog: Backlog


class Use:
    """One use: what it may cost, the hold that covers it, and how it ended.

    `hold` is None before it is opened, and stays so when Counterfoil could not be reached and the use failed open.
    """

    def __init__(
        self,
        desk: Desk,
        wanted: SpendRequest,
        *,
        on_unavailable: OnUnavailable,
        if_unsettled: IfUnsettled,
        expires_in_s: int | None,
    ) -> None:
        check_choice("on_unavailable", on_unavailable)
        check_choice("if_unsettled", if_unsettled)
        self._desk, self.wanted = desk, wanted.keyed(desk.ambient.new_key())
        self._fails_open = on_unavailable == "fail_open"
        self._if_unsettled, self._expires_in_s = if_unsettled, expires_in_s
        self.hold: Hold | None = None
        self.spent: Spent | None = None
        self.unbooked: Unbooked | None = None
        self._outcome: str | None = None
        self._unreachable: CounterfoilUnavailable | None = None
        self._overrun: Refused | None = None

    @property
    def key(self) -> str:
        """Give the key of this use, one for all tries."""
        assert self.wanted.key
        return self.wanted.key

    @property
    def is_open(self) -> bool:
        """Say whether it was neither settled nor released yet."""
        return self._outcome is None

    def opening(self) -> Script[None]:
        """Hold the estimate. Raises Refused; when nothing answers, goes on without a hold if it fails open."""
        wanted = self.wanted
        asked = verbs.hold(wanted, self.key, self._expires_in_s)
        try:
            self.hold = yield asked
        except CounterfoilUnavailable as error:
            if not self._fails_open:
                raise
            log.warning("no hold for %s, going on without one: %s", self.key, error)
            self._unreachable = error

    def settling(self, actual: Quantity, if_more: IfMore = "draw") -> Script[Spent | Unbooked | None]:
        """Book what was used, nothing at all if that is 0. The same amount again gives the same answer; another one
        raises SpendClosed.

        What can't be sent is kept and sent later. It is given back when the use fails open, and raised otherwise.
        """
        check_choice("if_more", if_more)
        amount = quantity_text(actual)
        if self._outcome == amount:
            return self.spent or self.unbooked
        if self._outcome is not None:
            raise SpendClosed(f"{self.key} is closed already ({self._outcome}), so it can't be settled with {amount}")
        if self.hold is None:
            assert self._unreachable, "a use without a hold is one that failed open"
            return self._keep(amount, f"{self.key}:unheld", self._unreachable)
        try:
            self.spent = yield from self._booking(self.hold, amount, if_more)
        except CounterfoilUnavailable as error:
            kept = self._keep(amount, f"{self.key}:settle", error)
            if self._fails_open:
                return kept
            error.add_note(f"Counterfoil: {amount} of {self.key} is kept, and sent when it can be reached again.")
            raise
        except Refused as error:
            self._overrun = error
            raise
        self._outcome = amount
        yield from _catching_up_briefly(self._desk.backlog)
        return self.spent

    def _booking(self, hold: Hold, amount: str, if_more: IfMore) -> Script[Spent | None]:
        """Settle the hold. When it ran out while the use went on, what was used is a spend of its own."""
        try:
            self.hold = yield verbs.settle(hold.id, amount, f"{self.key}:settle", if_more)
        except HoldNotOpen:
            log.warning("hold %s of %s ran out before it was settled", hold.id, self.key)
            spent: Spent = yield verbs.spend(replace(self.wanted, amount=amount, key=f"{self.key}:settle:late"))
            return spent
        return self.hold.spent

    def releasing(self) -> Script[None]:
        """Give the hold back: nothing was used. Doing it again is no change."""
        if self._outcome == "released":
            return
        if self._outcome is not None:
            raise SpendClosed(f"{self.key} is settled already, so it can't be released")
        if self.hold is not None:
            self.hold = yield verbs.release(self.hold.id, f"{self.key}:release")
        self._outcome = "released"

    def ending(self, failure: BaseException | None) -> Script[None]:
        """End what the application left open: release after a failure, else do what was chosen."""
        if not self.is_open:
            return
        if failure is not None:
            yield from self._abandoning(failure)
        elif self._if_unsettled == "settle_estimate":
            log.warning("%s was not settled, so its estimate of %s is booked", self.key, self.wanted.amount)
            yield from self.settling(self.wanted.amount)
        else:
            log.warning("%s was not settled, so it is released", self.key)
            yield from self.releasing()

    def _abandoning(self, failure: BaseException) -> Script[None]:
        """Release after a failure, and say on the failure what became of the credits. Never hides it.

        When the failure is that more was used than could be booked, the use happened, and what was held is booked.
        """
        try:
            if failure is self._overrun and self.hold is not None:
                yield from self.settling(self.hold.amount)
                failure.add_note(f"Counterfoil: booked the {self.hold.amount} that were held.")
                return
            yield from self.releasing()
            note = "nothing was spent" if self.hold is None else f"released {self.hold.id}, nothing was spent"
        except CounterfoilError as error:
            note = f"could not release {self.hold.id if self.hold else self.key}, it will expire by itself: {error}"
        failure.add_note(f"Counterfoil: {note}.")
        log.info("%s: %s", self.key, note)

    def _keep(self, amount: str, key: str, error: CounterfoilUnavailable) -> Unbooked:
        wanted, hold = self.wanted, self.hold.id if self.hold else None
        spend = _unbooked(self._desk, wanted, amount, key, hold, error)
        kept = self._desk.backlog.keep(spend)
        if kept.fate is Fate.LOST:
            raise error
        self.unbooked, self._outcome = kept, amount
        return kept


def _unbooked(
    desk: Desk, wanted: SpendRequest, amount: str, key: str, hold: str | None, error: CounterfoilUnavailable
) -> Unbooked:
    when = wanted.occurred_at or desk.ambient.now()
    return Unbooked(
        key, wanted.customer, wanted.unit, amount, wanted.feature, when, hold, Fate.WAITING, error, wanted.pools
    )


TAKEN: Final = frozenset({"external_id_taken", "wallet_exists"})
"""What is answered when it was made before: by somebody quicker, or by a try whose answer was lost."""


def signing_up(external_id: str, unit: str, name: str | None, email: str | None) -> Script[Wallet]:
    """Make sure that a customer and its wallet are there. Doing it again is no change."""
    customer = f"ext:{external_id}"
    try:
        wallets: tuple[Wallet, ...] = yield verbs.list_wallets(customer)
    except NotFound:
        try:
            yield verbs.create_customer(external_id, name, email)
        except Refused as error:
            if error.code not in TAKEN:
                raise
        wallets = ()
    found = next((each for each in wallets if each.unit == unit), None)
    if found is not None:
        return found
    try:
        opened: Wallet = yield verbs.open_wallet(customer, unit)
    except Refused as error:
        if error.code not in TAKEN:
            raise
        wallets = yield verbs.list_wallets(customer)
        return next(each for each in wallets if each.unit == unit)
    return opened


def saving(customer: str, token: str, key: str) -> Script[Method]:
    """Save a payment method, and wait a while for the provider to say that it is saved or refused."""
    method: Method = yield verbs.save_method(customer, token, key)
    for seconds in LOOKS_S:
        if method.status != "pending":
            break
        yield Pause(seconds)
        method = yield verbs.show_method(method.id)
    return method


LOOKS_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0)
"""The pauses between looks at what is under way."""


def spending(desk: Desk, wanted: SpendRequest, on_unavailable: OnUnavailable) -> Script[Spent | Unbooked]:
    """Spend at once, without a hold."""
    check_choice("on_unavailable", on_unavailable)
    wanted = wanted.keyed(desk.ambient.new_key())
    assert wanted.key
    try:
        spent: Spent = yield verbs.spend(wanted)
    except CounterfoilUnavailable as error:
        if on_unavailable == "fail_closed":
            raise
        kept = desk.backlog.keep(_unbooked(desk, wanted, quantity_text(wanted.amount), wanted.key, None, error))
        if kept.fate is Fate.LOST:
            raise
        return kept
    yield from _catching_up_briefly(desk.backlog)
    return spent


def spending_many(desk: Desk, wanted: Sequence[SpendRequest]) -> Script[tuple[SpendResult, ...]]:
    """Spend many, in batches of 1,000; each has its own answer, in order. Raises BatchUnavailable.

    A spend that was turned away only because too many came at once has `retryable` set, and is sent once more.
    """
    keyed = [each.keyed(desk.ambient.new_key()) for each in wanted]
    results: list[SpendResult] = []
    for start in range(0, len(keyed), BATCH_MAX):
        batch = keyed[start : start + BATCH_MAX]
        try:
            answers = list((yield verbs.spends(batch)))
            late = [index for index, each in enumerate(answers) if _may_pass(each)]
            again = (yield verbs.spends([batch[index] for index in late])) if late else ()
        except CounterfoilUnavailable as error:
            raise BatchUnavailable(error, tuple(results), tuple(keyed[start:])) from error
        for index, answer in zip(late, again, strict=True):
            answers[index] = answer
        results += answers
    return tuple(results)


def _may_pass(result: SpendResult) -> bool:
    return isinstance(result, Refused) and result.retryable


def _catching_up_briefly(backlog: Backlog) -> Script[None]:
    """Use the good moment, in which Counterfoil answers, to send what waits."""
    if len(backlog):
        yield from catching_up(backlog, BRIEFLY)


def catching_up(backlog: Backlog, patience: Patience | None = None) -> Script[int]:
    """Send what waits, the oldest first, until nothing waits or nothing answers. Gives how many were dealt with."""
    done = 0
    while batch := backlog.take(BATCH_MAX):
        left = list(batch)
        try:
            while left:
                dealt_with = yield from _sending(backlog, left, patience)
                done += dealt_with
        except CounterfoilError as error:
            backlog.give_back(left)
            log.warning("%d spends still wait to be booked: %s", len(backlog), error)
            return done
    return done


def _sending(backlog: Backlog, left: list[Unbooked], patience: Patience | None) -> Script[int]:
    """Send the first that waits, or all up to the next that settles a hold. Takes them out once they are answered."""
    if left[0].hold:
        return (yield from _settling_late(backlog, left, patience))
    plain = next((index for index, each in enumerate(left) if each.hold), len(left))
    results: tuple[SpendResult, ...] = yield replace(
        verbs.spends([each.request for each in left[:plain]]), patience=patience
    )
    sent, left[:plain] = left[:plain], []
    turned_away = []
    for each, result in zip(sent, results, strict=True):
        if not isinstance(result, Refused):
            backlog.tell(each, Fate.BOOKED)
        elif result.retryable:
            turned_away.append(each)
        else:
            backlog.tell(each, Fate.REFUSED, result)
    if turned_away:
        left[:0] = turned_away
        raise CounterfoilUnavailable(
            "POST /v1/spends", None, 1, 0.0, f"{len(turned_away)} were turned away as too many"
        )
    return len(sent)


def _settling_late(backlog: Backlog, left: list[Unbooked], patience: Patience | None) -> Script[int]:
    """Settle a hold that could not be settled in time; when it ran out meanwhile, what was used is a spend by itself.

    A hold that was settled answers the same key with the same again, so "not open" means that nothing was booked.
    """
    spend = left[0]
    assert spend.hold
    try:
        yield replace(verbs.settle(spend.hold, spend.amount, spend.key, "draw"), patience=patience)
    except HoldNotOpen:
        left[0] = spend.without_hold()
        return 0
    except Refused as error:
        left.pop(0)
        backlog.tell(spend, Fate.REFUSED, error)
        return 1
    left.pop(0)
    backlog.tell(spend, Fate.BOOKED)
    return 1
