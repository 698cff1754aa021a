"""A Postgres server of our own, started and stopped by whoever needs it."""

import fcntl
import os
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg
from psycopg import sql

from counterfoil.store.server.account import Account, choose_account
from counterfoil.store.server.cluster import (
    SOCKET_PORT,
    SUPERUSER,
    Layout,
    check_version,
    create_cluster,
    explained,
    open_log,
    prepare_directory,
    refuse_start,
    socket_directory,
)
from counterfoil.store.server.errors import PostgresStartFailed, PostgresStartTimeout
from counterfoil.store.server.installation import Installation, find_postgres
from counterfoil.store.server.processes import (
    POLL_S,
    Postmaster,
    bury,
    is_server,
    read_postmaster,
    wait_for_end,
)

DATABASE = "counterfoil"
START_MAX_S = 120.0
STOP_MAX_S = 30.0
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections. `pid` is None, and nothing of it is ours, where `DATABASE_URL` gave it."""

    dsn: str
    pid: int | None
    was_running: bool


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
        settings: Mapping[str, str] | None = None,
        start_max_s: float = START_MAX_S,
    ) -> None:
        self.layout = Layout(data_dir.absolute())
        self._installation = installation
        self._settings = dict(settings or {})
        self._start_max_s = start_max_s
        self._lease: int | None = None

    def __enter__(self) -> Running:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Running:
        """Return the running server, starting it where needed. Raises a PostgresUnusable that says what to do."""
        prepare_directory(self.layout)
        with self._alone():
            found = self._living()
            postmaster = self._await_ready(found) if found else self._launch()
            self._take_lease()
            running = Running(_dsn(postmaster, DATABASE), postmaster.pid, found is not None)
            _ensure_database(postmaster)
        return running

    def stop(self) -> bool:
        """Give the server up, and stop it unless another process uses it. True when nothing runs any more."""
        if not self.layout.start_lock.exists():
            return True
        with self._alone():
            self._drop_lease()
            living = self._living()
            if living is None:
                return True
            if self._is_used():
                return False
            return _end(living, self.layout.cluster)

    def is_running(self) -> bool:
        """Say whether the server accepts connections, without touching it."""
        living = self._living()
        return living is not None and living.is_ready

    def _living(self) -> Postmaster | None:
        found = read_postmaster(self.layout.cluster)
        return found if found and is_server(found.pid, self.layout.cluster) else None

    def _launch(self) -> Postmaster:
        layout = self.layout
        installation = self._installation or find_postgres(os.environ, major=layout.major)
        check_version(layout, installation)
        account, installation = choose_account(installation, layout.top, layout.owner)
        dead = read_postmaster(layout.cluster)
        if dead is not None and not bury(dead, layout.cluster):
            raise PostgresStartFailed(
                f"processes of a dead server still work on {layout.cluster}", "End them and start again"
            )
        if layout.major is None:
            create_cluster(layout, account, installation, is_durable=self._settings.get("fsync") != "off")
        self._start_program(account, installation)
        born = self._living()
        return self._await_ready(born) if born else refuse_start(layout, "the server ended", _log_tail(layout.log))

    def _start_program(self, account: Account, installation: Installation) -> None:
        """Let pg_ctl start it: the server is then nobody's child here, so it outlives us and leaves no zombie."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(socket_directory(self.layout, account)),
            "unix_socket_permissions": "0700",
            "port": str(SOCKET_PORT),
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
            account.run(command, output=log, timeout_s=self._start_max_s + 30)
        finally:
            os.close(log)

    def _await_ready(self, living: Postmaster) -> Postmaster:
        end = time.monotonic() + self._start_max_s
        while not living.is_ready:
            if time.monotonic() > end:
                raise PostgresStartTimeout(
                    f"Postgres (process {living.pid}) is not ready after {self._start_max_s:g} s",
                    f"It may still be recovering: see {self.layout.log}, and start again",
                )
            time.sleep(POLL_S)
            found = self._living()
            if found is None:
                refuse_start(self.layout, "the server ended", _log_tail(self.layout.log))
            living = found
        return living

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the start lock, so that two starters, or a starter and a stopper, take turns."""
        with explained(self.layout.start_lock):
            descriptor = os.open(self.layout.start_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + self._start_max_s
        try:
            while not _lock(descriptor, fcntl.LOCK_EX):
                if time.monotonic() > end:
                    raise PostgresStartTimeout(
                        f"another process has been starting Postgres in {self.layout.top} for {self._start_max_s:g} s",
                        "Look what it waits for, and start again",
                    )
                time.sleep(POLL_S)
            yield
        finally:
            os.close(descriptor)

    def _take_lease(self) -> None:
        """Say that this process uses the server; the kernel takes the word back when the process dies."""
        if self._lease is None:
            with explained(self.layout.use_lock):
                self._lease = os.open(self.layout.use_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lease, fcntl.LOCK_SH)

    def _drop_lease(self) -> None:
        if self._lease is not None:
            os.close(self._lease)
            self._lease = None

    def _is_used(self) -> bool:
        descriptor = os.open(self.layout.use_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            return not _lock(descriptor, fcntl.LOCK_EX)
        finally:
            os.close(descriptor)


def server_for(env: Mapping[str, str], data_dir: Path) -> EmbeddedPostgres | Running:
    """Return the server that `DATABASE_URL` names, or the embedded one on `data_dir`, not started yet."""
    given = env.get("DATABASE_URL")
    if given:
        return Running(given, None, was_running=True)
    layout = Layout(data_dir.absolute())
    return EmbeddedPostgres(data_dir, find_postgres(env, major=layout.major))


def _end(living: Postmaster, cluster: Path) -> bool:
    """Stop in order, and hard where that takes too long: the write-ahead log keeps what was committed."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        with suppress(ProcessLookupError):
            os.kill(living.pid, number)
        if wait_for_end(living.pid, cluster, STOP_MAX_S):
            return True
    return False


def _ensure_database(postmaster: Postmaster) -> None:
    with psycopg.connect(_dsn(postmaster, "postgres"), autocommit=True) as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def _dsn(postmaster: Postmaster, database: str) -> str:
    host = quote(str(postmaster.socket_dir), safe="")
    return f"postgresql://{SUPERUSER}@/{database}?host={host}&port={postmaster.port}"


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _log_tail(log: Path) -> str:
    with suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")[-4000:]
    return ""
