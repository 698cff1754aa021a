"""What can go wrong with the embedded server, each with a stable code and a way out.

PostgresUnusable
├── PostgresNotFound             no server program on this machine
├── PostgresAccountMissing       as root: no unprivileged way to run it
├── PostgresDirectoryUnusable    the data directory can't be made, read or written
├── PostgresDirectoryForeign     the data directory holds something else
├── PostgresVersionMismatch      the data were written by another major version
├── PostgresPortTaken            the TCP port is in use or not allowed
├── PostgresDiskFull             no space left for the data
├── PostgresStartTimeout         it starts, but not in time
└── PostgresStartFailed          it ended while starting; the log says why
"""

from typing import ClassVar


class PostgresUnusable(Exception):
    """The embedded database server can't be used. `detail` says what happened, `remedy` what to do."""

    code: ClassVar[str] = "postgres_unusable"

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(f"{detail}. {remedy}.")
        self.detail = detail
        self.remedy = remedy


class PostgresNotFound(PostgresUnusable):
    """No Postgres server program was found."""

    code = "postgres_not_found"


class PostgresAccountMissing(PostgresUnusable):
    """Postgres refuses to run as root, and no unprivileged account can run it here."""

    code = "postgres_account_missing"


class PostgresDirectoryUnusable(PostgresUnusable):
    """The data directory can't be made, read or written."""

    code = "postgres_directory_unusable"


class PostgresDirectoryForeign(PostgresUnusable):
    """The data directory holds something that is not a database cluster."""

    code = "postgres_directory_foreign"


class PostgresVersionMismatch(PostgresUnusable):
    """The data directory was written by another major version of Postgres."""

    code = "postgres_version_mismatch"


class PostgresPortTaken(PostgresUnusable):
    """The TCP port can't be used."""

    code = "postgres_port_taken"


class PostgresDiskFull(PostgresUnusable):
    """There is no space left for the data directory."""

    code = "postgres_disk_full"


class PostgresStartTimeout(PostgresUnusable):
    """The server did not become ready in time."""

    code = "postgres_start_timeout"


class PostgresStartFailed(PostgresUnusable):
    """The server ended while it was starting."""

    code = "postgres_start_failed"
