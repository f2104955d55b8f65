"""Two plugins of one name: Tutor would load both, and mix them."""

from importlib.metadata import PackageNotFoundError, distribution

from tutor import hooks
from tutor.exceptions import TutorError
from tutor.types import Config

OTHER = "tutor-xqueue"


def other_plugin() -> bool:
    """Say whether the plugin that this one stands in for is installed beside it."""
    try:
        distribution(OTHER)
    except PackageNotFoundError:
        return False
    return True


def refuse_to_run() -> None:
    """Have every command stop that reads the configuration.

    An error while a plugin is loaded would not do: Tutor shows it, and goes on with the half of it.
    """
    hooks.Actions.CONFIG_LOADED.add()(_stop)


def _stop(_config: Config) -> None:
    raise TutorError(
        f"{OTHER} and tutor-contrib-xqueue-rabbitmq are both installed, and both are the plugin 'xqueue'. "
        f"Uninstall one of them: `pip uninstall {OTHER}` to have XQueue on RabbitMQ, "
        "`pip uninstall tutor-contrib-xqueue-rabbitmq` to have the one from before"
    )
