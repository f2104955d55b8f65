"""What the templates ask for, in the words of Tutor's renderer; and what is said while they are rendered."""

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from jinja2 import pass_context
from jinja2.runtime import Context
from tutor import fmt
from tutor.exceptions import TutorError

from tutorxqueue_rabbitmq.config_keys import DEFAULTS, UNIQUE, doubts
from tutorxqueue_rabbitmq.python_settings import WrongPatchError
from tutorxqueue_rabbitmq.site import Site, site_of, warnings_about

_KEYS = (*DEFAULTS, *UNIQUE, "ENABLE_HTTPS")
_said: set[str] = set()


def check(config: Mapping[str, Any]) -> None:
    """Say what of the configuration does not do here what it did."""
    for doubt in doubts(config):
        _say_once(doubt)


def xqueue_settings(context: Context) -> str:
    """Return what stands in xqueue.yml."""
    site = _site(context)
    for warning in warnings_about(site):
        _say_once(warning)
    return yaml.safe_dump(site.public_settings, allow_unicode=True, width=120).strip()


def xqueue_secrets(context: Context, process: str) -> dict[str, str]:
    """Return the secret settings of one process."""
    return _site(context).secrets_of(process)


def xqueue_makes_users(context: Context) -> bool:
    """Say whether each process has a broker user of its own."""
    return _site(context).makes_users


def xqueue_processes(context: Context) -> dict[str, str]:
    """Return who is given secrets, and which Deployment each is; empty for what is a Job."""
    passive = {"passive": "xqueue-passive"} if context["XQUEUE_RUN_PASSIVE"] else {}
    return {"gateway": "xqueue", "relay": "xqueue-relay", "commands": "xqueue-commands", "setup": ""} | passive


def xqueue_secret_file(key: str) -> str:
    """Return the name of the file that a secret stands in, in a pod."""
    name = key.lower().replace("_", "-")
    return f"{name}.json" if key in {"USERS", "BROKER_PASSWORDS"} else name


def xqueue_image(image: str) -> dict[str, str]:
    """Take an image's name apart as kustomize wants it."""
    name, at, digest = image.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:  # the colon is that of a registry's port
        repository, tag = name, "latest"
    return {"newName": repository, "digest": digest} if at else {"newName": repository, "newTag": tag}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        function.__name__: pass_context(function)
        for function in (xqueue_settings, xqueue_secrets, xqueue_makes_users, xqueue_processes)
    },
    "xqueue_secret_file": xqueue_secret_file,
    "xqueue_image": xqueue_image,
}


def _site(context: Context) -> Site:
    patch = context["patch"]
    try:
        return site_of(
            {key: context[key] for key in _KEYS}, patch("xqueue-settings"), patch("xqueue-rabbitmq-settings")
        )
    except WrongPatchError as error:
        raise TutorError(str(error)) from None


def _say_once(warning: str) -> None:
    # The configuration is loaded, and rendered, several times by one command.
    if warning not in _said:
        _said.add(warning)
        fmt.echo_alert(f"xqueue: {warning}")
