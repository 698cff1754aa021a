"""Who the server runs as. Postgres refuses root, and we never add a user to somebody's system."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from counterfoil.store.server.errors import PostgresAccountMissing, PostgresStartTimeout
from counterfoil.store.server.installation import Installation

USUAL_ACCOUNTS = ("postgres", "nobody")


class _Drop(TypedDict, total=False):
    user: int
    group: int
    extra_groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """The owner of the server's files, and how a command is made to run as it."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    is_dropped: bool = False

    def run(self, arguments: tuple[str, ...], *, output: int, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as this account; what it says goes to `output` (a descriptor, or PIPE)."""
        drop: _Drop = {"user": self.uid, "group": self.gid, "extra_groups": ()} if self.is_dropped else {}
        try:
            return subprocess.run(
                [*self.prefix, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                # Messages and sort order must not depend on who starts the server.
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                cwd="/",
                timeout=timeout_s,
                check=False,
                **drop,
            )
        except subprocess.TimeoutExpired as late:
            raise PostgresStartTimeout(
                f"{Path(arguments[0]).name} did not end within {timeout_s:g} s",
                "Look what it waits for, and start again",
            ) from late


def choose_account(installation: Installation, directory: Path, owner: int | None) -> tuple[Account, Installation]:
    """Say who runs the server on `directory`; `owner` is the user of an existing cluster, None for a new one.

    A normal user runs it itself. Root drops to an existing account that can read the programs and reach the
    directory, else to a user namespace, else runs a copy of the programs that such an account can read.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid()), installation

    candidates = tuple(_candidates(directory, owner))
    for account in candidates:
        if _works(account, installation, directory):
            return account, installation

    copy = _readable_copy(installation, directory)
    for account in candidates:
        if copy is not None and account.is_dropped and _works(account, copy, directory):
            return account, copy
    raise PostgresAccountMissing(
        f"Postgres does not run as root, and no unprivileged account can run {installation.bin_dir} on {directory}",
        "Start as a normal user, or choose a data directory that the user `nobody` can reach",
    )


def _candidates(directory: Path, owner: int | None) -> Iterator[Account]:
    if owner is not None and owner != 0:
        yield _dropped(owner)
        return
    if owner is None:
        yield from (_dropped(uid) for uid in _existing_accounts(directory))
    namespace = _namespace()
    if namespace is not None:
        yield namespace


def _existing_accounts(directory: Path) -> tuple[int, ...]:
    """Whoever owns the directory can reach it; then the accounts that are there for such work."""
    uids = [directory.stat().st_uid]
    for name in USUAL_ACCOUNTS:
        try:
            uids.append(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    return tuple(dict.fromkeys(uid for uid in uids if uid != 0 and _is_known(uid)))


def _is_known(uid: int) -> bool:
    """initdb looks its own name up."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _dropped(uid: int) -> Account:
    return Account(uid, pwd.getpwuid(uid).pw_gid if _is_known(uid) else uid, is_dropped=True)


def _namespace() -> Account | None:
    """Root outside and somebody else inside: the files stay root's, and the server sees no root."""
    unshare = shutil.which("unshare")
    inside = next((entry for entry in pwd.getpwall() if entry.pw_uid != 0), None)
    if unshare is None or inside is None:
        return None
    prefix = (unshare, "--user", f"--map-user={inside.pw_uid}", f"--map-group={inside.pw_gid}", "--")
    return Account(0, 0, prefix)


def _works(account: Account, installation: Installation, directory: Path) -> bool:
    """Try it: reading modes and access lists by hand would only guess what the kernel knows."""
    script = 'cd "$1" && exec "$2" --version'
    probe = ("/bin/sh", "-c", script, "sh", str(directory), installation.program("postgres"))
    return account.run(probe, output=subprocess.PIPE, timeout_s=20).returncode == 0


def _readable_copy(installation: Installation, directory: Path) -> Installation | None:
    """Copy the wheel's programs and libraries beside the data, where the account can read them."""
    if installation.origin != "wheel":
        return None
    package = installation.bin_dir.parent.parent
    home = directory / f"programs-{installation.version}"
    if not home.exists():
        draft = home.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, draft / part.name)
        _open_for_reading(draft)
        draft.rename(home)
    return replace(installation, bin_dir=home / package.name / installation.bin_dir.relative_to(package))


def _open_for_reading(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
        if path.parent.name == "bin":
            path.chmod(0o755)
