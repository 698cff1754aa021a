"""The directory of an embedded server: the cluster, its socket, its log and its two locks."""

import errno
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from counterfoil.store.server.account import Account
from counterfoil.store.server.errors import (
    PostgresDirectoryForeign,
    PostgresDirectoryUnusable,
    PostgresDiskFull,
    PostgresPortTaken,
    PostgresStartFailed,
    PostgresUnusable,
    PostgresVersionMismatch,
)
from counterfoil.store.server.installation import Installation

SUPERUSER = "counterfoil"
# sockaddr_un holds 108 bytes, the closing zero included.
SOCKET_PATH_MAX = 107
INITDB_MAX_S = 120.0
LOG_KEPT_MAX = 8 * 1024 * 1024
FREE_MIN = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything lies below the data directory `top`."""

    top: Path

    @property
    def cluster(self) -> Path:
        return self.top / "cluster"

    @property
    def log(self) -> Path:
        return self.top / "postgres.log"

    @property
    def start_lock(self) -> Path:
        return self.top / "start.lock"

    @property
    def use_lock(self) -> Path:
        return self.top / "use.lock"

    @property
    def major(self) -> int | None:
        """The major version that wrote the cluster; None when there is no cluster yet."""
        try:
            return int((self.cluster / "PG_VERSION").read_text(encoding="utf-8").split(".")[0])
        except (FileNotFoundError, NotADirectoryError):
            return None

    @property
    def owner(self) -> int | None:
        return self.cluster.stat().st_uid if self.cluster.exists() else None


def prepare_directory(layout: Layout) -> None:
    """Make the data directory, and refuse one that can't be written or that holds something else."""
    with explained(layout.top):
        if not layout.top.exists():
            layout.top.mkdir(parents=True)
        descriptor, name = tempfile.mkstemp(prefix=".probe-", dir=layout.top)
        os.close(descriptor)
        os.unlink(name)
        is_foreign = layout.cluster.exists() and layout.major is None
    if is_foreign:
        raise PostgresDirectoryForeign(
            f"{layout.cluster} is not a Postgres cluster", "Move it away, or choose another data directory"
        )


def check_version(layout: Layout, installation: Installation) -> None:
    """Refuse data of another major version: Postgres can't read them, and only a dump carries them over."""
    if layout.major in (None, installation.major):
        return
    raise PostgresVersionMismatch(
        f"{layout.cluster} was written by Postgres {layout.major}; the programs found are {installation.version}",
        f"Install Postgres {layout.major}, or dump the data there and restore them into a new data directory",
    )


def create_cluster(layout: Layout, account: Account, installation: Installation, *, is_durable: bool) -> None:
    """Make a new cluster, whole or not at all: a killed initdb leaves a draft that the next start removes."""
    draft = layout.top / "cluster.new"
    with explained(layout.top):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        os.chown(draft, account.uid, account.gid)
    options = ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if not is_durable:
        options.append("--no-sync")
    command = (installation.program("initdb"), "-D", str(draft), "-U", SUPERUSER, *options)
    done = account.run(command, output=subprocess.PIPE, timeout_s=INITDB_MAX_S)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise explain_end(layout, "initdb failed", done.stdout)
    with explained(layout.top):
        draft.rename(layout.cluster)


def socket_directory(layout: Layout, account: Account, port: int) -> Path:
    """Make the directory of the socket, closed to everybody else; a short one where the data lie too deep."""
    inside = layout.top / "socket"
    name = f".s.PGSQL.{port}"
    place = inside
    if len(os.fsencode(inside.absolute() / name)) > SOCKET_PATH_MAX:
        mark = hashlib.sha256(os.fsencode(layout.top.resolve())).hexdigest()[:12]
        place = Path("/tmp") / f"counterfoil-{account.uid}-{mark}"  # noqa: S108 -- owner and mode are checked below
    with explained(place):
        try:
            place.mkdir(mode=0o700)
            os.chown(place, account.uid, account.gid)
        except FileExistsError:
            pass
        found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or stat.S_IMODE(found.st_mode) != 0o700:
        raise PostgresDirectoryUnusable(
            f"{place} is not a directory that only its server can enter", "Remove it, or choose another data directory"
        )
    return place.absolute()


def open_log(layout: Layout) -> int:
    """Open the log for appending; one that has grown large starts again, with its last life kept beside it."""
    with explained(layout.log):
        if layout.log.exists() and layout.log.stat().st_size > LOG_KEPT_MAX:
            layout.log.replace(layout.log.with_suffix(".log.1"))
        return os.open(layout.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def log_length(layout: Layout) -> int:
    """Say where the log ends now, so that a failure is explained by what comes after."""
    return layout.log.stat().st_size if layout.log.exists() else 0


def log_since(layout: Layout, mark: int) -> str:
    with explained(layout.log), layout.log.open("rb") as log:
        log.seek(mark if mark <= log_length(layout) else 0)
        return log.read().decode("utf-8", errors="replace")


def check_port(host: str, port: int) -> None:
    """Refuse a TCP port that Postgres could not bind either."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except (OSError, OverflowError) as refusal:
            reason = refusal.strerror if isinstance(refusal, OSError) else "not a port number"
            raise PostgresPortTaken(
                f"port {port} on {host} can't be used: {reason}", "Choose another port"
            ) from refusal


def explain_end(layout: Layout, what: str, said: str) -> PostgresUnusable:
    """Turn the server's last words into the error they mean."""
    if os.strerror(errno.ENOSPC) in said or is_disk_full(layout.top):
        return disk_full(layout.top)
    tail = " / ".join(line.strip() for line in said.strip().splitlines()[-5:])
    return PostgresStartFailed(f"{what}: {tail or 'it said nothing'}", f"See {layout.log}")


def is_disk_full(place: Path) -> bool:
    space = os.statvfs(place)
    return space.f_bavail * space.f_frsize < FREE_MIN


def disk_full(place: Path) -> PostgresDiskFull:
    return PostgresDiskFull(f"no space left for the database in {place}", "Free some space there and start again")


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn the file system's refusals into errors that say what to do."""
    try:
        yield
    except OSError as refusal:
        if refusal.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(place) from refusal
        raise PostgresDirectoryUnusable(
            f"{place} can't be used: {refusal.strerror}", "Make it writable, or choose another data directory"
        ) from refusal
