"""A disk whose flushes take longer: what a cloud disk adds, added to the server that everything is measured on.

A small library is built with the C compiler and loaded into the server before libc. It sleeps after each `fdatasync`
(Linux's default way of flushing the write-ahead log) and `fsync` for as long as one number in a shared file says, so
that one server serves both series of a run, each side of a ratio with the same delay. At 0 it only reads that number.
"""

import mmap
import shlex
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from counterfoil.store.server import Installation

PROGRAMS: Final = ("initdb", "pg_ctl", "postgres")
SOURCE: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile const uint64_t *delay_us;

__attribute__((constructor)) static void find_delay(void)
{
    const char *path = getenv("BENCH_FLUSH_DELAY");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *page = mmap(0, sizeof(uint64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED)
        delay_us = page;
}

static void wait_longer(void)
{
    uint64_t us = delay_us ? *delay_us : 0;
    if (!us)
        return;
    struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    prctl(PR_SET_TIMERSLACK, 1000UL);
    nanosleep(&pause, 0);
}

int fdatasync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    int result = real(file);
    wait_longer();
    return result;
}

int fsync(int file)
{
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    int result = real(file);
    wait_longer();
    return result;
}
"""


class NoCompiler(Exception):
    """A slower disk needs a C compiler (cc). On Debian: apt-get install gcc libc6-dev"""


@dataclass(frozen=True, slots=True)
class SlowDisk:
    """The programs of a server whose flushes can be made to take longer."""

    installation: Installation
    number: Path

    @contextmanager
    def slower(self, by_us: int) -> Iterator[None]:
        """Let every flush take longer for a while."""
        self._say(by_us)
        try:
            yield
        finally:
            self._say(0)

    def _say(self, us: int) -> None:
        with self.number.open("r+b") as file, mmap.mmap(file.fileno(), 8) as page:
            page[:8] = struct.pack("=Q", us)


def prepare(installation: Installation, home: Path) -> SlowDisk:
    """Build the library and wrap the server's programs, so that they run with it. Raises NoCompiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler(str(NoCompiler.__doc__))
    source, library, number, programs = (home / name for name in ("slow.c", "slow.so", "flush-delay", "programs"))
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    number.write_bytes(struct.pack("=Q", 0))
    programs.mkdir()
    for name in PROGRAMS:
        _wrap(programs / name, installation.program(name), library, number)
    for each in (library, number, programs):
        each.chmod(0o755)  # as root the server runs as somebody else, who has to read them
    return SlowDisk(replace(installation, bin_dir=programs), number)


def _wrap(script: Path, program: str, library: Path, number: Path) -> None:
    told = f"LD_PRELOAD={shlex.quote(str(library))} BENCH_FLUSH_DELAY={shlex.quote(str(number))}"
    script.write_text(f'#!/bin/sh\nexec env {told} {shlex.quote(program)} "$@"\n')
    script.chmod(0o755)
