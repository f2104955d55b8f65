"""The types of single settings: what a value must be like, checked before any of it is used."""

from pathlib import Path
from typing import Annotated, Any

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
)

from broker_setup.link.broker_url import each_of, user_of, vhost_of
from broker_setup.outbound.callback_urls import origin
from broker_setup.outbound.trust import wrong_with_bundle
from broker_setup.settings.secret_strength import weakness
from broker_setup.topology import RESERVED_QUEUE_NAMES
from broker_setup.wire.secret_keys import signing_key

# In XQUEUES: the queue's grader consumes it over AMQP.
AMQP = "amqp"

# HS256 wants as many bytes as its hash has (RFC 7518).
_TOKEN_KEY_LENGTH = 32
_EARLIER_KEY_LENGTH = 16
# RabbitMQ takes 255 bytes, of which our prefix needs 19.
_QUEUE_NAME_BYTES = 200

_STORES = ("file:///", "s3://", "gs://", "az://")

_AMQP_URL = TypeAdapter(AmqpDsn)
_HTTP_URL = TypeAdapter(HttpUrl)


def _amqp_url(value: SecretStr) -> SecretStr:
    uris = each_of(value.get_secret_value())
    for uri in uris:
        _AMQP_URL.validate_python(uri)
    if len({(user_of(uri), vhost_of(uri)) for uri in uris}) > 1:
        raise ValueError("nodes of one cluster with the same user and virtual host")
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


def _digits(name: object) -> object:
    # YAML reads 6001 as a number, and the LMS says which queue it means in either way.
    return str(name) if isinstance(name, int) and not isinstance(name, bool) else name


def _queue_name(name: str) -> str:
    if name in RESERVED_QUEUE_NAMES:
        raise ValueError(f"the queue name {name!r} is taken by XQueue itself")
    if not name or not name.isprintable():
        raise ValueError(f"the queue name {name!r} is empty or has unprintable characters")
    if len(name.encode()) > _QUEUE_NAME_BYTES:
        raise ValueError(f"the queue name {name!r} is longer than {_QUEUE_NAME_BYTES} bytes")
    return name


def _strong(secret: SecretStr) -> SecretStr:
    if weak := weakness(secret.get_secret_value()):
        raise ValueError(f"must be a long random text, and this one {weak}; `openssl rand -hex 32` makes a good one")
    return secret


def _earlier(secret: SecretStr) -> SecretStr:
    # However weak it was: what it sealed has to be opened once more.
    if len(secret.get_secret_value()) < _EARLIER_KEY_LENGTH:
        raise ValueError(f"must have {_EARLIER_KEY_LENGTH} characters or more")
    return secret


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _TOKEN_KEY_LENGTH:
        raise ValueError(f"must have {_TOKEN_KEY_LENGTH} characters or more (`openssl rand -hex 32` makes one)")
    return secret


def _signing_key(secret: SecretStr) -> SecretStr:
    signing_key(secret.get_secret_value())
    return secret


def _not_empty(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    # Empty it would mean "none", or "all": whoever wrote it meant one of them.
    if not entries:
        raise ValueError("must have an entry")
    return entries


def _ca_bundle(bundle: Path) -> Path:
    if wrong := wrong_with_bundle(bundle):
        raise ValueError(f"must be a file of certificates in PEM form: {wrong}")
    return bundle


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _pair(value: object) -> object:
    return value.split(":", 1) if isinstance(value, str) and not value.startswith("[") else value


CaBundle = Annotated[Path, AfterValidator(_ca_bundle)]
AmqpUrl = Annotated[SecretStr, AfterValidator(_amqp_url)]
WebUrl = Annotated[str, AfterValidator(_http_url)]
SecretWebUrl = Annotated[SecretStr, AfterValidator(_secret_http_url)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
QueueName = Annotated[str, AfterValidator(_queue_name), BeforeValidator(_digits)]
QueueGrader = Annotated[str, AfterValidator(_grader)]
ProcessingDelay = Annotated[float, Field(gt=0, le=720)]  # minutes
NoticeGrace = Annotated[float, Field(ge=0, le=604800)]  # seconds; a week is as far as the ledger goes back
SecretKey = Annotated[SecretStr, AfterValidator(_strong)]
EarlierKey = Annotated[SecretStr, AfterValidator(_earlier)]
TokenKey = Annotated[SecretStr, AfterValidator(_long_enough)]
SigningKeys = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_signing_key)], ...],
    AfterValidator(_not_empty),
    BeforeValidator(_words, json_schema_input_type=str | list[SecretStr]),
]
BasicAuth = Annotated[
    tuple[str, SecretStr], BeforeValidator(_pair, json_schema_input_type=SecretStr | tuple[str, SecretStr])
]
Origin = Annotated[str, AfterValidator(origin)]
Origins = Annotated[tuple[Origin, ...], AfterValidator(_not_empty)]
GradingTimeout = Annotated[float, Field(gt=0, le=3600)]  # seconds
GradingRetryDelays = tuple[Annotated[float, Field(ge=0.01, le=3600)], ...]  # seconds
GradingConcurrency = Annotated[int, Field(gt=0, le=1000)]
GradingMaxReply = Annotated[int, Field(gt=0, le=15 * 1024 * 1024)]  # bytes; a message takes 15 MiB


class QueueOptions(BaseModel):
    """What one course queue does differently; what is None follows the general setting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    supersede: bool = True
    processing_delay: ProcessingDelay | None = None  # minutes
    max_processing_delay: ProcessingDelay | None = None  # minutes
    grading_timeout: GradingTimeout | None = None
    grading_concurrency: GradingConcurrency | None = None
    grading_retry_delays: GradingRetryDelays | None = None
    grading_max_reply: GradingMaxReply | None = None
    notice_grace: NoticeGrace | None = None  # seconds
    archive: bool = False
