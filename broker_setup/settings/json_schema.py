"""The JSON schema of a settings file, for editors and for programs that write one; made from the settings' types."""

from collections.abc import Mapping
from typing import Any

from broker_setup.settings.settings import Settings

_ABOUT = (
    "The file that XQUEUE_CFG names. In the environment each key has XQUEUE_ before it, and maps and lists are JSON. "
    "What a value has to be beyond its type, and which go together, `xqueue-broker check-settings` says. Keys that are "
    "not here mean nothing, and stop nothing."
)

_NULL = {"type": "null"}
# As files made from templates have it.
_NUMBER_AS_TEXT = {"type": "string", "pattern": "^ *[0-9.]+ *$"}


def json_schema() -> dict[str, Any]:
    """Return the schema, in the draft of 2020-12."""
    made = _untitled(Settings.model_json_schema(mode="validation"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "xqueue.yml",
        "description": _ABOUT,
        "type": "object",
        "properties": {name.upper(): _or_null(each) for name, each in made["properties"].items()},
        "additionalProperties": True,
        "$defs": made["$defs"],
    }


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Take null for "not set", as any key may be; and show no default of a secret, which is not the real one."""
    default = {"default": schema["default"]} if "default" in schema and not schema.get("writeOnly") else {}
    kinds = schema.get("anyOf", [{key: value for key, value in schema.items() if key != "default"}])
    if any(kind.get("type") in {"integer", "number"} for kind in kinds):
        kinds = [*kinds, _NUMBER_AS_TEXT]
    return {"anyOf": [*kinds, *([] if _NULL in kinds else [_NULL])], **default}


def _untitled(schema: Any) -> Any:
    """Leave out the titles, which say a name once more, and descriptions that are for who reads the code."""
    match schema:
        case dict():
            return {
                key: {name: _untitled(each) for name, each in value.items()}
                if key == "properties"
                else _untitled(value)
                for key, value in schema.items()
                if key not in {"title", "description"} or isinstance(value, dict)
            }
        case list():
            return [_untitled(each) for each in schema]
        case _:
            return schema
