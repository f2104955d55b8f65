"""The types of the settings of upstreams: LMSs' own grader queues, from which work is taken."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from broker_setup.errors import BadCallbackUrlError
from broker_setup.outbound.callback_urls import callback_url
from broker_setup.settings.value_types import QueueName

# As edx-submissions has it.
_NAME_THERE = 128


def _upstream_url(value: str) -> str:
    try:
        url = callback_url(value)
    except BadCallbackUrlError:
        url = None
    if url is None or url.raw_user is not None or url.raw_query_string or url.raw_fragment:
        raise ValueError("must be where an LMS has its grader queue, such as https://lms.example/xqueue")
    return value.rstrip("/")


def _alone(value: object) -> object:
    # The queue here and nothing else to say of it; YAML reads 6001 as a number.
    return value if isinstance(value, Mapping) else {"queue": value}


def _digits(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class UpstreamQueue(BaseModel):
    """What becomes of one queue there: whose work goes to which queue here.

    `points` is the score here that is a whole one there, where scores are ratios.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    queue: QueueName
    points: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0


QueueThere = Annotated[str, BeforeValidator(_digits), Field(min_length=1, max_length=_NAME_THERE)]
UpstreamUrl = Annotated[str, AfterValidator(_upstream_url)]


class Upstream(BaseModel):
    """One LMS: where its grader queue is, as whom XQueue comes, and which queues it takes work of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: UpstreamUrl
    user: Annotated[str, Field(min_length=1, max_length=150)]
    queues: Annotated[
        dict[QueueThere, Annotated[UpstreamQueue, BeforeValidator(_alone, json_schema_input_type=str | UpstreamQueue)]],
        Field(min_length=1),
    ]


UpstreamName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
