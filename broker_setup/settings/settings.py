"""The settings: one frozen, typed value, read once at start from XQUEUE_CFG (YAML) and the environment."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import (
    AfterValidator,
    AmqpDsn,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettingsError

from broker_setup.callback_origins import origin
from broker_setup.errors import SettingsError
from broker_setup.link.broker_url import user_of
from broker_setup.secret_keys import signing_key
from broker_setup.settings.access_settings import Jwks, Name, Network, QueueAccess, Users
from broker_setup.settings.secret_files import FILE_SUFFIX, is_secret, secrets_of_files
from broker_setup.settings.user_settings import UserName, wrong_with_users
from broker_setup.settings.wrong_settings import explain, explain_unreadable
from broker_setup.topology import RESERVED_QUEUE_NAMES, Topology, topology
from broker_setup.users.rights import Role, service_names

ENV_PREFIX = "XQUEUE_"

# Read by the local stack or by the loader itself, so not keys of the settings.
_ENV_OF_OTHERS = frozenset({"CFG", "DATA_DIR", "CACHE_DIR"})

# How alike a name must be to be guessed: a slip of the fingers is, another word of the original's settings is not.
_CLOSE = 0.75
_SECRET_KEY_LENGTH = 32
# RabbitMQ takes 255 bytes, of which our prefix needs 19.
_QUEUE_NAME_BYTES = 200

# In XQUEUES: the queue's grader consumes it over AMQP.
AMQP = "amqp"

# The longest that a lease may last, too: a delivery is not held for longer.
_LONGEST_HOLD_SECONDS = 12 * 3600

_STORES = ("file:///", "s3://", "gs://", "az://")

_AMQP_URL = TypeAdapter(AmqpDsn)
_HTTP_URL = TypeAdapter(HttpUrl)


def _amqp_url(value: SecretStr) -> SecretStr:
    _AMQP_URL.validate_python(value.get_secret_value())
    return value


def _http_url(value: str) -> str:
    _HTTP_URL.validate_python(value)
    return value.rstrip("/")


def _grader(value: str) -> str:
    # As it stands: to a grader, a slash at the end may mean the world.
    if value != AMQP:
        _HTTP_URL.validate_python(value)
    return value


def _secret_http_url(value: SecretStr) -> SecretStr:
    return SecretStr(_http_url(value.get_secret_value()))


def _store_url(value: str) -> str:
    if not value.startswith(_STORES) or value in _STORES:
        raise ValueError(f"must begin with one of {', '.join(_STORES)} and go on with a folder or bucket")
    return value


def _queue_name(name: str) -> str:
    if name in RESERVED_QUEUE_NAMES:
        raise ValueError(f"the queue name {name!r} is taken by XQueue itself")
    if not name or not name.isprintable():
        raise ValueError(f"the queue name {name!r} is empty or has unprintable characters")
    if len(name.encode()) > _QUEUE_NAME_BYTES:
        raise ValueError(f"the queue name {name!r} is longer than {_QUEUE_NAME_BYTES} bytes")
    return name


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SECRET_KEY_LENGTH:
        raise ValueError(f"must have {_SECRET_KEY_LENGTH} characters or more (`openssl rand -hex 32` makes one)")
    return secret


def _signing_key(secret: SecretStr) -> SecretStr:
    signing_key(secret.get_secret_value())
    return secret


def _not_empty(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    # Empty it would mean "none", or "all": whoever wrote it meant one of them.
    if not entries:
        raise ValueError("must have an entry")
    return entries


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _pair(value: object) -> object:
    return value.split(":", 1) if isinstance(value, str) and not value.startswith("[") else value


QueueName = Annotated[str, AfterValidator(_queue_name)]
ProcessingDelay = Annotated[float, Field(gt=0, le=720)]
SecretKey = Annotated[SecretStr, AfterValidator(_long_enough)]
SigningKey = Annotated[SecretStr, AfterValidator(_signing_key)]
BasicAuth = tuple[str, SecretStr]
Origin = Annotated[str, AfterValidator(origin)]


class QueueOptions(BaseModel):
    """What one course queue does differently; what is None follows the general setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    supersede: bool = True
    processing_delay: ProcessingDelay | None = None  # minutes
    max_processing_delay: ProcessingDelay | None = None  # minutes


