"""Reads the settings from XQUEUE_CFG (YAML) and the environment, which nothing else reads."""

import os
from collections.abc import Iterable

from broker_setup.errors import SettingsError
from broker_setup.settings.examining import Examined, examine
from broker_setup.settings.settings import Settings

# Any of them: the OpenTelemetry SDK reads the rest.
_WHERE_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")


def load_settings(require: Iterable[str] = ()) -> tuple[Settings, list[str]]:
    """Read the settings; return them with warnings, a sentence each, about what will not do what somebody may think.

    Raise SettingsError with all that is wrong, a line for each mistake, also where a key of `require` is not set.
    """
    examined = examine_settings(require)
    if examined.mistakes or examined.settings is None:
        raise SettingsError("\n".join(examined.mistakes))
    return examined.settings, examined.warnings


def examine_settings(require: Iterable[str] = ()) -> Examined:
    """Read the settings, and find all that is wrong with them."""
    return examine(os.environ, require)


def asks_for_spans() -> bool:
    """Say whether OpenTelemetry's own variables ask for spans by OTLP; nothing of it is a setting of ours."""
    asked = any(os.environ.get(name) for name in _WHERE_TO)
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return asked and not is_off and os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "otlp"
