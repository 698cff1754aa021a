"""One request of an authenticated caller, as the routes see it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query
from starlette.requests import Request

from counterfoil.api.cards import holds_card_number
from counterfoil.api.problems import Problem
from counterfoil.api.reading import canonical
from counterfoil.engine import commands, operations
from counterfoil.engine.house import House
from counterfoil.engine.setup import Caller

KEY_MAX: Final = 255
WAIT_S: Final = 8.0
WAIT_MAX_S: Final = 30.0
WAIT: Final = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?')


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks for what. `route` is the method and the path's template; `document` the body as it came in."""

    house: House
    caller: Caller
    request_id: str
    route: str
    params: Mapping[str, str]
    document: Any

    @property
    def tenant(self) -> str:
        """Whose books these are."""
        return self.caller.tenant


@dataclass(frozen=True, slots=True)
class Command:
    """A call that is to change something: its key, whether it is a dry run, and how long its answer may take."""

    call: Call
    key: str | None
    dry_run: bool
    wait_s: float
    waits_by_preference: bool

    @property
    def asked(self) -> operations.Asked:
        """The command as the engine takes it. A dry run has no key: it takes none, and replays nothing."""
        call = self.call
        body = canonical({"params": dict(call.params), "body": call.document or {}})
        request = commands.Request(
            call.route, call.caller.key, None if self.dry_run else self.key, body, dry_run=self.dry_run
        )
        return operations.Asked(call.house, call.tenant, request)


def call_of(request: Request) -> Call:
    """Give the call that the door made of this request."""
    call: Call = request.state.call
    return call


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Names this one intent: the same key with the same request has its effect once and replays its "
        "answer for 30 days or longer. Up to 255 visible ASCII characters, bare or as a quoted string.",
        examples=["order-7012"],
    ),
]
DryRun = Annotated[
    bool,
    Query(description="Decide without doing: answers what would happen, and nothing is kept.", examples=[False]),
]
Prefer = Annotated[
    str | None,
    Header(
        description="`wait=n`: how many seconds (0 to 30) the answer may wait for a payment to come to rest. "
        "8 unless told.",
        examples=["wait=8"],
    ),
]


def command_of(
    request: Request,
    idempotency_key: IdempotencyKey = None,
    dry_run: DryRun = False,
    prefer: Prefer = None,
) -> Command:
    """Read what makes a call a command."""
    call = call_of(request)
    key = None if idempotency_key is None else read_key(idempotency_key)
    if key is None and request.state.needs_key and not dry_run:
        raise Problem(400, "idempotency_key_missing", param="Idempotency-Key")
    wait_s = read_wait(prefer)
    return Command(call, key, dry_run, WAIT_S if wait_s is None else wait_s, wait_s is not None)


def read_key(header: str) -> str:
    """Read an Idempotency-Key: a quoted string of structured fields (RFC 8941), or bare."""
    text = header.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if not 1 <= len(text) <= KEY_MAX or not all("!" <= character <= "~" for character in text):
        raise Problem(400, "idempotency_key_invalid", param="Idempotency-Key")
    if holds_card_number(text):
        raise Problem(422, "card_number_refused", param="Idempotency-Key")
    return text


def read_wait(header: str | None) -> float | None:
    """Read the preference `wait` (RFC 7240), None when there is none. Too long a wait is cut short."""
    found = WAIT.search(header or "")
    return min(float(found.group(1)), WAIT_MAX_S) if found else None


Asking = Annotated[Call, Depends(call_of)]
Commanding = Annotated[Command, Depends(command_of)]
