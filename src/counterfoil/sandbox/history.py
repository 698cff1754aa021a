"""What objects were a while ago: for the lag of the search index, and for reads that are told to be stale."""

from __future__ import annotations

from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.world import World

PAST = "past:"
WATCH = "watched"


def watch(world: World, age_s: float) -> None:
    """From now on remember what every object was up to `age_s` seconds ago; what it is now counts as its start."""
    kept = world.tables.get(WATCH, "age") or {"age_s": 0.0}
    world.tables.put(WATCH, "age", {"age_s": max(kept["age_s"], age_s)})
    for name in world.tables.names():
        account, _, kind = name.rpartition("/")
        if account.endswith(("/test", "/live")):
            for doc in world.tables.rows(name):
                if doc.get("object") == kind and not _past(world, account, doc):
                    _keep(world, account, doc, [{"at": min(_birth(doc), world.now()), "doc": copy_of(doc)}])


def remember(world: World, account: str, doc: Doc) -> None:
    """Note what an object becomes, if anybody may want to know, and forget what nobody can see any more."""
    reach = _reach_s(world)
    if not reach:
        return
    past = _past(world, account, doc)
    while len(past) > 1 and past[1]["at"] <= world.now() - reach:
        past.pop(0)
    _keep(world, account, doc, [*past, {"at": world.now(), "doc": copy_of(doc)}])


def as_of(world: World, account: str, doc: Doc, age_s: float) -> Doc | None:
    """What an object was `age_s` seconds ago: None when it did not exist, itself when nothing is known of its past."""
    past = _past(world, account, doc)
    if not past:
        return doc
    seen: list[Doc] = [version["doc"] for version in past if version["at"] <= world.now() - age_s]
    return seen[-1] if seen else None


def _reach_s(world: World) -> float:
    watched = world.tables.get(WATCH, "age")
    return max(world.settings.search_lag_s, watched["age_s"] if watched else 0.0)


def _birth(doc: Doc) -> float:
    return float(doc.get("created") or doc.get("date") or 0)


def _past(world: World, account: str, doc: Doc) -> list[Doc]:
    row = world.tables.get(f"{PAST}{account}", doc["id"])
    return list(row["versions"]) if row else []


def _keep(world: World, account: str, doc: Doc, versions: list[Doc]) -> None:
    world.tables.put(f"{PAST}{account}", doc["id"], {"versions": versions})
