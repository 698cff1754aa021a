"""Explains any id: the one answer behind the API, the command line and the pages.

    {object: "explanation", id, subject, finding, equation, more_equations, entries, timeline, earlier, tally, cases,
     as_of}

Everything is read from one snapshot and nothing is locked, so an explanation is true of one instant and never stands in
anybody's way. Sentences come from stored decisions; equations from `core/explain.py`.
"""

from datetime import UTC, datetime
from typing import Final

from counterfoil.core.ids import noun_of
from counterfoil.core.story import tally
from counterfoil.engine.house import House
from counterfoil.engine.readers import READERS, Look, Told
from counterfoil.engine.story_views import case_view, entry_views, equation_view, step_of, step_view
from counterfoil.engine.views import View, instant
from counterfoil.store import inbox, stories
from counterfoil.store.database import Row, Tx
from counterfoil.store.stories import Place

STEPS_MAX: Final = 200
"""How many steps of a timeline one explanation shows; `earlier` is the cursor to those before."""


class NotFound(Exception):
    """Nothing on these books has this id."""

    code = "not_found"


def explain(house: House, tenant: str, asked: str, *, limit: int = STEPS_MAX, before: str | None = None) -> View:
    """Explain an id of ours, a provider's id, an invoice number or `ext:<your id>`. Raises NotFound.

    `before` is the `earlier` cursor of a previous answer: the same explanation with the steps before it.
    """
    now = house.clock.now()
    with house.database.snapshot(tenant) as tx:
        noun, identity = resolve(tx, asked)
        told = READERS[noun](Look(tx, now), identity)
        if told is None:
            raise NotFound(f"Nothing on these books has the id {asked}.")
        return _answer(tx, asked, told, now, limit, read_place(before))


def payload(house: House, tenant: str, news: str) -> bytes | None:
    """Give the raw body of a notice or command, exactly as it came; None when it had none or it was erased."""
    with house.database.snapshot(tenant) as tx:
        return inbox.body(tx, news)


def resolve(tx: Tx, asked: str) -> tuple[str, str]:
    """Say which noun a text names, and its id. Raises NotFound."""
    noun = noun_of(asked)
    if noun in READERS:
        return noun, asked
    text = asked.removeprefix("ext:")
    found = [row for row in stories.find(tx, text) if not asked.startswith("ext:") or row["noun"] == "customer"]
    if found:
        return found[0]["noun"], found[0]["id"]
    if stories.knows(tx, asked):
        return "provider_object", asked
    raise NotFound(f"Nothing on these books has the id {asked}.")


# --- the answer, the same for every noun ---


def _answer(tx: Tx, asked: str, told: Told, now: datetime, limit: int, before: Place | None) -> View:
    rows = stories.timeline(tx, told.about, limit + 1, before)
    steps = tuple(step_of(row) for row in rows[-limit:])
    units = stories.units(tx)
    equations = [equation_view(each, units) for each in told.explanation.equations]
    earlier = Place(rows[1]["at"], rows[1]["news"]) if len(rows) > limit else None
    return {
        "object": "explanation",
        "id": asked,
        "subject": told.subject,
        "finding": told.explanation.finding,
        "equation": equations[0] if equations else None,
        "more_equations": equations[1:],
        "entries": entry_views(_postings(tx, told), units),
        "timeline": [step_view(each, units) for each in steps],
        "earlier": write_place(earlier) if earlier else None,
        "tally": tally(steps),
        "cases": [case_view(row) for row in stories.cases(tx, told.about)],
        "as_of": instant(now),
    }


def _postings(tx: Tx, told: Told) -> list[Row]:
    if told.entries is not None:
        return stories.entries(tx, told.entries)
    return stories.entries_about(tx, told.about, told.accounts)


def write_place(place: Place) -> str:
    """Write a place in a timeline as an opaque cursor."""
    return f"{place.at.timestamp():.6f}~{place.news}"


def read_place(cursor: str | None) -> Place | None:
    """Read back what `write_place` wrote. Raises NotFound on anything else."""
    if cursor is None:
        return None
    at, _, news = cursor.partition("~")
    try:
        return Place(datetime.fromtimestamp(float(at), UTC), news)
    except (ValueError, OverflowError) as error:
        raise NotFound(f"There is no page {cursor!r}.") from error
