"""One request and its answer, with tries, pauses and a deadline, and no I/O: a generator that says what to do next.

The sync and the async client drive the same generator: they send what it gives, or pause, and tell it what came of it.
"""

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from counterfoil.client.ambient import Ambient
from counterfoil.client.errors import CounterfoilUnavailable, refusal

T = TypeVar("T")

JSON: Final = "application/json"
PAYMENT_REQUIRED: Final = 402


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """What is asked for and how its answer is read. `key` is one for all tries, so that it happens once.

    Everything this client posts carries a key, or is there once by its own name, so repeating any of it is safe.
    `patience` None means the client's own; `wait_s` is how long Counterfoil may wait for a payment before it answers.
    """

    method: str
    path: str
    read: Callable[[Any], T]
    key: str | None = None
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    patience: "Patience | None" = None
    wait_s: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers of every try."""
        key = {"Idempotency-Key": self.key} if self.key else {}
        return {"Accept": JSON} | key | ({} if self.wait_s is None else {"Prefer": f"wait={self.wait_s}"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often to try. Each pause is by chance between nothing and a bound that doubles.

    `deadline_s` bounds everything about one request, pauses included; `timeout_s` bounds one try.
    """

    deadline_s: float = 10.0
    timeout_s: float = 5.0
    tries_max: int = 6
    pause_first_s: float = 0.05
    pause_max_s: float = 2.0

    def __post_init__(self) -> None:
        if not (self.deadline_s > 0 and self.timeout_s > 0 and self.tries_max >= 1):
            raise ValueError("deadline_s and timeout_s are above 0, and tries_max is 1 or more")
        if not 0 <= self.pause_first_s <= self.pause_max_s:
            raise ValueError("pause_first_s is not negative and not above pause_max_s")


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request, and give up on this try after so many seconds."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the next step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """Nothing came back: no connection, a broken one, or none in time."""

    why: str


Step = Send | Pause
Heard = Answer | Broken | None
"""What came of a step; None after a pause."""


def exchange(asked: Ask[T], patience: Patience, ambient: Ambient) -> Generator[Step, Heard, T]:
    """Ask until there is an answer. Raises Refused, and CounterfoilUnavailable when the time is up."""
    patience, began = asked.patience or patience, ambient.elapsed_s()
    until, bound, tries, last = began + patience.deadline_s, patience.pause_first_s, 0, "no time was left"
    while tries < patience.tries_max and (left := until - ambient.elapsed_s()) > 0:
        tries += 1
        heard = yield Send(min(patience.timeout_s, left))
        if isinstance(heard, Answer) and not is_temporary(heard):
            return _read(asked, heard)
        assert heard is not None, "a request was sent, so something came of it"
        last = _told(heard)
        pause = max(_retry_after_s(heard), ambient.between(0, bound))
        bound = min(bound * 2, patience.pause_max_s)
        if tries == patience.tries_max or ambient.elapsed_s() + pause >= until:
            break
        yield Pause(pause)
    waited_s = ambient.elapsed_s() - began
    raise CounterfoilUnavailable(f"{asked.method} {asked.path}", asked.key, tries, waited_s, last)


def is_temporary(answer: Answer) -> bool:
    """Say whether the same request may be answered otherwise later: too many at once, in flight, or trouble there.

    A success that is no JSON came from something in between.
    """
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return True
    if answer.status < 300:
        return not _document(answer)
    return answer.status == 409 and bool(_document(answer).get("retryable"))


def _read(asked: Ask[T], answer: Answer) -> T:
    document = _document(answer)
    # What was bought and could not be paid is there all the same, and says itself what became of it.
    is_there = answer.status == PAYMENT_REQUIRED and "object" in document
    if not (200 <= answer.status < 300 or is_there):
        raise refusal(answer.status, document)
    return asked.read(document)


def _document(answer: Answer) -> Mapping[str, Any]:
    """Give the object that was answered; an empty one when something in between answered instead."""
    try:
        found = json.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(heard: Answer | Broken) -> str:
    if isinstance(heard, Broken):
        return heard.why
    code = _document(heard).get("code")
    return f"{heard.status} {code}" if code else str(heard.status)


def _retry_after_s(heard: Answer | Broken) -> float:
    """Read the seconds that the server asks to wait; a date or nothing counts as none."""
    text = heard.headers.get("retry-after", "") if isinstance(heard, Answer) else ""
    return float(text) if text.isdigit() else 0.0
