"""The settings of every process: one frozen value, read once at start."""

from broker_setup.settings.settings import ENV_PREFIX, BasicAuth, Settings, load_settings, unknown_keys_warning

__all__ = ["ENV_PREFIX", "BasicAuth", "Settings", "load_settings", "unknown_keys_warning"]