class Settings(BaseSettings):
    """Every key of xqueue.yml that means something here; docs/reference/settings.md is the table for people.

    In YAML the keys are upper case and keep the names and units of the original's; in the environment XQUEUE_ stands
    before each. The environment wins.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    # the broker
    amqp_url: Annotated[SecretStr, AfterValidator(_amqp_url)] = SecretStr("amqp://guest:guest@127.0.0.1:5672/")
    management_url: Annotated[SecretStr, AfterValidator(_secret_http_url)] | None = None

    # shared by gateways and relays
    secret_key: SecretKey | None = None
    secret_key_fallbacks: tuple[SecretKey, ...] = ()
    xqueues: dict[QueueName, Annotated[str, AfterValidator(_grader)] | None] = Field(default_factory=dict)
    amqp_graders: dict[UserName, tuple[QueueName, ...]] = Field(default_factory=dict)
    service_users: dict[Role, UserName] = Field(default_factory=dict)
    ledger_max_age: Annotated[int, Field(ge=3600)] = 7 * 24 * 3600  # seconds
    ledger_max_size: Annotated[int, Field(ge=100_000_000)] = 20 * 1024**3  # bytes
    # None: all but the forbidden addresses
    callback_allowed_origins: Annotated[tuple[Origin, ...], AfterValidator(_not_empty)] | None = None
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    validate_results: bool = True
    failure_message: Annotated[str, Field(min_length=1)] = (
        "Something went wrong while your submission was being graded. Please submit it again. "
        "If the problem persists, please notify the course staff."
    )

    # the gateway
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 18040
    public_url: Annotated[str, AfterValidator(_http_url)] | None = None
    trusted_proxies: tuple[Network, ...] = ()
    users: Users = Field(default_factory=dict)
    queue_access: dict[QueueName, QueueAccess] = Field(default_factory=dict)
    jwt_public_jwks: Jwks | None = None
    jwt_public_jwks_file: Path | None = None
    jwt_secret_key: SecretKey | None = None
    jwt_issuers: tuple[Name, ...] = ()
    jwt_audience: Name | None = None
    submission_processing_delay: ProcessingDelay = 1.0  # minutes, the original's unit
    max_processing_delay: ProcessingDelay = 60.0  # minutes
    max_attempts: Annotated[int, Field(gt=0, le=1000)] = 20  # until a submission is parked
    supersede_min_age: Annotated[float, Field(ge=0)] = 2.0  # seconds
    queue_options: dict[QueueName, QueueOptions] = Field(default_factory=dict)
    ledger_window: Annotated[float, Field(gt=0)] = 24 * 3600.0  # seconds
    upload_path: Path = Path("uploads")
    upload_store: Annotated[str, AfterValidator(_store_url)] | None = None
    upload_store_options: dict[str, SecretStr] = Field(default_factory=dict)
    upload_redirect: bool = False
    upload_concurrency: Annotated[int, Field(gt=0, le=100)] = 4  # files stored at once
    upload_url_expire: Annotated[int, Field(gt=0)] = 365 * 24 * 3600  # seconds, the original's default
    upload_max_age: Annotated[int, Field(ge=0)] = 3 * 24 * 3600  # seconds
    max_connections: Annotated[int, Field(gt=0)] = 1000
    max_head_size: Annotated[int, Field(ge=1024)] = 64 * 1024  # bytes
    head_timeout: Annotated[float, Field(gt=0)] = 20.0  # seconds
    body_timeout: Annotated[float, Field(gt=0)] = 900.0  # seconds: 256 MiB at 300 kB/s
    stall_timeout: Annotated[float, Field(gt=0)] = 30.0  # seconds
    max_forms_size: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024  # bytes on the wire, all fields under way
    max_form_size: Annotated[int, Field(gt=0)] = 16 * 1024 * 1024  # bytes on the wire, all fields of one request
    max_files: Annotated[int, Field(ge=0)] = 32  # of one submission
    max_file_size: Annotated[int, Field(gt=0)] = 100 * 1024 * 1024  # bytes
    max_upload_size: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024  # bytes, all files of one submission

    # the bridge to passive graders
    grading_timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0  # seconds, the original's
    # seconds; with the default timeout a delivery is held for 4 min at most, far below RabbitMQ's 30 min
    grading_retry_delays: tuple[Annotated[float, Field(ge=0.01, le=3600)], ...] = (1, 5, 20, 60)
    grading_concurrency: Annotated[int, Field(gt=0, le=1000)] = 4  # requests under way to one queue's grader
    grading_max_reply: Annotated[int, Field(gt=0, le=15 * 1024 * 1024)] = 1024 * 1024  # bytes; a message takes 15 MiB

    # the relay
    requests_timeout: Annotated[float, Field(gt=0)] = 5.0  # seconds
    requests_basic_auth: Annotated[BasicAuth, BeforeValidator(_pair)] | None = None
    callback_credentials: dict[Origin, Annotated[BasicAuth, BeforeValidator(_pair)]] = Field(default_factory=dict)
    callback_ca_bundle: Path | None = None
    callback_signing_key: (
        Annotated[tuple[SigningKey, ...], AfterValidator(_not_empty), BeforeValidator(_words)] | None
    ) = None
    # seconds; no more than a week, as RabbitMQ takes 49 days at most and an LMS is not down that long
    retry_delays: tuple[Annotated[float, Field(ge=0.01, le=604800)], ...] = (1, 5, 30, 120, 600, 3600, 10800)
    max_number_of_failures: Annotated[int, Field(gt=0)] = 5  # refusals until a result is parked
    callback_max_age: Annotated[float, Field(gt=0)] = 3 * 24 * 3600.0  # seconds of failing until a result is parked
    callback_concurrency: Annotated[int, Field(gt=0, le=5000)] = 256  # results at hand at once
    callback_concurrency_per_origin: Annotated[int, Field(gt=0, le=1000)] = 32  # callbacks under way to one LMS
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    # xqueue-broker
    broker_passwords: dict[UserName, Annotated[SecretStr, Field(min_length=1)]] = Field(default_factory=dict)
    retired_message: Annotated[str, Field(min_length=1)] = (
        "Your submission could not be graded. Please submit it again. "
        "If the problem persists, please notify the course staff."
    )

    @model_validator(mode="after")
    def _needs_a_rung(self) -> Self:
        if not self.retry_delays:
            raise ValueError("RETRY_DELAYS must name at least one delay in seconds")
        return self

    @model_validator(mode="after")
    def _deliveries_are_not_held_for_ever(self) -> Self:
        delays = self.grading_retry_delays
        longest = sum(delays) + self.grading_timeout * (len(delays) + 1)
        if self.passive_graders and longest > _LONGEST_HOLD_SECONDS:
            raise ValueError(
                f"GRADING_TIMEOUT for each try and GRADING_RETRY_DELAYS add up to {longest:g} s: "
                f"must be {_LONGEST_HOLD_SECONDS} or less"
            )
        return self

    @model_validator(mode="after")
    def _users_make_sense(self) -> Self:
        if wrong := wrong_with_users(
            self.xqueues, self.amqp_graders, self.broker_users.values(), self.broker_passwords
        ):
            raise ValueError(wrong)
        return self

    @property
    def broker_users(self) -> dict[Role, str]:
        """The broker's users that are not graders, by what they are for."""
        return service_names(self.service_users)

    @property
    def services(self) -> frozenset[str]:
        """The broker users that may publish any result: those made for that, and the one that we are ourselves."""
        users = {name for role, name in self.broker_users.items() if role is not Role.OPERATOR}
        us = user_of(self.amqp_url.get_secret_value())
        return frozenset(users | ({us} - self.amqp_graders.keys() if us else set()))

    @model_validator(mode="after")
    def _tokens_need_an_issuer(self) -> Self:
        if (self.jwt_public_jwks or self.jwt_public_jwks_file or self.jwt_secret_key) and not self.jwt_issuers:
            raise ValueError("JWT_ISSUERS must name who issues the tokens that JWT_* keys are for")
        if self.jwt_secret_key and self.jwt_secret_key in (self.secret_key, *self.secret_key_fallbacks):
            raise ValueError("JWT_SECRET_KEY must not be SECRET_KEY: whoever issues tokens would know it")
        return self

    @model_validator(mode="after")
    def _lists_are_for_queues(self) -> Self:
        # A slip of the fingers would leave a queue open to everybody.
        wrong = [queue for queue in self.queue_access if self.xqueues and queue not in self.xqueues]
        if wrong:
            raise ValueError(
                f"QUEUE_ACCESS names queues that XQUEUES doesn't have: {', '.join(map(repr, wrong))}; "
                f"it has {', '.join(map(repr, self.xqueues))}"
            )
        return self

    @property
    def topology(self) -> Topology:
        """The exchanges and queues that these settings ask for."""
        return topology(
            self.xqueues,
            self.retry_delays,
            ledger_max_age=self.ledger_max_age,
            ledger_max_size=self.ledger_max_size,
        )

    @property
    def passive_graders(self) -> dict[str, str]:
        """The URL of each queue whose grader is called."""
        return {queue: grader for queue, grader in self.xqueues.items() if grader and grader != AMQP}

    def processing_delay_of(self, queue: str) -> float:
        """How long a lease of `queue` lasts, in seconds."""
        options = self.queue_options.get(queue, QueueOptions())
        return (options.processing_delay or self.submission_processing_delay) * 60

    def max_processing_delay_of(self, queue: str) -> float:
        """How long a lease of `queue` may last when it is extended, in seconds."""
        options = self.queue_options.get(queue, QueueOptions())
        return (options.max_processing_delay or self.max_processing_delay) * 60

    def supersede_after(self, queue: str) -> float | None:
        """How old a submission of `queue` must be to be superseded, in seconds; None: it never is."""
        return self.supersede_min_age if self.queue_options.get(queue, QueueOptions()).supersede else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The current secret, then the earlier ones that still open what they sealed; empty if none is set."""
        current = (self.secret_key,) if self.secret_key else ()
        return tuple(secret.get_secret_value() for secret in (*current, *self.secret_key_fallbacks))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file (which arrives as init values)."""
        return env_settings, init_settings


