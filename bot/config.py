"""Settings from the environment and a ``.env`` file: the only reader of the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

VAST_URL = "https://console.vast.ai"
SLACK_API_URL = "https://slack.com/api/"
DISCORD_API_URL = "https://discord.com"

SECRETS = ("vast_api_key", "slack_bot_token", "slack_app_token", "slack_signing_secret", "slack_client_id",
           "slack_client_secret", "discord_token", "secret_key")  # fmt: skip


class BadSettings(Exception):
    """The environment says something that cannot be used; the message names the variable and the mend."""


def default_database() -> str:
    """A SQLite file in the platform's folder for user data."""
    return f"sqlite+aiosqlite:///{user_data_path('spotbot', appauthor=False) / 'spotbot.db'}"


class Settings(BaseSettings):
    """Everything that can be set. Names are the environment variables in upper case."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    database_url: str = Field(default_factory=default_database)
    port: int = Field(8080, ge=0, le=65535)
    host: str = Field("127.0.0.1", validation_alias="SPOTBOT_HOST")
    vast_url: str = VAST_URL
    vast_api_key: SecretStr | None = None
    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_client_id: SecretStr | None = None
    slack_client_secret: SecretStr | None = None
    slack_api_url: str = SLACK_API_URL
    discord_token: SecretStr | None = None
    discord_api_url: str = DISCORD_API_URL
    secret_key: SecretStr | None = Field(None, validation_alias="SPOTBOT_SECRET_KEY")
    webhook_allow: str = Field("", validation_alias="SPOTBOT_WEBHOOK_ALLOW")
    gpus: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="SPOTBOT_GPUS")
    row_budget: int = Field(20_000, ge=1, validation_alias="SPOTBOT_ROW_BUDGET")
    poll_seconds: int = Field(300, ge=1, validation_alias="SPOTBOT_POLL_SECONDS")
    locale: str = Field("en", validation_alias="SPOTBOT_LOCALE")
    home: str | None = Field(None, validation_alias="SPOTBOT_HOME")

    @field_validator("gpus", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator(*SECRETS, "home", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: Any) -> Any:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("secret_key")
    @classmethod
    def _opens(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from bot.secret_box import SecretBox  # slow to import, and seldom needed

            try:
                SecretBox(value.get_secret_value())
            except ValueError:
                raise ValueError("is not a key; `spotbot keys secret` makes one") from None
        return value

    @field_validator("vast_url", "slack_api_url", "discord_api_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        return database_url(value)


def database_url(text: str) -> str:
    """The URL that SQLAlchemy wants: plain ``sqlite:``/``postgres:`` schemes and bare file paths are completed."""
    for plain, full in (
        ("sqlite:///", "sqlite+aiosqlite:///"),
        ("postgres://", "postgresql+asyncpg://"),
        ("postgresql://", "postgresql+asyncpg://"),
    ):
        if text.startswith(plain):
            return full + text.removeprefix(plain)
    if text.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        return text
    if "://" not in text and text.strip():
        return f"sqlite+aiosqlite:///{Path(text).expanduser().absolute()}"
    raise ValueError("use sqlite:///file.db or postgresql://user@host/database")


def load_settings(**overrides: Any) -> Settings:
    """The settings in force; raises BadSettings with one line for each thing that is wrong."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"{_variable(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise BadSettings("\n".join(lines)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "settings"
