"""What can go wrong on the command line, told as a sentence, a stable code and what to do.

Errors of other rooms carry a code of their own; this is where each gets its exit code and its remedy. Whatever has no
code is a bug and keeps its traceback.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Final


class Exit(IntEnum):
    """How a command ended. Scripts rely on these."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    REFUSED = 3
    PROVIDER = 4


class Trouble(Exception):
    """An anticipated error of the command line. `detail` is a sentence without its full stop."""

    code: ClassVar[str] = "trouble"
    remedy: ClassVar[str] = "See counterfoil --help"
    exit_code: ClassVar[Exit] = Exit.REFUSED


class SettingsInvalid(Trouble):
    """A setting can't be read."""

    code = "settings_invalid"
    remedy = "Correct it in the options, the environment or the configuration file"
    exit_code = Exit.USAGE


class PortTaken(Trouble):
    """The port can't be listened on."""

    code = "port_taken"
    remedy = "Stop what listens there, or choose another with --port"


class DataDirectoryInUse(Trouble):
    """Another process serves this data directory."""

    code = "data_directory_in_use"
    remedy = "Stop it, or choose another directory with --data-dir"


class PlaceUnusable(Trouble):
    """A file or directory can't be made, read or written."""

    code = "place_unusable"
    remedy = "Make it writable, or choose another place"


class CatalogueRefused(Trouble):
    """A catalogue can't be read, or says something that can't be."""

    code = "catalogue_refused"
    remedy = "Correct the file; examples/packs.json shows its form"


class LiveKeyRefused(Trouble):
    """A live key moves real money; the embedded database is made for evaluation."""

    code = "live_key_refused"
    remedy = "Set DATABASE_URL to a database that is backed up, or insist with --force-live"


class MasterKeyMissing(Trouble):
    """Secrets of a live account are sealed with a master key that no single machine's disk should hold."""

    code = "master_key_missing"
    remedy = "Set COUNTERFOIL_MASTER_KEY to 32 random bytes in text form, and keep it apart from backups"


class ModeMismatch(Trouble):
    """A tenant is in one mode for ever."""

    code = "mode_mismatch"
    remedy = "Use another database or data directory for the other mode"


class AccountMismatch(Trouble):
    """The books of an account can't go on with another provider."""

    code = "account_mismatch"
    remedy = "Choose another data directory or database, or connect it beside with `counterfoil connect --slug`"


class SchemaOutdated(Trouble):
    """The database lacks migrations of this version."""

    code = "schema_outdated"
    remedy = "Run `counterfoil migrate`"


class NotFound(Trouble):
    """There is nothing with this id."""

    code = "not_found"
    remedy = "Check the id; ids of another tenant are not found either"


class RefundRefused(Trouble):
    """The money can't go back as it was asked for."""

    code = "refund_refused"
    remedy = "Refund what is left, name the leg, or choose another destination"


class ProviderTrouble(Trouble):
    """The provider did not answer, or refused."""

    code = "provider_unavailable"
    remedy = "Check the key and the address of the provider, and try again"
    exit_code = Exit.PROVIDER


REMEDIES: Final[dict[str, tuple[Exit, str]]] = {
    "database_unavailable": (Exit.REFUSED, "Check DATABASE_URL, and that Postgres is running"),
    "migration_refused": (Exit.REFUSED, "Install the version of Counterfoil that migrated this database"),
    "commit_unknown": (Exit.REFUSED, "Check that Postgres is running, look whether it took effect, and try again"),
    "master_key_refused": (Exit.USAGE, "Set COUNTERFOIL_MASTER_KEY to at least 16 random characters"),
    "secret_unreadable": (Exit.REFUSED, "Set COUNTERFOIL_MASTER_KEY to the key that sealed this database's secrets"),
    "master_key_unknown": (
        Exit.REFUSED,
        "Set COUNTERFOIL_MASTER_KEY to that key. To change it, set it to `new,old` and run "
        "`counterfoil keys rotate-master`",
    ),
    "scope_unknown": (Exit.USAGE, "Choose among read, spend, write, refund, fix and admin"),
    "not_found": (Exit.REFUSED, NotFound.remedy),
    "clock_fixed": (Exit.REFUSED, "Move the clock in test mode only, and only forward"),
    "provider_key_refused": (Exit.PROVIDER, "Copy the whole key again, and check that it is of the right mode"),
    "webhook_endpoint_exists": (Exit.REFUSED, "Replace it with --replace"),
}
"""Exit code and remedy of the anticipated errors of other rooms, by their codes."""


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn the file system's refusals about a place into an error that says what to do."""
    try:
        yield
    except OSError as refusal:
        raise PlaceUnusable(f"{place} can't be used: {refusal.strerror}") from refusal


@dataclass(frozen=True, slots=True)
class Told:
    """An error as it is shown."""

    sentence: str
    code: str
    remedy: str
    exit_code: Exit

    def as_text(self) -> str:
        """Say it in two lines."""
        return f"{self.sentence.rstrip('.')}. [{self.code}]\n{self.remedy.rstrip('.')}."

    def as_json(self) -> str:
        """Say it to a machine, in one line."""
        error = {"code": self.code, "detail": self.sentence, "remedy": self.remedy}
        return json.dumps({"error": error}, ensure_ascii=False)


def tell(error: Exception) -> Told | None:
    """Put an anticipated error into words, None when it is a bug."""
    if isinstance(error, Trouble):
        return Told(_sentence(error), error.code, error.remedy, error.exit_code)
    code, remedy = getattr(error, "code", None), getattr(error, "remedy", None)
    if isinstance(code, str) and isinstance(remedy, str):
        return Told(str(getattr(error, "detail", error)), code, remedy, Exit.REFUSED)
    if isinstance(code, str) and code in REMEDIES:
        exit_code, remedy = REMEDIES[code]
        return Told(_sentence(error), code, remedy, exit_code)
    return _of_the_provider(error)


def _of_the_provider(error: Exception) -> Told | None:
    from counterfoil.providers.port import ProviderUnavailable

    if not isinstance(error, ProviderUnavailable):
        return None
    return Told(_sentence(error), ProviderTrouble.code, ProviderTrouble.remedy, Exit.PROVIDER)


def _sentence(error: Exception) -> str:
    said = str(error) or str(type(error).__doc__).partition("\n")[0]
    return said[:1].upper() + said[1:]