def load_settings(require: Iterable[str] = ()) -> tuple[Settings, list[str]]:
    """Read the settings; return them with the names of keys that were set but mean nothing here.

    Raise SettingsError, one line for each wrong key, also where a key of `require` is not set.
    """
    from_file = _read_file(os.environ.get(f"{ENV_PREFIX}CFG"))
    given = {key.lower(): value for key, value in from_file.items() if key in _known_keys()}
    try:
        settings = Settings(**given | secrets_of_files(Settings, ENV_PREFIX))
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, ENV_PREFIX)) from None
    except UnreadableSettingsError as error:
        raise SettingsError(explain_unreadable(error, Settings, ENV_PREFIX)) from None
    missing = [key for key in require if not getattr(settings, key.lower())]
    if missing:
        raise SettingsError(
            "\n".join(f"{key} is not set: give it in XQUEUE_CFG's file or as {ENV_PREFIX}{key}" for key in missing),
        )
    return settings, _unknown_keys(from_file)


def unknown_keys_warning(unknown: Iterable[str]) -> str:
    """Word the warning about keys that mean nothing here, each with the one that may have been meant."""
    return f"these settings mean nothing here: {', '.join(map(_with_a_guess, unknown))}"


def _with_a_guess(name: str) -> str:
    prefix = ENV_PREFIX if name.startswith(ENV_PREFIX) else ""
    candidates = _known_keys() | _ENV_OF_OTHERS if prefix else _known_keys()
    close = difflib.get_close_matches(name.removeprefix(prefix).upper(), sorted(candidates), 1, _CLOSE)
    return f"{name} (did you mean {prefix}{close[0]}?)" if close else name


def _read_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"XQUEUE_CFG: can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"XQUEUE_CFG: {path} is not YAML: {_without_the_text(error)}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"XQUEUE_CFG: {path} must map names of settings to values")
    return content


def _without_the_text(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    # PyYAML's own message quotes the line, which may hold a password.
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return str(error).split("\n", maxsplit=1)[0]


def _known_keys() -> frozenset[str]:
    return frozenset(name.upper() for name in Settings.model_fields)


def _secret_file_keys() -> frozenset[str]:
    return frozenset(f"{name.upper()}{FILE_SUFFIX}" for name in Settings.model_fields if is_secret(Settings, name))


def _unknown_keys(from_file: Mapping[str, Any]) -> list[str]:
    known = _known_keys()
    from_environment = {name for name in os.environ if name.startswith(ENV_PREFIX) and name.isupper()} - {
        f"{ENV_PREFIX}{name}" for name in known | _ENV_OF_OTHERS | _secret_file_keys()
    }
    return sorted({key for key in from_file if key not in known} | from_environment)
