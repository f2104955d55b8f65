"""The settings of every process: one frozen value, read once at start."""

from broker_setup.settings.loading import load_settings
from broker_setup.settings.settings import Settings
from broker_setup.settings.table import ENV_PREFIX
from broker_setup.settings.value_types import BasicAuth

__all__ = ["ENV_PREFIX", "BasicAuth", "Settings", "load_settings"]
