"""Names the machine that absolute figures were measured on."""

import os
import platform
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg

FLUSHES = 200
PAGE = b"\0" * 8192


def describe(dsn: str) -> dict[str, Any]:
    """Describe cores, memory, Postgres and its durability, Python, and how busy the machine is."""
    with psycopg.connect(dsn) as connection:
        settings = {name: _show(connection, name) for name in ("server_version", "fsync", "synchronous_commit")}
        directory = _show(connection, "data_directory")
    return {
        "cores": os.cpu_count(),
        "processor": _line("/proc/cpuinfo", "model name"),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "postgres": settings["server_version"],
        "fsync": settings["fsync"],
        "synchronous_commit": settings["synchronous_commit"],
        "flush_us": flush_us(Path(directory)),
        "load": os.getloadavg()[0],
    }


def flush_us(directory: Path) -> int | None:
    """Give how long the database's disk takes to flush a page, in microseconds; None where it is not ours to try."""
    file = directory / "flush-trial"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        return round(median(_flush(descriptor) for _ in range(FLUSHES)) * 1e6)
    finally:
        os.close(descriptor)
        file.unlink()


def _flush(descriptor: int) -> float:
    began = perf_counter()
    os.pwrite(descriptor, PAGE, 0)
    os.fdatasync(descriptor)
    return perf_counter() - began


def _show(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def _line(path: str, name: str) -> str:
    """Give a named line of one of Linux's own files, empty where there is none."""
    file = Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
