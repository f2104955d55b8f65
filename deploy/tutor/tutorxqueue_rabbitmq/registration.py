"""Says to Tutor what the plugin has: keys, images, tasks, templates, patches, commands."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from tutor import hooks
from tutor.types import Config

from tutorxqueue_rabbitmq.commands import xqueue
from tutorxqueue_rabbitmq.config_keys import DEFAULTS, UNIQUE
from tutorxqueue_rabbitmq.rendering import FUNCTIONS, check

_Image = tuple[str, tuple[str, ...], str, tuple[str, ...]]
_FOLDER = Path(str(files("tutorxqueue_rabbitmq")))
_IMAGE = "{{ XQUEUE_DOCKER_IMAGE }}"
# A folder of this name that is mounted is a checkout, and its code comes before the image's.
_CHECKOUT = "xqueue"
_SERVICES = ("xqueue", "xqueue-consumer", "xqueue-passive", "xqueue-job")

# The broker may be starting still; RabbitMQ takes some ten seconds.
_SET_UP = """
tries=1
until env XQUEUE_AMQP_URL="$SETUP_AMQP_URL" \\
{%- if xqueue_makes_users() %}
    XQUEUE_MANAGEMENT_URL="$SETUP_MANAGEMENT_URL" XQUEUE_BROKER_PASSWORDS="$SETUP_BROKER_PASSWORDS" xqueue-broker setup
{%- else %}
    xqueue-broker declare
{%- endif %}
do
    [ "$tries" -lt 24 ] || exit 1
    echo "xqueue: not set up yet, trying again in 5 s ($tries of 24)"
    tries=$((tries + 1))
    sleep 5
done
"""


def register() -> None:
    """Register everything."""
    hooks.Filters.CONFIG_DEFAULTS.add_items(list(DEFAULTS.items()))
    hooks.Filters.CONFIG_UNIQUE.add_items(list(UNIQUE.items()))
    hooks.Actions.CONFIG_LOADED.add()(check)
    hooks.Filters.CLI_DO_INIT_TASKS.add_item(("xqueue", _SET_UP))
    hooks.Filters.CLI_COMMANDS.add_item(xqueue)
    _register_images()
    hooks.Filters.COMPOSE_MOUNTS.add()(_mounts)
    hooks.Filters.APP_PUBLIC_HOSTS.add()(_public_hosts)
    hooks.Filters.ENV_TEMPLATE_ROOTS.add_item(str(_FOLDER / "templates"))
    hooks.Filters.ENV_TEMPLATE_TARGETS.add_items([(f"xqueue/{part}", "plugins") for part in ("build", "apps", "k8s")])
    hooks.Filters.IS_FILE_RENDERED.add()(_is_template)
    hooks.Filters.ENV_TEMPLATE_VARIABLES.add_items(list(FUNCTIONS.items()))
    hooks.Filters.ENV_PATCHES.add_items(
        [(patch.name, patch.read_text(encoding="utf-8")) for patch in sorted((_FOLDER / "patches").iterdir())]
    )


def _register_images() -> None:
    hooks.Filters.IMAGES_BUILD.add()(_image)
    hooks.Filters.IMAGES_PULL.add_item(("xqueue", _IMAGE))
    hooks.Filters.IMAGES_PUSH.add_item(("xqueue", _IMAGE))
    hooks.Filters.IMAGES_BUILD_REQUIRED.add()(_built_at_launch)


def _image(images: list[_Image], config: Config) -> list[_Image]:
    # The plugin has the programs and their Dockerfile in it.
    arguments = (f"--build-arg=PYTHON_IMAGE={config['XQUEUE_PYTHON_IMAGE']}",)
    return [*images, ("xqueue", ("plugins", "xqueue", "build", "xqueue"), _IMAGE, arguments)]


def _built_at_launch(images: list[str], _context: Literal["local", "dev"]) -> list[str]:
    return [*images, "xqueue"]


def _mounts(mounts: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [*mounts, *((service, "/openedx/xqueue") for service in _SERVICES)] if name == _CHECKOUT else mounts


def _public_hosts(hosts: list[str], context: Literal["local", "dev"]) -> list[str]:
    return [*hosts, "{{ XQUEUE_HOST }}:8000" if context == "dev" else "{{ XQUEUE_HOST }}"]


def _is_template(rendered: bool, path: str) -> bool:  # noqa: FBT001 - Tutor's own way
    # What is not the plugin's own goes as it is; in alerts, what stands between braces is for Prometheus.
    return rendered and not path.startswith(("xqueue/build/", "xqueue/k8s/base/", "xqueue/k8s/components/"))
