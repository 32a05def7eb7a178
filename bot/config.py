"""Settings from the environment and a ``.env`` file: the only reader of the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from platformdirs import user_data_path, user_state_path
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot import credentials

VAST_URL = "https://console.vast.ai"
SLACK_API_URL = "https://slack.com/api/"
DISCORD_API_URL = "https://discord.com"

SECRETS = ("vast_api_key", "slack_bot_token", "slack_app_token", "slack_signing_secret", "slack_client_id",
           "slack_client_secret", "discord_token", "secret_key")  # fmt: skip


SCHEMES = {
    "sqlite:///": "sqlite+aiosqlite:///",
    "postgres://": "postgresql+asyncpg://",
    "postgresql://": "postgresql+asyncpg://",
}
"""What a database's URL begins with, and the same with its driver."""
_USUAL_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")


class BadSettings(Exception):
    """The environment says something that cannot be used; the message names the variable and the mend."""


def default_database() -> str:
    """A SQLite file in the platform's folder for user data."""
    return str(user_data_path("spotbot", appauthor=False) / "spotbot.db")


def state_folder() -> Path:
    """The platform's folder for what programs leave for one another."""
    return user_state_path("spotbot", appauthor=False)


class Settings(BaseSettings):
    """Everything that can be set. Names are the environment variables in upper case."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8-sig", extra="ignore")

    database_url: str = Field(default_factory=default_database)
    port: int = Field(8080, ge=0, le=65535)
    host: str = Field("127.0.0.1", validation_alias="SPOTBOT_HOST")
    url: str | None = Field(None, validation_alias="SPOTBOT_URL")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="SPOTBOT_CORS_ORIGINS")
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

    @field_validator("gpus", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, values: Any) -> Any:
        """Blanks and line ends around a value are nobody's intent; what is nothing else is not set."""
        cleaned = {key: credentials.bare(value) if isinstance(value, str) else value for key, value in values.items()}
        return {key: value for key, value in cleaned.items() if value != ""}

    @field_validator(*(name for name in SECRETS if name != "secret_key"))
    @classmethod
    def _is_one_word(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (wrong := credentials.fault(value.get_secret_value())):
            raise ValueError(wrong)
        return value

    @field_validator("secret_key")
    @classmethod
    def _opens(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from bot.secret_box import SecretBox  # slow to import, and seldom needed

            try:
                SecretBox(value.get_secret_value())
            except ValueError:
                found = credentials.misplaced({"SPOTBOT_SECRET_KEY": value.get_secret_value()})
                known = found.get("SPOTBOT_SECRET_KEY", "").removeprefix("SPOTBOT_SECRET_KEY is ")
                raise ValueError(
                    f"is not a key{f' but {known}' if known else ''}; `spotbot keys secret` makes one"
                ) from None
        return value

    @field_validator("vast_url", "slack_api_url", "discord_api_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("url")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        return None if value is None else exact_origin(value.rstrip("/"))

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(exact_origin, value)))

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        return database_url(value)

    def with_locale(self, locale: str) -> Settings:
        """The same in a language's own spelling; whether it was said stays as it is."""
        changed = self.model_copy(update={"locale": locale})
        changed.__pydantic_fields_set__.intersection_update(self.model_fields_set)
        return changed

    @property
    def said_locale(self) -> str | None:
        """The language, where one was set rather than taken by default."""
        return self.locale if "locale" in self.model_fields_set else None

    def language_of(self, asked: str) -> str | None:
        """The language asked for on the command line, where it is another than the one set; else as said_locale."""
        return asked if asked != self.locale else self.said_locale

    def sources(self) -> dict[str, str]:
        """Where the value of each variable comes from: ``environment``, ``.env`` or ``default``."""
        here = {name.upper() for name, value in os.environ.items() if credentials.bare(value)}
        said = {name: "environment" if variable(name) in here else ".env" for name in self.model_fields_set}
        return {variable(name): said.get(name, "default") for name in Settings.model_fields}

    def secrets(self) -> dict[str, str]:
        """The secrets that are set, by variable."""
        found = {name: getattr(self, name) for name in SECRETS}
        return {variable(name): value.get_secret_value() for name, value in found.items() if value is not None}

    def misplaced(self) -> dict[str, str]:
        """Which variables hold a secret that belongs elsewhere, with a sentence each."""
        return credentials.misplaced(self.secrets())


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return str(Settings.model_fields[name].validation_alias or name).upper()


def exact_origin(text: str) -> str:
    """A web page's origin just as browsers send it; raises ValueError with what to write instead."""
    want = "write each origin as browsers send it: https://app.example.com, with :PORT where it is not the usual one"
    if "*" in text or text == "null":
        raise ValueError(f"“{text}” is no exact origin; {want}")
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"“{text}” is no origin; {want}") from None
    if scheme not in _USUAL_PORTS or not host.isascii() or not _HOST.fullmatch(host) or "@" in parts.netloc:
        raise ValueError(f"“{text}” is no origin; {want}")
    name = f"[{host}]" if ":" in host else host
    origin = f"{scheme}://{name}" + ("" if port in (None, _USUAL_PORTS[scheme]) else f":{port}")
    if text != origin:
        raise ValueError(f"“{text}” is not what browsers send; write {origin}")
    return origin


def database_url(text: str) -> str:
    """A URL with its driver, or the absolute path of a SQLite file: a plain path is nothing but the file's name."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("has a line break or control character inside: write it as one line")
    for plain, full in SCHEMES.items():
        for scheme in (plain, full):
            if text.startswith(scheme):
                return full + text.removeprefix(scheme)
    if "://" not in text and text.strip():
        return str(Path(os.path.expanduser(text)).absolute())  # Path's own raises for users that are none
    raise ValueError("use sqlite:///file.db or postgresql://user@host/database")


def load_settings(**overrides: Any) -> Settings:
    """The settings in force; raises BadSettings with one line for each thing that is wrong."""
    try:
        return Settings(**overrides)
    except UnicodeDecodeError:
        raise BadSettings(".env: is not text in UTF-8; save it anew as UTF-8") from None
    except ValidationError as error:
        lines = [f"{_variable(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise BadSettings("\n".join(lines)) from None


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "settings"
