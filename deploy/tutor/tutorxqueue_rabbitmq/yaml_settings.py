"""Reads the patch `xqueue-rabbitmq-settings`: our settings in YAML, from as many plugins as have some."""

from collections.abc import Mapping
from typing import Any

import yaml

from tutorxqueue_rabbitmq.python_settings import WrongPatchError


def read_yaml(patch: str) -> dict[str, Any]:
    """Return what the patch sets; a key that stands in it twice, as two plugins may have it, is read as if merged."""
    try:
        nodes = list(yaml.compose_all(patch, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise WrongPatchError(f"the patch xqueue-rabbitmq-settings is no YAML: {_place(error)}") from None
    values: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            continue
        if not isinstance(node, yaml.MappingNode):
            raise WrongPatchError(
                "the patch xqueue-rabbitmq-settings is no map of settings, such as REQUESTS_TIMEOUT: 5"
            )
        for key, value in node.value:
            values = merged(values, {str(key.value): _constructed(value)})
    return values


def merged(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` changed by `others`: maps get what the others' have, all else is replaced."""
    both = dict(values)
    for key, value in others.items():
        before = both.get(key)
        both[key] = before | value if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def _constructed(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError as error:
        raise WrongPatchError(f"the patch xqueue-rabbitmq-settings can't be read: {_place(error)}") from None
    finally:
        loader.dispose()


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}, {getattr(error, 'problem', '')}" if mark else "it has an unprintable character"
