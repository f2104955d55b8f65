"""What a grader's environment says: where its submissions come from, and how it logs."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xqueue_grader.common.errors import SettingsError
from xqueue_grader.common.link.broker_url import trusting
from xqueue_grader.common.process.logs import LogFormat

URL = "XQUEUE_URL"
# As the services have it; where both are set, the one that is a grader's alone counts.
AMQP_URL = "XQUEUE_AMQP_URL"
CA_BUNDLE = "XQUEUE_BROKER_CA_BUNDLE"
LOG_LEVEL = "XQUEUE_LOG_LEVEL"
LOG_FORMAT = "XQUEUE_LOG_FORMAT"
# The services' file of settings, which is none of a grader's.
FILE = "XQUEUE_CFG"

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class GraderSettings:
    """The URL, None where nobody named one, and the log's level and form."""

    url: str | None
    log_level: str
    log_format: LogFormat


def read_settings(environment: Mapping[str, str] = os.environ) -> GraderSettings:
    """Read them; raise SettingsError, which quotes no secret."""
    url = _url(environment)
    if bundle := environment.get(CA_BUNDLE):
        _check_bundle(bundle)
        url = url and trusting(url, Path(bundle))
    level = environment.get(LOG_LEVEL) or "INFO"
    if level not in LEVELS:
        raise SettingsError(f"{LOG_LEVEL} is {level!r}: must be one of {', '.join(LEVELS)}")
    form = environment.get(LOG_FORMAT) or LogFormat.TEXT
    if form not in list(LogFormat):
        raise SettingsError(f"{LOG_FORMAT} is {form!r}: must be one of {', '.join(LogFormat)}")
    return GraderSettings(url, level, LogFormat(form))


def _url(environment: Mapping[str, str]) -> str | None:
    for name in (URL, AMQP_URL):
        if url := _secret(environment, name):
            return url
    if environment.get(FILE):
        raise SettingsError(f"{AMQP_URL} is not set, and a grader does not read {FILE}: name the broker in {AMQP_URL}")
    return None


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    url, file = environment.get(name), environment.get(f"{name}_FILE")
    if url and file:
        raise SettingsError(f"{name} and {name}_FILE are both set: one of them must go")
    return _secret_in(file, f"{name}_FILE") if file else url or None


def _secret_in(file: str, name: str) -> str:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise SettingsError(f"{name}: can't read {file}: {why}") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError(f"{name}: {file} is empty")
    return text


def _check_bundle(bundle: str) -> None:
    try:
        ssl.create_default_context(cafile=bundle)
    except ssl.SSLError:
        raise SettingsError(f"{CA_BUNDLE}: {bundle} holds no certificates in PEM form") from None
    except OSError as error:
        raise SettingsError(f"{CA_BUNDLE}: can't read {bundle}: {error.strerror}") from None
