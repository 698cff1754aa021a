"""A Postgres server of our own, started and stopped by whoever needs it."""

import os
import shlex
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg
from psycopg import sql

from counterfoil.store.server.account import Account, choose_account
from counterfoil.store.server.cluster import (
    SUPERUSER,
    Layout,
    check_port,
    check_version,
    create_cluster,
    explain_end,
    log_length,
    log_since,
    open_log,
    prepare_directory,
    socket_directory,
)
from counterfoil.store.server.errors import (
    PostgresPortTaken,
    PostgresStartFailed,
    PostgresStartTimeout,
    PostgresUnusable,
)
from counterfoil.store.server.installation import Installation, find_postgres
from counterfoil.store.server.processes import (
    POLL_S,
    Postmaster,
    bury,
    is_server,
    read_postmaster,
    wait_for_end,
)
from counterfoil.store.server.turns import Lease, turn

DATABASE = "counterfoil"
START_MAX_S = 120.0
STOP_MAX_S = 30.0
STARTS_MAX = 3
DYING_MAX_S = 2.0
SOCKET_PORT = 5432
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections. `pid` is None, and nothing of it is ours, where `DATABASE_URL` gave it."""

    dsn: str
    pid: int | None
    was_running: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """Serve TCP too, to whoever knows the password of the role `counterfoil`."""

    port: int
    password: str
    host: str = "127.0.0.1"


class EmbeddedPostgres:
    """The server on one data directory, shared by every process that starts it.

    The first start makes the cluster and launches the server; later ones, from any process, find it running. The
    server outlives a killed user and stops when its last user stops. `start` may be called again at any time: it
    revives a server that died.
    """

    def __init__(
        self,
        data_dir: Path,
        installation: Installation | None = None,
        *,
        env: Mapping[str, str] = os.environ,
        settings: Mapping[str, str] | None = None,
        listener: Listener | None = None,
        start_max_s: float = START_MAX_S,
    ) -> None:
        """Name the server; nothing is touched before `start`. Without an installation `env` says where it is."""
        self.layout = Layout(data_dir.absolute())
        self._installation = installation
        self._env = env
        self._settings = dict(settings or {})
        self._listener = listener
        self._port = listener.port if listener else SOCKET_PORT
        self._start_max_s = start_max_s
        self._lease = Lease(self.layout)
        self._log_mark = 0

    def __enter__(self) -> Running:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Running:
        """Return the running server, starting it where needed. Raises a PostgresUnusable that says what to do."""
        prepare_directory(self.layout)
        with turn(self.layout, self._start_max_s):
            for _ in range(STARTS_MAX):
                running = self._start_once()
                if running is not None:
                    self._lease.take()
                    return running
            raise self._explain()

    def _start_once(self) -> Running | None:
        """Find or launch the server and prepare it; None when it died meanwhile, as one that was just killed does."""
        found = self._living()
        self._log_mark = log_length(self.layout)
        postmaster = self._await_ready(found) if found else self._launch()
        if postmaster is None:
            return None
        self._check_port(postmaster)
        try:
            _furnish(postmaster, self._listener)
        except psycopg.Error as error:
            if wait_for_end(postmaster.pid, self.layout.cluster, DYING_MAX_S):
                return None
            raise explain_end(self.layout, "the server started and then refused to work", str(error)) from error
        return Running(_dsn(postmaster, DATABASE), postmaster.pid, found is not None)

    def stop(self) -> bool:
        """Give the server up, and stop it unless another process uses it. True when nothing runs any more."""
        if not self.layout.start_lock.exists():
            return True
        with turn(self.layout, self._start_max_s):
            self._lease.drop()
            living = self._living()
            if living is None:
                return True
            if self._lease.is_held_by_others():
                return False
            return _end(living, self.layout.cluster)

    def is_running(self) -> bool:
        """Say whether the server accepts connections, without touching it."""
        living = self._living()
        return living is not None and living.is_ready

    def _living(self) -> Postmaster | None:
        found = read_postmaster(self.layout.cluster)
        return found if found and is_server(found.pid, self.layout.cluster) else None

    def _launch(self) -> Postmaster | None:
        """Start the server, on a new cluster where there is none; None when somebody kills it as soon as it works."""
        layout = self.layout
        installation = self._installation or find_postgres(self._env, major=layout.major)
        check_version(layout, installation)
        account, installation = choose_account(installation, layout.top, layout.owner)
        dead = read_postmaster(layout.cluster)
        if dead is not None and not bury(dead, layout.cluster):
            raise PostgresStartFailed(
                f"processes of a dead server still work on {layout.cluster}", "End them and start again"
            )
        if layout.major is None:
            create_cluster(layout, account, installation, is_durable=self._settings.get("fsync") != "off")
        if self._listener:
            check_port(self._listener.host, self._listener.port)
        was_started = self._start_program(account, installation)
        born = self._living()
        if born is None and not was_started:
            raise self._explain()
        return self._await_ready(born) if born else None

    def _start_program(self, account: Account, installation: Installation) -> bool:
        """Let pg_ctl start it: the server is then nobody's child here, so it outlives us and leaves no zombie."""
        settings = {
            "listen_addresses": self._listener.host if self._listener else "",
            "unix_socket_directories": str(socket_directory(self.layout, account, self._port)),
            "unix_socket_permissions": "0700",
            "port": str(self._port),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
        } | self._settings
        options = shlex.join(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        limit = str(max(1, round(self._start_max_s)))
        program = installation.program("pg_ctl")
        command = (program, "start", "-w", "-s", "-t", limit, "-D", str(self.layout.cluster), "-o", options)
        log = open_log(self.layout)
        try:
            return account.run(command, output=log, timeout_s=self._start_max_s + 30).returncode == 0
        finally:
            os.close(log)

    def _await_ready(self, living: Postmaster) -> Postmaster | None:
        """Wait until it accepts connections; None when it ends instead."""
        end = time.monotonic() + self._start_max_s
        found: Postmaster | None = living
        while found is not None and not found.is_ready:
            if time.monotonic() > end:
                raise PostgresStartTimeout(
                    f"Postgres (process {living.pid}) is not ready after {self._start_max_s:g} s",
                    f"It may still be recovering: see {self.layout.log}, and start again",
                )
            time.sleep(POLL_S)
            found = self._living()
        return found

    def _explain(self) -> PostgresUnusable:
        return explain_end(self.layout, "the server ended", log_since(self.layout, self._log_mark))

    def _check_port(self, postmaster: Postmaster) -> None:
        """A server that another process started listens where that process asked it to."""
        if self._listener and postmaster.port != self._listener.port:
            raise PostgresPortTaken(
                f"the database in {self.layout.top} already runs, without TCP port {self._listener.port}",
                "Stop what uses it, and start again",
            )


def server_for(env: Mapping[str, str], data_dir: Path) -> EmbeddedPostgres | Running:
    """Return the server that `DATABASE_URL` names, or the embedded one on `data_dir`, not started yet."""
    given = env.get("DATABASE_URL")
    if given:
        return Running(given, None, was_running=True)
    return EmbeddedPostgres(data_dir, env=env)


def _end(living: Postmaster, cluster: Path) -> bool:
    """Stop in order, and hard where that takes too long: the write-ahead log keeps what was committed."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        with suppress(ProcessLookupError):
            os.kill(living.pid, number)
        if wait_for_end(living.pid, cluster, STOP_MAX_S):
            return True
    return False


def _furnish(postmaster: Postmaster, listener: Listener | None) -> None:
    """See that the database is there, and the password where somebody may come in by TCP."""
    role, database = sql.Identifier(SUPERUSER), sql.Identifier(DATABASE)
    with psycopg.connect(_dsn(postmaster, "postgres"), autocommit=True) as connection:
        if listener:
            connection.execute(sql.SQL("alter role {} password {}").format(role, sql.Literal(listener.password)))
        found = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("create database {}").format(database))


def _dsn(postmaster: Postmaster, database: str) -> str:
    host = quote(str(postmaster.socket_dir), safe="")
    return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={postmaster.port}"
