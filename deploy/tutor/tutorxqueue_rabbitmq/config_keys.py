"""The keys of Tutor's configuration that are the plugin's: those of tutor-xqueue, and those that are new."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

_VERSION = version("tutor-contrib-xqueue-rabbitmq")

# Saved in config.yml when they are first made. Those of tutor-xqueue that nothing reads any more stay in it for whoever
# goes back: its database has them.
UNIQUE: dict[str, str] = {
    "XQUEUE_AUTH_PASSWORD": "{{ 8|random_string }}",
    "XQUEUE_SECRET_KEY": "{{ 24|random_string }}",
    "XQUEUE_MYSQL_PASSWORD": "{{ 8|random_string }}",
    "XQUEUE_SEALING_KEY": "{{ 48|random_string }}",
    "XQUEUE_RABBITMQ_PASSWORD": "{{ 32|random_string }}",
    "XQUEUE_GATEWAY_PASSWORD": "{{ 32|random_string }}",
    "XQUEUE_RELAY_PASSWORD": "{{ 32|random_string }}",
    "XQUEUE_PASSIVE_PASSWORD": "{{ 32|random_string }}",
    "XQUEUE_COMMANDS_PASSWORD": "{{ 32|random_string }}",
    "XQUEUE_OPERATOR_PASSWORD": "{{ 32|random_string }}",
}

DEFAULTS: dict[str, Any] = {
    "XQUEUE_AUTH_USERNAME": "lms",
    "XQUEUE_HOST": "xqueue.{{ LMS_HOST }}",
    "XQUEUE_DOCKER_IMAGE": f"{{{{ DOCKER_REGISTRY }}}}xqueue-rabbitmq:{_VERSION}",
    "XQUEUE_MYSQL_DATABASE": "xqueue",
    "XQUEUE_MYSQL_USERNAME": "xqueue",
    "XQUEUE_REPOSITORY": "",
    "XQUEUE_REPOSITORY_VERSION": "",
    "XQUEUE_VERSION": "",
    "XQUEUE_PYTHON_IMAGE": "docker.io/python:3.11-slim-bookworm",
    "XQUEUE_RABBITMQ_DOCKER_IMAGE": "docker.io/rabbitmq:4.3.3-management",
    # A broker that is there already, with an administrator's account, in place of one that Tutor runs.
    "XQUEUE_AMQP_URL": "",
    "XQUEUE_MANAGEMENT_URL": "",
    "XQUEUE_CALLBACK_ALLOWED_ORIGINS": ["http://lms:8000"],
    # The networks of containers and pods, where Tutor's own proxy is.
    "XQUEUE_TRUSTED_PROXIES": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
    # On Kubernetes: with more than one, uploaded files need a volume that several machines can write to at once.
    "XQUEUE_MAX_GATEWAYS": 1,
    "XQUEUE_RUN_PASSIVE": False,
    "XQUEUE_RUN_CONSOLE": False,
    "XQUEUE_CONSOLE_HOST": "rabbitmq.{{ XQUEUE_HOST }}",
    "XQUEUE_RUN_MONITORING": False,
}

_OF_THE_ORIGINAL = ("XQUEUE_REPOSITORY", "XQUEUE_REPOSITORY_VERSION", "XQUEUE_VERSION")
_IMAGE_OF_THE_ORIGINAL = "openedx-xqueue"


def doubts(config: Mapping[str, Any]) -> list[str]:
    """Say what of a site's configuration does not do here what it did, a sentence each."""
    said = []
    if meaningless := [key for key in _OF_THE_ORIGINAL if config.get(key)]:
        said.append(
            f"{', '.join(meaningless)} mean nothing to this xqueue plugin, which builds no other program than its own: "
            f"`tutor config save {' '.join(f'--unset {key}' for key in meaningless)}`"
        )
    if _IMAGE_OF_THE_ORIGINAL in str(config.get("XQUEUE_DOCKER_IMAGE")):
        said.append(
            f"XQUEUE_DOCKER_IMAGE is {config['XQUEUE_DOCKER_IMAGE']}, the image of the XQueue from before, which can't "
            "run here: `tutor config save --unset XQUEUE_DOCKER_IMAGE`"
        )
    if config.get("XQUEUE_MANAGEMENT_URL") and not config.get("XQUEUE_AMQP_URL"):
        said.append("XQUEUE_MANAGEMENT_URL is not looked at without the XQUEUE_AMQP_URL of the same broker")
    return said
