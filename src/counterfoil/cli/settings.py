"""Settings of a process: options first, then the environment, then a configuration file in TOML.

The three use the same names: `--stripe-api-key`, `COUNTERFOIL_STRIPE_API_KEY`, `stripe_api_key`. Only the database's
address keeps the name that everybody uses, `DATABASE_URL`.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import AliasChoices, AwareDatetime, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from counterfoil.cli.troubles import SettingsInvalid

CONFIG_FILE: Final = Path("counterfoil.toml")


class Settings(BaseSettings):
    """Everything that can be set, with what holds when it is not."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERFOIL_", env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr | None = Field(None, validation_alias=AliasChoices("database_url", "DATABASE_URL"))
    data_dir: Path = Path(".counterfoil")
    master_key: SecretStr | None = None
    stripe_api_key: SecretStr | None = None
    stripe_api_base: str | None = None
    stripe_webhook_secret: SecretStr | None = None
    smtp_url: SecretStr | None = None
    mail_from: str | None = None
    mail_operators: str | None = None
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(4747, ge=0, le=65535)
    sandbox_port: int = Field(12111, ge=0, le=65535)
    clock: AwareDatetime | None = None
    force_live: bool = False
    threads: int = Field(4, ge=1, le=64)
    lease_s: float = Field(60.0, gt=0)
    sweep_every_s: float = Field(300.0, gt=0)
    upkeep_every_s: float = Field(3600.0, gt=0)
    webhooks_to_loopback: bool = False
    keep_bodies_days: float = Field(90.0, gt=0, le=36_500)
    keep_keys_days: float = Field(30.0, ge=1, le=36_500)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets of the default endpoint: several while one is being rotated."""
        given = self.stripe_webhook_secret.get_secret_value() if self.stripe_webhook_secret else ""
        return tuple(secret.strip() for secret in given.split(",") if secret.strip())

    @property
    def stripe_key(self) -> str | None:
        """The key of the default account, None when the sandbox takes its place."""
        return self.stripe_api_key.get_secret_value() if self.stripe_api_key else None

    @property
    def dsn(self) -> str | None:
        """The address of a database that somebody else runs, None for the embedded one."""
        return self.database_url.get_secret_value() if self.database_url else None

    @property
    def is_live(self) -> bool:
        """Say whether the default account's key moves real money."""
        return is_live_key(self.stripe_key or "")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options stand above the environment. The file is merged below both by `read`."""
        return (init_settings, env_settings)


def is_live_key(key: str) -> bool:
    """Say whether a provider key moves real money."""
    return "_live_" in key


def read(options: Mapping[str, Any], config: Path | None = None) -> Settings:
    """Read the settings. Options that are None are not given. Raises SettingsInvalid."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**(_below_the_environment(config) | given))
    except ValidationError as error:
        raise SettingsInvalid(_first_of(error)) from None


def _below_the_environment(config: Path | None) -> dict[str, Any]:
    """Give what the file says and the environment does not."""
    path = config or Path(os.environ.get("COUNTERFOIL_CONFIG") or CONFIG_FILE)
    if not path.exists():
        if config is not None:
            raise SettingsInvalid(f"there is no configuration file {path}")
        return {}
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsInvalid(f"{path} can't be read: {error}") from None
    return {name: value for name, value in said.items() if not _in_environment(name)}


def _in_environment(name: str) -> bool:
    return bool(os.environ.get("DATABASE_URL" if name == "database_url" else f"COUNTERFOIL_{name.upper()}"))


def _first_of(error: ValidationError) -> str:
    """Name the setting and the reason, never the value: it may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]) or "a setting"
    return f"the setting {name.lower()} can't be read: {first['msg'].lower()}"
