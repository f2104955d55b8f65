"""The commands of `tutor xqueue`: those of graders, over HTTP, and those of operators, in the job container."""

import json
import shlex
from typing import Any

import click
from tutor import config as tutor_config
from tutor.types import Config

from tutorxqueue_rabbitmq.jobs import MODES, run_as_job
from tutorxqueue_rabbitmq.server import Server

# What follows belongs to xqueue-broker, options too.
_PASSED_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []}


class Target:
    """Which site, queue and gateway the commands below are for."""

    def __init__(self, root: str, queue: str, url: str | None) -> None:
        self.root = root
        self.queue = queue
        self._url = url

    @property
    def config(self) -> Config:
        """The site's configuration."""
        return tutor_config.load(self.root)

    def server(self) -> Server:
        """Log in to the gateway as the LMS does."""
        config = self.config
        url = self._url or f"{'https' if config['ENABLE_HTTPS'] else 'http'}://{config['XQUEUE_HOST']}"
        return Server(url, str(config["XQUEUE_AUTH_USERNAME"]), str(config["XQUEUE_AUTH_PASSWORD"]))


@click.group(help="Interact with XQueue")
def xqueue() -> None:
    """Hold the commands together."""


@xqueue.group(help="Look at submissions, take and grade them")
@click.option("-q", "--queue", default="openedx", show_default=True, help="Queue name")
@click.option(
    "-u",
    "--url",
    envvar="TUTOR_XQUEUE_URL",
    show_envvar=True,
    help="Base URL of XQueue; by default that of XQUEUE_HOST",
)
@click.pass_context
def submissions(context: click.Context, queue: str, url: str | None) -> None:
    """Remember which queue and server the command is for."""
    context.obj = Target(context.obj.root, queue, url)


@submissions.command(help="Count the submissions that wait in a queue")
@click.pass_obj
def count(target: Target) -> None:
    """Print the length of the queue."""
    _print(target.server().count(target.queue))


@submissions.command(help="Take a submission, as a grader does, and show it")
@click.pass_obj
def show(target: Target) -> None:
    """Print a submission with the key that `grade` asks for."""
    _print(target.server().show(target.queue))


@submissions.command(help="Grade a submission that `show` has shown")
@click.argument("submission_id")
@click.argument("submission_key")
@click.argument("grade", type=click.FLOAT)
@click.argument("correct", type=click.BOOL)
@click.argument("message")
@click.pass_obj
def grade(
    target: Target, *, submission_id: str, submission_key: str, grade: float, correct: bool, message: str
) -> None:
    """Hand in a result."""
    reply = {"correct": correct, "score": grade, "msg": message}
    _print(target.server().grade(submission_id, submission_key, reply))


def _operators(name: str, words: tuple[str, ...], help_: str) -> None:
    @submissions.command(name=name, help=help_, short_help=help_.partition(":")[0], context_settings=_PASSED_ON)
    @click.option(
        "-m", "--mode", type=click.Choice(MODES), default="local", show_default=True, help="Where XQueue runs"
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_obj
    def _run(target: Target, mode: str, arguments: tuple[str, ...]) -> None:
        run_as_job(target.root, target.config, mode, shlex.join(("xqueue-broker", *words, *arguments)))


_operators("list", ("count",), "List the queues: what waits, is leased and parked, and the age of the oldest")
_operators(
    "trace", ("trace",), "Tell what happened to a submission: an id, a uuid or a callback URL, as `xqueue-broker trace`"
)
_operators(
    "parked", ("parked",), "Look after what is parked: list, show, redrive or discard, as `xqueue-broker parked`"
)


def _print(answer: Any) -> None:
    click.echo(json.dumps(answer, indent=2))
