"""The table of the settings: each with its type, its limits and its default."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from broker_setup.process.logs import LogFormat
from broker_setup.rights import Role
from broker_setup.settings.access_settings import ConsoleRights, Dialect, Jwks, Name, Network, QueueAccess, Users
from broker_setup.settings.environment import Environment
from broker_setup.settings.upstream_settings import Upstream, UpstreamName
from broker_setup.settings.user_settings import UserName
from broker_setup.settings.value_types import (
    AmqpUrl,
    BasicAuth,
    CaBundle,
    EarlierKey,
    GradingConcurrency,
    GradingMaxReply,
    GradingRetryDelays,
    GradingTimeout,
    NoticeGrace,
    Origin,
    Origins,
    ProcessingDelay,
    QueueGrader,
    QueueName,
    QueueOptions,
    SecretKey,
    SecretWebUrl,
    SigningKeys,
    StoreUrl,
    TokenKey,
    WebUrl,
)
from broker_setup.wire.replies import MAX_REPLY_BYTES
from broker_setup.wire.seals import Form

ENV_PREFIX = "XQUEUE_"


# What has ended is known for a day, and the longest lease, released with the longest delay, takes as long: whoever
# starts must read as much as whoever runs knows, or it hands out what is leased, and what was graded.
_LEAST_WINDOW_SECONDS = 24 * 3600


class SettingsTable(BaseSettings):
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
    amqp_url: AmqpUrl = SecretStr("amqp://guest:guest@127.0.0.1:5672/")
    management_url: SecretWebUrl | None = None
    broker_ca_bundle: CaBundle | None = None

    # shared by gateways and relays
    secret_key: SecretKey | None = None
    secret_key_fallbacks: tuple[EarlierKey, ...] = ()
    seal: Form = Form.FERNET  # that which 0.1.0 opens
    xqueues: dict[QueueName, QueueGrader | None] = Field(default_factory=dict)
    amqp_graders: dict[UserName, tuple[QueueName, ...]] = Field(default_factory=dict)
    service_users: dict[Role, UserName] = Field(default_factory=dict)
    ledger_max_age: Annotated[int, Field(ge=_LEAST_WINDOW_SECONDS)] = 7 * 24 * 3600  # seconds
    ledger_max_size: Annotated[int, Field(ge=100_000_000)] = 20 * 1024**3  # bytes
    # None: all but the forbidden addresses
    callback_allowed_origins: Origins | None = None
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    log_format: LogFormat = LogFormat.TEXT
    validate_results: bool = True
    max_reply_size: Annotated[int, Field(ge=1024, le=15 * 1024 * 1024)] = MAX_REPLY_BYTES
    failure_message: Annotated[str, Field(min_length=1)] = (
        "Something went wrong while your submission was being graded. Please submit it again. "
        "If the problem persists, please notify the course staff."
    )
    # seconds: over night, an operator's work day after it
    notice_grace: NoticeGrace = 24 * 3600.0

    # the gateway
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 18040
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    stop_delay: Annotated[float, Field(ge=0, le=60)] = 0.0  # seconds
    stop_time: Annotated[float, Field(ge=0, le=600)] = 0.0  # seconds
    public_url: WebUrl | None = None
    trusted_proxies: tuple[Network, ...] = ()
    users: Users = Field(default_factory=dict)
    queue_access: dict[QueueName, QueueAccess] = Field(default_factory=dict)
    # by the name of an account or a token; who is not in it is answered as its Accept header says
    dialects: dict[Name, Dialect] = Field(default_factory=dict)
    jwt_public_jwks: Jwks | None = None
    jwt_public_jwks_file: Path | None = None
    jwt_secret_key: TokenKey | None = None
    jwt_issuers: tuple[Name, ...] = ()
    jwt_audience: Name | None = None
    submission_processing_delay: ProcessingDelay = 1.0  # minutes, the original's unit
    max_processing_delay: ProcessingDelay = 60.0  # minutes
    max_attempts: Annotated[int, Field(gt=0, le=1000)] = 20  # until a submission is parked
    # as so many attempts a reply counts that is refused in a second lease, and in a third: a grader that answers the
    # same each time has five runs of the 20
    repeated_refusal_attempts: Annotated[int, Field(gt=0, le=1000)] = 5
    supersede_min_age: Annotated[float, Field(ge=0)] = 2.0  # seconds
    queue_options: dict[QueueName, QueueOptions] = Field(default_factory=dict)
    ledger_window: Annotated[float, Field(ge=_LEAST_WINDOW_SECONDS)] = 24 * 3600.0  # seconds
    upload_path: Path = Path("uploads")
    upload_store: StoreUrl | None = None
    upload_store_options: dict[str, SecretStr] = Field(default_factory=dict)
    upload_ca_bundle: Path | None = None
    upload_redirect: bool = False
    upload_concurrency: Annotated[int, Field(gt=0, le=100)] = 4  # files stored at once
    upload_url_expire: Annotated[int, Field(gt=0)] = 365 * 24 * 3600  # seconds, the original's default
    upload_max_age: Annotated[int, Field(ge=0)] = 3 * 24 * 3600  # seconds
    max_wait: Annotated[float, Field(gt=0, le=60)] = 55.0  # seconds; clients and proxies give up after 60
    max_connections: Annotated[int, Field(gt=0)] = 1000
    max_head_size: Annotated[int, Field(ge=1024)] = 64 * 1024  # bytes
    head_timeout: Annotated[float, Field(gt=0)] = 20.0  # seconds
    body_timeout: Annotated[float, Field(gt=0)] = 900.0  # seconds: 256 MiB at 300 kB/s
    stall_timeout: Annotated[float, Field(gt=0)] = 30.0  # seconds
    max_forms_size: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024  # bytes on the wire, all fields under way
    max_answers_size: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024  # bytes in memory, all that nobody has read yet
    max_form_size: Annotated[int, Field(gt=0)] = 16 * 1024 * 1024  # bytes on the wire, all fields of one request
    max_files: Annotated[int, Field(ge=0)] = 32  # of one submission
    max_file_size: Annotated[int, Field(gt=0)] = 100 * 1024 * 1024  # bytes
    max_upload_size: Annotated[int, Field(gt=0)] = 256 * 1024 * 1024  # bytes, all files of one submission
    max_uploads_size: Annotated[int, Field(gt=0)] = 1024**3  # bytes, all files of all requests under way
    gateway_metrics_host: str = "127.0.0.1"
    gateway_metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    # the bridge to passive graders
    grading_timeout: GradingTimeout = 30.0  # seconds, the original's
    # seconds; with the default timeout a delivery is held for 4 min at most, far below RabbitMQ's 30 min
    grading_retry_delays: GradingRetryDelays = (1, 5, 20, 60)
    grading_concurrency: GradingConcurrency = 4  # requests under way to one queue's grader
    grading_max_reply: GradingMaxReply = 1024 * 1024  # bytes
    grading_credentials: dict[Origin, BasicAuth] = Field(default_factory=dict)
    grading_ca_bundle: Path | None = None
    passive_metrics_host: str = "127.0.0.1"
    passive_metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    # xqueue-upstream, and the relay, which puts results back
    upstreams: dict[UpstreamName, Upstream] = Field(default_factory=dict)
    upstream_passwords: dict[UpstreamName, Annotated[SecretStr, Field(min_length=1)]] = Field(default_factory=dict)
    upstream_ahead: Annotated[int, Field(gt=0, le=1000)] = 2  # submissions that wait here for a grader
    upstream_poll: Annotated[float, Field(ge=0.05, le=300)] = 1.0  # seconds
    upstream_metrics_host: str = "127.0.0.1"
    upstream_metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    # the relay
    requests_timeout: Annotated[float, Field(gt=0)] = 5.0  # seconds
    requests_basic_auth: BasicAuth | None = None
    callback_credentials: dict[Origin, BasicAuth] = Field(default_factory=dict)
    callback_ca_bundle: Path | None = None
    callback_hold_pages: bool = False
    callback_signing_key: SigningKeys | None = None
    # seconds; no more than a week, as RabbitMQ takes 49 days at most and an LMS is not down that long
    retry_delays: tuple[Annotated[float, Field(ge=0.01, le=604800)], ...] = (1, 5, 30, 120, 600, 3600, 10800)
    max_number_of_failures: Annotated[int, Field(gt=0)] = 5  # refusals until a result is parked
    callback_max_age: Annotated[float, Field(gt=0)] = 3 * 24 * 3600.0  # seconds of failing until a result is parked
    callback_concurrency: Annotated[int, Field(gt=0, le=5000)] = 256  # results at hand at once
    callback_concurrency_per_origin: Annotated[int, Field(gt=0, le=1000)] = 32  # callbacks under way to one LMS
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    # the console
    console_host: str = "127.0.0.1"
    console_port: Annotated[int, Field(ge=0, le=65535)] = 18050
    console_url: WebUrl | None = None
    console_accounts: Users = Field(default_factory=dict)
    # who is not in it sees everything, and does nothing
    console_roles: dict[Name, ConsoleRights] = Field(default_factory=dict)
    # seconds, and submissions: what is older goes first, and then what is too many
    console_relay_url: WebUrl | None = None
    console_window: Annotated[float, Field(ge=_LEAST_WINDOW_SECONDS)] = 7 * 24 * 3600.0
    console_submissions: Annotated[int, Field(ge=1000, le=100_000_000)] = 1_000_000
    console_metrics_host: str = "127.0.0.1"
    console_metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    # xqueue-broker
    archive_store: StoreUrl | None = None
    archive_store_options: dict[str, SecretStr] = Field(default_factory=dict)
    archive_max_age: Annotated[int, Field(ge=3600)] = 180 * 24 * 3600  # seconds: a term, and what comes after it
    broker_passwords: dict[UserName, Annotated[SecretStr, Field(min_length=1)]] = Field(default_factory=dict)
    retired_message: Annotated[str, Field(min_length=1)] = (
        "Your submission could not be graded. Please submit it again. "
        "If the problem persists, please notify the course staff."
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_set(cls, values: object) -> object:
        # Files made from templates name what they leave out.
        return (
            {key: value for key, value in values.items() if value is not None} if isinstance(values, dict) else values
        )

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
        return Environment(settings_cls), init_settings
