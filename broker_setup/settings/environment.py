"""The environment as a source of settings, which leaves what is no JSON for the checks of the values."""

import json
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource


class Environment(EnvSettingsSource):
    """Reads XQUEUE_* variables: so what can't be read is one mistake among the others, all named at once."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return what `value` says in JSON, or `value` itself where it is none."""
        try:
            return json.loads(value)
        except ValueError:
            return value
