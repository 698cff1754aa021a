"""A story as a graph of states: every order of its news, with a kill at every border, explored state by state.

A node is everything that is stored, here and at the provider, and the replies that are held unread. An edge is one act:
an event arrives and is worked off, an order is called, a reply is read, news that was left lying is worked off. Every
act is also cut by a kill after each phase that changed something: one process, all its flows. Equal nodes have equal
futures, so every order of all acts, each event up to so many times, with any number of kills, is covered by as many
edges as the graph has. Every node is closed: from there everything comes to rest in the same books.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from counterfoil.core.invariants import Breach, differences
from counterfoil.sim.crew import Flow, Worker
from counterfoil.sim.desk import Desk
from counterfoil.sim.host import Host
from counterfoil.sim.judge import books_of, check_rest, check_step
from counterfoil.sim.ports import SeededIds, VirtualClock
from counterfoil.sim.post import Parcel, Post
from counterfoil.sim.provider import Provider
from counterfoil.sim.site import STRIPE_KEY, Site, build_house, open_site
from counterfoil.store import census
from counterfoil.store.database import Database, Row
from databases import Databases
from sim.tales import PART_BY_CREDITS, Tale, Teller

CHANGES: Final = frozenset({"number", "decide", "take", "send", "record", "look"})
"""Phases after which something is stored, or has happened at the provider: a kill before them is one after the last."""
HELD: Final = frozenset({"record", "look"})
IDS_PER_STEP: Final = 1_000_000


@dataclass(slots=True)
class Node:
    """One state. `told` counts how often each event has arrived; `path` is a shortest way here."""

    dsn: str
    snapshot: bytes
    wall: timedelta
    held: tuple[Flow, ...]
    told: Counter[str]
    about: str = ""
    path: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)

    @property
    def shape(self) -> tuple[object, ...]:
        """What can be compared at once: which events were told of, and which replies are held."""
        return tuple(sorted(self.told.items())), tuple(each.phase.name for each in self.held)


class Killed(Exception):
    """The process died."""


@dataclass(slots=True)
class Life:
    """What happens in one copy of a node. `kill` says after which change the process dies; None for never."""

    database: Database
    site: Site
    worker: Worker
    post: Post
    told: Counter[str]
    tale: Tale
    about: str = ""
    kill: int | None = None
    changes: int = 0

    def quiet(self) -> None:
        """Let everything that is asked for be done and told, a second later too."""
        for _ in range(2):
            while self.post.bring_all() + self.worker.work():
                pass
            self.site.pass_time(timedelta(seconds=1))

    def acts(self, copies: dict[str, int]) -> list[str]:
        """Say what may happen now."""
        acts = [f"reply {number}" for number in range(len(self.worker.flows))]
        queued = self._due()
        acts += ["call"] if "order" in queued else []
        acts += ["news"] if "inbox" in queued else []
        told = [*self.parcels(), *self.tale.acts]
        return acts + [kind for kind in told if self.told[kind] < copies.get(kind, 0)]

    def take(self, act: str) -> None:
        """Let one thing happen, until it is done or the process dies."""
        try:
            self._take(act)
        except Killed:
            self.worker.crash()
            self.site.pass_time(self.site.house.settings.lease + timedelta(seconds=1))

    def _take(self, act: str) -> None:
        self._changed()
        if act.startswith("reply"):
            self._finish(self.worker.flows[int(act.split()[1])])
            return
        if act == "call":
            self._call()
            return
        if act != "news":
            self.told[act] += 1
            self._hear(act)
            self._changed()
        self._work_news()

    def _hear(self, act: str) -> None:
        if act in self.tale.acts:
            self.tale.acts[act](self.site, self.about)
            return
        attempt = self.parcels()[act].attempt
        self.site.deliver(attempt.headers, attempt.body)

    def _call(self) -> None:
        """Send what is due; the replies are held."""
        held = len(self.worker.flows)
        self.worker.claim()
        for flow in self.worker.flows[held:]:
            while flow in self.worker.flows and flow.phase.name not in HELD:
                self._step(flow)

    def _work_news(self) -> None:
        """Decide what is due; orders that come of it wait to be called."""
        held = list(self.worker.flows)
        self.worker.claim()
        for flow in [each for each in self.worker.flows if each not in held]:
            if flow.claim.queue == "inbox":
                self._finish(flow)
            elif flow.phase.name == "take":
                self._give_back(flow)

    def _give_back(self, flow: Flow) -> None:
        """A claim that nobody has begun to work on is as good as none; its lease is given back."""
        self.worker.flows.remove(flow)
        with self.database.claims() as tx:
            tx.run(
                "update work set leased_until = null where queue = %(queue)s and tenant = %(of)s and id = %(id)s",
                queue=flow.claim.queue,
                of=flow.claim.tenant,
                id=flow.claim.id,
            )

    def _finish(self, flow: Flow) -> None:
        while flow in self.worker.flows:
            self._step(flow)

    def _step(self, flow: Flow) -> None:
        name = flow.phase.name
        self.worker.step(flow)
        if name in CHANGES:
            self._changed()

    def _changed(self) -> None:
        if self.changes == self.kill:
            raise Killed
        self.changes += 1

    def parcels(self) -> dict[str, Parcel]:
        """Give the events that the provider has to tell of, by kind."""
        self.post.collect()
        return {each.attempt.event_type: each for each in self.post.under_way}

    def _due(self) -> set[str]:
        now, wall = self.site.clock.now(), self.site.clock.wall()
        with self.database.transaction(self.site.tenant) as tx:
            rows = census.queued(tx)
        free = (row for row in rows if row["leased_until"] is None or row["leased_until"] <= wall)
        return {row["queue"] for row in free if row["due_at"] <= now}

    def rows(self) -> list[Row]:
        """Give what makes this state itself."""
        with self.database.transaction(self.site.tenant) as tx:
            undone = census.undone(tx)
        payments = self.site.provider.objects("/v1/payment_intents")
        theirs = [{"kind": "at the provider", "id": each["id"], "status": each["status"]} for each in payments]
        charges = [{"kind": "charged", "id": each["id"]} for each in self.site.provider.charges()]
        return [*books_of(self.database, self.site), *undone, *theirs, *charges]

    def close(self) -> list[Row]:
        """Let everything come to rest; what the provider did not tell of stays untold."""
        self.worker.crash()
        self.site.pass_time(self.site.house.settings.lease + timedelta(seconds=1))
        for act in self.tale.acts:
            self._hear(act)
        for _ in range(2):
            self.worker.work()
            self.site.pass_time(timedelta(hours=1, seconds=1))
        self.worker.work()
        return books_of(self.database, self.site)


@dataclass(slots=True)
class Graph:
    """Explores a story from its first state."""

    databases: Databases
    copies: dict[str, int]
    tale: Tale = PART_BY_CREDITS
    nodes: dict[tuple[object, ...], list[Node]] = field(default_factory=dict)
    edges: int = 0
    books: list[Row] = field(default_factory=list)
    wrong: list[tuple[tuple[str, ...], list[Breach]]] = field(default_factory=list)
    places: tuple[str, str, str] = ("", "", "")

    def explore(self) -> Iterator[int]:
        """Explore everything, and give the number of nodes that still wait, again and again."""
        waiting = [self._first()]
        while waiting:
            node = waiting.pop(0)
            waiting += self._expand(node)
            self._close(node)
            self.databases.drop(node.dsn)
            yield len(waiting)

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return sum(len(each) for each in self.nodes.values())

    def _first(self) -> Node:
        dsn = self.databases.migrated()
        database = Database(dsn, size=2)
        site = open_site(database, 1)
        life = Life(database, site, Worker(site.house), Post(site), Counter(), self.tale)
        life.about = self.tale.begin(Teller(site, Desk(site), life.quiet))
        life.post.under_way.clear()
        for each in life.site.provider.sandbox.due_deliveries():
            life.site.provider.sandbox.record_attempt(each.delivery, 200)
        self.places = (site.tenant, site.account, site.slug)
        node = self._node(dsn, life, ())
        database.close()
        self._is_new(node)
        return node

    def _node(self, dsn: str, life: Life, path: tuple[str, ...]) -> Node:
        passed = life.site.clock.wall() - VirtualClock().wall()
        snapshot = life.site.provider.sandbox.snapshot()
        return Node(dsn, snapshot, passed, tuple(life.worker.flows), life.told, life.about, path, life.rows())

    def _expand(self, node: Node) -> list[Node]:
        """Take every edge of a node, and give the nodes that are new."""
        with self._life(node.dsn, node) as life:
            acts = life.acts(self.copies)
        found: list[Node] = []
        for act in acts:
            changes, reached = self._edge(node, act, None)
            found += reached
            for kill in range(changes):
                found += self._edge(node, act, kill)[1]
        return found

    def _edge(self, node: Node, act: str, kill: int | None) -> tuple[int, list[Node]]:
        self.edges += 1
        path = (*node.path, act if kill is None else f"{act}, killed after change {kill}")
        copy = self.databases.copy(node.dsn)
        with self._life(copy, node, kill) as life:
            life.take(act)
            breaches = check_step(life.database, life.site)
            reached = self._node(copy, life, path)
            changes = life.changes
        if breaches:
            self.wrong.append((path, breaches))
        if self._is_new(reached):
            return changes, [reached]
        self.databases.drop(copy)
        return changes, []

    def _is_new(self, node: Node) -> bool:
        alike = self.nodes.setdefault(node.shape, [])
        if any(not list(differences(each.rows, node.rows)) for each in alike):
            return False
        alike.append(node)
        return True

    def _close(self, node: Node) -> None:
        with self._life(node.dsn, node) as life:
            ends = life.close()
            self.books = self.books or ends
            breaches = [*check_rest(life.database, life.site), *differences(self.books, ends)]
        if breaches:
            self.wrong.append((node.path, breaches))

    @contextmanager
    def _life(self, dsn: str, node: Node, kill: int | None = None) -> Iterator[Life]:
        clock = VirtualClock()
        clock.step(node.wall)
        provider = Provider(clock, 0, STRIPE_KEY)
        provider.sandbox.restore(node.snapshot)
        database = Database(dsn, size=1)
        ids, host = SeededIds(0, clock, IDS_PER_STEP * (1 + len(node.path))), Host()
        house = build_house(database, provider, clock, ids, host=host)
        site = Site(house, clock, provider, *self.places, host)
        flows = [Flow(each.claim, each.phase) for each in node.held]
        yield Life(database, site, Worker(house, flows), Post(site), Counter(node.told), self.tale, node.about, kill)
        database.close()
