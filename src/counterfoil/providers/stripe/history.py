"""The provider's event list, read upwards: what changed after a cursor, oldest first, nothing twice, nothing skipped.

The provider lists newest first. `ending_before` gives the page that lies directly above the cursor, so following it
from page to page meets every event. An event that the provider lists late, below a cursor that has already passed,
is not seen here; the sweep of open subjects finds what it did.
"""

from typing import Final

from counterfoil.core.facts import Notice
from counterfoil.providers.port import Changes, NoticeUnreadable, ProviderUnavailable
from counterfoil.providers.stripe.calls import Answer, Caller, Failure, Params, Reply
from counterfoil.providers.stripe.fields import Doc, Unreadable, rows, text, whole
from counterfoil.providers.stripe.notice import raw_event, read_notice
from counterfoil.providers.stripe.outcomes import in_words

PAGE: Final = 100
RETENTION_S: Final = 31 * 86_400
"""Longer than the 30 days that the provider keeps events."""
SECOND_PAGES_MAX: Final = 20
"""How many pages of events one single second may fill at the beginning of a history."""


def changes_since(caller: Caller, cursor: str | None) -> Changes:
    """Give the page of events after `cursor`; None starts with the oldest event that the provider still has.

    A cursor that the provider no longer knows starts over in the same way. The cursor stays where it is when there is
    nothing new. Raises ProviderUnavailable.
    """
    if cursor is None:
        return _beginning(caller)
    answer = caller.get("/v1/events", {"limit": PAGE, "ending_before": cursor})
    if _is_forgotten(answer):
        return _beginning(caller)
    return _changes(_page(answer), cursor, caller.connected_account, has_more=_has_more(answer))


def _beginning(caller: Caller) -> Changes:
    """Give the oldest events. One page when all fit into it, else the first second that has any."""
    newest = _ask(caller, {})
    page = _page(newest)
    if not _has_more(newest):
        return _changes(page, None, caller.connected_account, has_more=False)
    first_s = _first_second(caller, _created(page[0]))
    return _changes(_all_until(caller, first_s), None, caller.connected_account, has_more=True)


def _first_second(caller: Caller, newest_s: int) -> int:
    """Find the second of the oldest event by halving: some twenty questions, however long the list is."""
    before, at = newest_s - RETENTION_S, newest_s
    while at - before > 1:
        middle = (before + at) // 2
        found = _page(_ask(caller, {"created": {"lte": middle}, "limit": 1}))
        if found:
            at = min(middle, _created(found[0]))
        else:
            before = middle
    return at


def _all_until(caller: Caller, first_s: int) -> list[Doc]:
    """Give every event up to a second, newest first, across pages."""
    found: list[Doc] = []
    below: dict[str, object] = {}
    for _ in range(SECOND_PAGES_MAX):
        answer = _ask(caller, {"created": {"lte": first_s}, **below})
        found.extend(_page(answer))
        if not _has_more(answer):
            return found
        below = {"starting_after": found[-1]["id"]}
    raise ProviderUnavailable("the event list begins with more events in one second than we read at once")


def _changes(page: list[Doc], cursor: str | None, account: str | None, *, has_more: bool) -> Changes:
    """Read a page. A list that says there is more and does not get on is taken to have ended, for now."""
    upwards = page[::-1]
    notices = tuple(found for event in upwards if (found := _read(event, account)) is not None)
    newest = (text(upwards[-1], "id") if upwards else None) or cursor
    return Changes(notices=notices, cursor=newest, more=has_more and newest != cursor)


def _read(event: Doc, account: str | None) -> tuple[Notice, bytes] | None:
    """Read one event. One that can't be read is passed over, so that it does not hold up those after it.

    A connected account's own list may leave out whose events these are, which a webhook of them says.
    """
    named = {**event, "account": event.get("account") or account} if account else event
    try:
        return read_notice(named), raw_event(named)
    except NoticeUnreadable:
        return None


def _ask(caller: Caller, params: Params) -> Answer:
    return caller.get("/v1/events", {"limit": PAGE, **params})


def _page(answer: Answer) -> list[Doc]:
    if isinstance(answer, Failure):
        raise ProviderUnavailable(in_words(answer))
    return rows(answer.doc, "data")


def _has_more(answer: Answer) -> bool:
    return isinstance(answer, Reply) and answer.doc.get("has_more") is True


def _is_forgotten(answer: Answer) -> bool:
    """Say whether the provider has let the cursor's event go."""
    return isinstance(answer, Failure) and text(answer.error, "param") == "ending_before"


def _created(event: Doc) -> int:
    try:
        return whole(event, "created")
    except Unreadable as error:
        raise ProviderUnavailable(f"an event in the list can't be read: {error}") from error
