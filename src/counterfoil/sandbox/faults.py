"""Trouble on request: deterministic rules that match the nth request or event, and what they do to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from counterfoil.sandbox import history
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.versions import check_version
from counterfoil.sandbox.wire import Response
from counterfoil.sandbox.world import World

RULES = "faults"

REQUEST_TROUBLE = ("refuse", "timeout_before", "timeout_after", "reset", "status", "slow", "stale_read")
EVENT_TROUBLE = (
    "drop",
    "duplicate",
    "duplicate_as_new",
    "delay",
    "hold",
    "unanswered",
    "reorder",
    "forge",
    "stale",
    "api_version",
    "livemode",
    "non_json",
)
STALE_S = 60.0
"""How old a stale read is, unless its rule says."""
_MATCH_NAMES = frozenset({"method", "path", "event", "nth", "account"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that struck: what it does and its options."""

    id: str
    do: str
    created: float
    options: Doc

    def option(self, name: str, default: Any) -> Any:
        return self.options.get(name, default)


def add_rule(world: World, body: object) -> Doc:
    """Store a rule after checking that it can be understood; refuse it by name otherwise."""
    if not isinstance(body, dict) or not isinstance(body.get("match"), dict):
        raise invalid("A fault rule is {match: {method, path, nth} or {event, nth}, do: …}", "match")
    match, do = dict(body["match"]), _normal(str(body.get("do", "")), "event" in body["match"])
    options = {key: value for key, value in body.items() if key not in ("match", "do", "times")}
    _check(match, do)
    _check_options(options, body.get("times"))
    if do == "stale_read":
        history.watch(world, float(options.get("age_s", STALE_S)))
    number = world.serial("faults")
    rule: Doc = {
        "id": f"fault_{number}",
        "match": match,
        "do": do,
        "times": body.get("times"),
        "seen": 0,
        "struck": 0,
        "created": world.now(),
        "options": options,
    }
    return world.tables.put(RULES, rule["id"], rule)


def for_request(world: World, account: str, method: str, path: str) -> list[Rule]:
    """The rules that strike this request; counts it for every rule that it matches."""
    return [
        rule
        for stored in world.tables.rows(RULES)
        if "event" not in stored["match"] and _fits_request(stored["match"], account, method, path)
        for rule in _strike(world, stored, f"{method} {path}")
    ]


def for_event(world: World, account: str, type: str) -> list[Rule]:
    """The rules that strike this event; counts it for every rule that it matches."""
    return [
        rule
        for stored in world.tables.rows(RULES)
        if "event" in stored["match"] and _fits_event(stored["match"], account, type)
        for rule in _strike(world, stored, type)
    ]


def strike_before(rules: list[Rule]) -> None:
    """Trouble that strikes before anything is executed."""
    for rule in rules:
        if rule.do in ("timeout_before", "refuse"):
            raise StripeError("The request was lost before it was executed.", status=504, type="api_error")
        if rule.do == "status" and rule.option("when", "before") == "before":
            raise _failure(rule)


def strike_after(rules: list[Rule]) -> None:
    """Trouble that strikes after the effect is committed."""
    for rule in rules:
        if rule.do == "status" and rule.option("when", "before") == "after":
            raise _failure(rule)


def troubled(response: Response, rules: list[Rule]) -> Response:
    """What becomes of the connection that the response was to travel on."""
    for rule in rules:
        match rule.do:
            case "timeout_before" | "timeout_after":
                return replace(response, fault="timeout", delay_s=float(rule.option("hang_s", 0.0)))
            case "reset":
                return replace(response, fault="reset")
            case "refuse":
                return replace(response, fault="refused")
            case _:
                continue
    return replace(response, delay_s=slowness(rules))


def slowness(rules: list[Rule]) -> float:
    """Seconds that the answer is late by."""
    return sum(float(rule.option("delay_s", 1.0)) for rule in rules if rule.do == "slow")


def staleness(rules: list[Rule]) -> float:
    """Seconds that a list is behind by."""
    return max((float(rule.option("age_s", STALE_S)) for rule in rules if rule.do == "stale_read"), default=0.0)


