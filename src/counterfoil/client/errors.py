"""What can go wrong, as types. Catch the type; never read the text.

CounterfoilError
├── CounterfoilUnavailable      no answer in time: it may have happened or not, and repeating it with its key is safe
│   └── BatchUnavailable        the same, in the middle of a batch: what was answered, and what to send again
├── SpendClosed                 this spend was settled or released before
└── Refused                     Counterfoil answered, and the answer is no; `code` says which one
    ├── InsufficientCredits     the wallet does not hold enough: `balance`, `needed`, `remedy`
    ├── CustomerRestricted      a person or a rule stopped this customer from spending
    ├── WalletNotActive         the wallet is suspended or closed
    ├── HoldExceeded            more was used than was held, and the caller asked to refuse that
    ├── HoldNotOpen             the hold was settled, released, or has expired
    ├── KeyReused               the same key came with another request: a bug in the caller
    ├── NotFound                no such customer, wallet, spend …
    ├── InvalidRequest          a field is missing, unknown or not accepted: `param` names it
    └── NotAllowed              the API key is unknown, revoked or lacks a scope
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final


class CounterfoilError(Exception):
    """Something about Counterfoil went wrong."""


class CounterfoilUnavailable(CounterfoilError):
    """Counterfoil gave no usable answer in time. What was asked may have happened; asking again with `key` is safe.

    `tries` is how often it was asked, `waited_s` for how long, `last` what the last try met.
    """

    def __init__(self, asked: str, key: str | None, tries: int, waited_s: float, last: str) -> None:
        super().__init__(f"{asked} was not answered in {waited_s:.1f} s and {tries} tries: {last}")
        self.asked, self.key, self.tries, self.waited_s, self.last = asked, key, tries, waited_s, last


class BatchUnavailable(CounterfoilUnavailable):
    """A batch was answered in part: `results` hold the answers; send `unanswered` again as it is."""

    def __init__(self, cause: CounterfoilUnavailable, results: tuple[Any, ...], unanswered: tuple[Any, ...]) -> None:
        super().__init__(cause.asked, None, cause.tries, cause.waited_s, cause.last)
        self.results, self.unanswered = results, unanswered


class SpendClosed(CounterfoilError):
    """This spend was settled or released before; it can't be settled otherwise."""


class Refused(CounterfoilError):
    """Counterfoil refused. `code` is stable, `remedy` says what would help, `explain` leads to the decision."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code") or f"http_{status}")
        self.detail = str(problem.get("detail") or problem.get("title") or f"Counterfoil answered {status}.")
        self.remedy = _text(problem.get("remedy"))
        self.param = _text(problem.get("param"))
        self.request_id = _text(problem.get("request_id"))
        self.explain = _text(problem.get("explain"))
        self.type = _text(problem.get("type"))
        self.retryable = bool(problem.get("retryable"))
        self.problem: Mapping[str, Any] = dict(problem)
        super().__init__(self.detail if self.code in self.detail else f"{self.detail} ({self.code})")


class InsufficientCredits(Refused):
    """The wallet does not hold enough. Nothing was spent."""

    @property
    def balance(self) -> Decimal | None:
        """Give what the wallet could spend when it was asked, None when Counterfoil did not say."""
        return _decimal(self.problem, "balance", "available")

    @property
    def needed(self) -> Decimal | None:
        """Give what was asked for, None when Counterfoil did not say."""
        return _decimal(self.problem, "needed", "amount")


class CustomerRestricted(Refused):
    """This customer may not spend for now; `detail` says why and `remedy` what lifts it."""


class WalletInDebt(Refused):
    """More was used of this wallet than was in it; new credits cover that first, and until then nothing is spent."""


class WalletNotActive(Refused):
    """The wallet is suspended or closed."""


class HoldExceeded(Refused):
    """More was used than was held, and the caller asked to refuse that. The hold is still open."""


class HoldNotOpen(Refused):
    """The hold was settled otherwise, released, or has expired by itself."""


class KeyReused(Refused):
    """The key was used before for another request. Nothing was done."""


class NotFound(Refused):
    """There is no such object, or it belongs to somebody else."""


class InvalidRequest(Refused):
    """A field is missing, unknown or has a value that is not accepted; `param` names it."""


class NotAllowed(Refused):
    """The API key is missing, unknown or revoked, or lacks the scope."""


BY_CODE: Final[Mapping[str, type[Refused]]] = {
    "insufficient_credits": InsufficientCredits,
    "customer_restricted": CustomerRestricted,
    "customer_paused": CustomerRestricted,
    "allowance_used_up": InsufficientCredits,
    "customer_flagged": CustomerRestricted,
    "email_not_verified": CustomerRestricted,
    "wallet_in_debt": WalletInDebt,
    "wallet_not_active": WalletNotActive,
    "hold_exceeded": HoldExceeded,
    "hold_not_open": HoldNotOpen,
    "hold_not_found": NotFound,
    "idempotency_key_reused": KeyReused,
    "not_found": NotFound,
    "invalid_request": InvalidRequest,
    "api_key_missing": NotAllowed,
    "api_key_unknown": NotAllowed,
    "scope_missing": NotAllowed,
}
BY_STATUS: Final[Mapping[int, type[Refused]]] = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 422: InvalidRequest}


def refusal(status: int, problem: Mapping[str, Any]) -> Refused:
    """Give the error of a problem document, typed by its code, else by its status."""
    kind = BY_CODE.get(str(problem.get("code"))) or BY_STATUS.get(status, Refused)
    return kind(status, problem)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _decimal(problem: Mapping[str, Any], *names: str) -> Decimal | None:
    """Read a quantity: a decimal string, or one with its unit."""
    found = next((problem[name] for name in names if problem.get(name) is not None), None)
    if isinstance(found, Mapping):
        found = found.get("quantity")
    return None if found is None else Decimal(str(found))
