"""Runs an operator's command in the container that Tutor runs jobs in, and shows what it says."""

from tutor import utils
from tutor.commands.dev import DevContext
from tutor.commands.local import LocalContext
from tutor.types import Config

MODES = ("local", "dev", "k8s")


def run_as_job(root: str, config: Config, mode: str, command: str) -> None:
    """Run a shell command in XQueue's job container of a site that runs in `mode`."""
    if mode == "k8s":
        # There a job's output stays in a log; the pod for commands has a shell, and shows it at once.
        namespace = str(config["K8S_NAMESPACE"])
        terminal = ["--stdin", "--tty"] if utils.is_a_tty() else []
        utils.kubectl(
            "exec", *terminal, "--namespace", namespace, "deployment/xqueue-commands", "--", "sh", "-e", "-c", command
        )
        return
    context = LocalContext(root) if mode == "local" else DevContext(root)
    context.job_runner(config).run_task("xqueue", command)
