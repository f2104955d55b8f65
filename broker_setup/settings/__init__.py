"""The settings of every process: one frozen value, read once at start."""

from broker_setup.settings.loading import load_settings
from broker_setup.settings.settings import Settings
from broker_setup.settings.table import ENV_PREFIX

__all__ = ["ENV_PREFIX", "Settings", "load_settings"]