def _failure(rule: Rule) -> StripeError:
    """The error that a `status` rule answers."""
    status = int(rule.option("status", 500))
    code = rule.option("code", {429: "rate_limit", 409: "idempotency_key_in_use"}.get(status))
    message, type, retry = _words(status, code)
    return StripeError(
        str(rule.option("message", message)),
        status=status,
        type=type,
        code=code,
        should_retry=rule.option("should_retry", retry),
        stored=status >= 500 and rule.option("when", "before") == "after",
    )


def _words(status: int, code: str | None) -> tuple[str, str, bool | None]:
    if code == "lock_timeout":
        message = (
            "This object cannot be accessed right now because another API request or "
            "Stripe process is currently accessing it. If you see this "
            "error intermittently, retry the request."
        )
        return message, "invalid_request_error", True
    if code == "idempotency_key_in_use":
        return "There is currently another in-progress request using this Idempotent Key.", "idempotency_error", True
    if status == 429:
        return (
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            "invalid_request_error",
            None,
        )
    return (
        "Sorry! There was an error while talking to one of our backends. Support has been notified.",
        "api_error",
        None,
    )


def _check(match: Doc, do: str) -> None:
    unknown = set(match) - _MATCH_NAMES
    if unknown:
        raise invalid(f"Unknown match of a fault rule: {', '.join(sorted(unknown))}", "match")
    known = EVENT_TROUBLE if "event" in match else REQUEST_TROUBLE
    if do not in known:
        raise invalid(f"Unknown fault {do!r}: must be one of {', '.join(known)}", "do")
    nth = match.get("nth")
    wanted = nth if isinstance(nth, list) else [nth]
    if nth is not None and not all(_is_count(n) for n in wanted):
        raise invalid("nth counts from 1; give one number or a list of them", "match[nth]")


def _check_options(options: Doc, times: object) -> None:
    """Options are read when a rule strikes, in the middle of somebody's request;

    so they are understood now or never.
    """
    for name in ("delay_s", "hang_s", "age_s"):
        if not _is_number(options.get(name, 0)):
            raise invalid(f"{name} must be a number of seconds, not negative", name)
    for name in ("attempts", "copies", "window"):
        if not _is_count(options.get(name, 1)):
            raise invalid(f"{name} must be a whole number from 1", name)
    if times is not None and not _is_count(times):
        raise invalid("times must be a whole number from 1", "times")
    if not _is_count(options.get("status", 500)) or not 400 <= options.get("status", 500) <= 599:
        raise invalid("status must be an HTTP error, 400 to 599", "status")
    if options.get("when", "before") not in ("before", "after"):
        raise invalid("when must be before or after", "when")
    if "version" in options:
        check_version(str(options["version"]), "version")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _normal(do: str, of_event: bool) -> str:
    if not of_event and do in ("delay", "slow"):
        return "slow"
    return {
        "stale_timestamp": "stale",
        "wrong_signature": "forge",
        "livemode_flip": "livemode",
        "burst": "hold",
        "late_answer": "unanswered",
    }.get(do, do)


def _fits_request(match: Doc, account: str, method: str, path: str) -> bool:
    return (
        str(match.get("method", method)).upper() == method
        and fnmatchcase(path, _pattern(str(match.get("path", "*"))))
        and _fits_account(match, account)
    )


def _pattern(path: str) -> str:
    """A path as a pattern: `*` stands for anything, and so do `{id}` and `:id`, as people write routes."""
    return re.sub(r"\{[^}]*\}|:\w+", "*", path.rstrip("/")) or "*"


def _fits_event(match: Doc, account: str, type: str) -> bool:
    return fnmatchcase(type, str(match["event"])) and _fits_account(match, account)


def _fits_account(match: Doc, account: str) -> bool:
    wanted = match.get("account")
    return wanted is None or account == wanted or account.partition("/")[0] == wanted


def _strike(world: World, stored: Doc, subject: str) -> list[Rule]:
    """Count a match; the rule strikes at its nth ones (without nth: at each), at most `times` times."""
    stored["seen"] += 1
    nth = stored["match"].get("nth")
    wanted = nth if isinstance(nth, list) else [nth]
    spent = stored["times"] is not None and stored["struck"] >= stored["times"]
    hit = not spent and (nth is None or stored["seen"] in wanted)
    stored["struck"] += hit
    world.tables.put(RULES, stored["id"], stored)
    if not hit:
        return []
    world.note("fault", "", object=stored["id"], do=stored["do"], subject=subject)
    return [Rule(stored["id"], stored["do"], stored["created"], stored["options"])]
