"""The event list is read upwards: each event once, oldest first, whatever arrives meanwhile."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.facts import Notice
from counterfoil.providers.port import ProviderUnavailable
from counterfoil.providers.stripe import history
from counterfoil.providers.stripe.notice import read_event, read_notice
from providers.scripted import Asked, Says, Scripted, always, says

START_S = 1_781_409_840


class EventList:
    """A provider's event list as its documents describe it: newest first, cursors, `created` bounds, retention."""

    def __init__(self, created: Sequence[int]) -> None:
        self.events = [self._event(number, at) for number, at in enumerate(sorted(created))]

    def append(self, created: int) -> None:
        self.events.append(self._event(len(self.events), created))

    def forget(self, count: int) -> None:
        self.events = self.events[count:]

    def __call__(self, asked: Asked) -> Says:
        limit = int(asked.params.get("limit", "10"))
        newest_first = self.events[::-1]
        ids = [event["id"] for event in newest_first]
        for cursor in ("ending_before", "starting_after"):
            if asked.params.get(cursor, ids and ids[0]) not in ids and cursor in asked.params:
                return says(
                    400, {"error": {"type": "invalid_request_error", "code": "resource_missing", "param": cursor}}
                )
        if "ending_before" in asked.params:
            above = newest_first[: ids.index(asked.params["ending_before"])]
            return says(200, {"object": "list", "data": above[-limit:], "has_more": len(above) > limit})
        below = newest_first
        if "starting_after" in asked.params:
            below = newest_first[ids.index(asked.params["starting_after"]) + 1 :]
        if "created[lte]" in asked.params:
            below = [event for event in below if int(str(event["created"])) <= int(asked.params["created[lte]"])]
        return says(200, {"object": "list", "data": below[:limit], "has_more": len(below) > limit})

    @staticmethod
    def _event(number: int, created: int) -> dict[str, object]:
        return {
            "id": f"evt_{number}",
            "object": "event",
            "type": "customer.updated",
            "created": created,
            "livemode": False,
            "api_version": "2026-10-28.endive",
            "data": {"object": {"id": f"cus_{number}", "object": "customer"}},
        }


def read_all(listed: EventList, cursor: str | None = None) -> tuple[list[Notice], str | None, int]:
    caller = Scripted(listed).caller()
    seen: list[Notice] = []
    for pages in range(1, 100):
        changes = history.changes_since(caller, cursor)
        seen += [notice for notice, _ in changes.notices]
        cursor = changes.cursor
        if not changes.more:
            return seen, cursor, pages
    raise AssertionError("the history has no end")


def numbers(seen: list[Notice]) -> list[int]:
    return [int(notice.provider_event.removeprefix("evt_")) for notice in seen]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 201, 350])
@pytest.mark.parametrize("step_s", [0, 1, 3600])
def test_every_event_is_met_once_and_in_order(count: int, step_s: int) -> None:
    seen, cursor, _ = read_all(EventList([START_S + number * step_s for number in range(count)]))

    assert numbers(seen) == list(range(count))
    assert cursor == (f"evt_{count - 1}" if count else None)


@given(st.lists(st.integers(0, 40 * 86_400).map(lambda second: START_S + second // 7200 * 7200), max_size=320))
@settings(max_examples=25, deadline=None)
def test_every_event_is_met_once_whenever_it_happened(created: list[int]) -> None:
    recent = [at for at in created if at > max(created) - 30 * 86_400]

    seen, _, _ = read_all(EventList(recent))

    assert numbers(seen) == list(range(len(recent)))


def test_events_that_arrive_while_a_history_is_read_come_at_its_end() -> None:
    listed = EventList([START_S + number for number in range(150)])
    caller = Scripted(listed).caller()

    first = history.changes_since(caller, None)
    for number in range(150):
        listed.append(START_S + 150 + number)
    rest, _, _ = read_all(listed, first.cursor)

    assert numbers([notice for notice, _ in first.notices] + rest) == list(range(300))


def test_a_cursor_at_the_newest_event_stays_there() -> None:
    listed = EventList([START_S, START_S])

    changes = history.changes_since(Scripted(listed).caller(), "evt_1")

    assert (changes.notices, changes.cursor, changes.more) == ((), "evt_1", False)


def test_a_cursor_whose_event_has_expired_goes_on_with_the_oldest_left() -> None:
    listed = EventList([START_S + number for number in range(250)])
    listed.forget(120)

    seen, _, _ = read_all(listed, "evt_10")

    assert numbers(seen) == list(range(120, 250))


def test_a_beginning_is_found_in_some_twenty_questions() -> None:
    listed = EventList([START_S + number * 200 for number in range(12_000)])
    provider = Scripted(listed)

    history.changes_since(provider.caller(), None)

    assert len(provider.asked) < 30


def test_an_event_that_can_not_be_read_does_not_hold_up_those_after_it() -> None:
    listed = EventList([START_S] * 3)
    listed.events[1]["created"] = "yesterday"

    seen, cursor, _ = read_all(listed)

    assert numbers(seen) == [0, 2]
    assert cursor == "evt_2"


def test_a_page_of_events_that_can_not_be_read_moves_the_cursor_all_the_same() -> None:
    listed = EventList([START_S] * 2)
    listed.events[1]["livemode"] = None

    changes = history.changes_since(Scripted(listed).caller(), "evt_0")

    assert (changes.notices, changes.cursor) == ((), "evt_1")


@pytest.mark.parametrize("data", [[], [{"object": "event"}], [{"id": "evt_0", "object": "event"}]])
def test_a_list_that_promises_more_and_does_not_get_on_is_not_followed_for_ever(data: list[dict[str, str]]) -> None:
    endless = always(says(200, {"object": "list", "data": data, "has_more": True}))

    changes = history.changes_since(endless.caller(), "evt_0")

    assert (changes.cursor, changes.more) == ("evt_0", False)


@pytest.mark.parametrize("said", [{}, {"account": None}, {"account": "acct_1"}])
def test_events_from_a_connected_accounts_list_say_whose_they_are_as_its_webhooks_do(said: dict[str, object]) -> None:
    listed = EventList([START_S])
    listed.events[0] |= said

    ((notice, raw),) = history.changes_since(Scripted(listed).caller(connected_account="acct_1"), None).notices

    assert notice.connected_account == "acct_1"
    assert read_notice(read_event(raw)) == notice


def test_the_bytes_of_an_event_are_kept_beside_its_notice() -> None:
    changes = history.changes_since(Scripted(EventList([START_S])).caller(), None)

    ((notice, raw),) = changes.notices

    assert read_notice(read_event(raw)) == notice
    assert json.loads(raw)["data"]["object"]["id"] == "cus_0"


@pytest.mark.parametrize("cursor", [None, "evt_0"])
@pytest.mark.parametrize(
    "said", [TimeoutError(), says(500, {"error": {}}), says(401, {"error": {}}), says(404, {})], ids=repr
)
def test_a_list_that_does_not_come_is_unavailable(cursor: str | None, said: Says) -> None:
    with pytest.raises(ProviderUnavailable):
        history.changes_since(always(said).caller(), cursor)


def test_a_first_second_with_more_events_than_we_read_at_once_is_unavailable() -> None:
    listed = EventList([START_S] * 2_101)

    with pytest.raises(ProviderUnavailable):
        history.changes_since(Scripted(listed).caller(), None)
