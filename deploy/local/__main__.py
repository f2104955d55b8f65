"""`make up` (`python -m deploy.local up`): runs the local stack until Ctrl-C or SIGTERM."""

import argparse
import os
import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from broker_setup.errors import XQueueError
from broker_setup.settings import load_settings
from deploy.local import lock
from deploy.local.console import note, say
from deploy.local.environment import OPERATOR, QUEUE, USER, Secrets, defaults, operator_environment, secrets_of
from deploy.local.errors import BusyError, LocalError
from deploy.local.stack import Options, Stack

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(BaseException):
    """A signal asked us to stop; not an Exception, so that no handler of errors takes it for one."""


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        prog="make up", usage="make up [GATEWAYS=n] [WORKERS=n]", description="Run XQueue here until Ctrl-C or SIGTERM."
    )
    parser.add_argument("command", choices=["up"], help=argparse.SUPPRESS)
    parser.add_argument("--gateways", default="1", metavar="n", help="how many gateways to run (GATEWAYS=n)")
    parser.add_argument("--workers", default="", metavar="n", help="how many processes each gateway has (WORKERS=n)")
    wanted = parser.parse_args()
    for name, number in (("GATEWAYS", wanted.gateways), ("WORKERS", wanted.workers or "1")):
        if not (number.isascii() and number.isdigit() and int(number)):
            parser.error(f"{name} must be a whole number, 1 or more, not {number!r}")
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN or number != signal.SIGHUP:  # nohup stays nohup
            signal.signal(number, _stop)
    if wanted.workers:
        os.environ["XQUEUE_WORKERS"] = wanted.workers
    try:
        up(int(wanted.gateways))
    except StopRequestedError:
        note("stopped; the data stays for the next `make up`")
    except (LocalError, XQueueError, OSError) as error:  # such as a data folder that another user made
        sys.exit(f"make up: {error}")


def up(gateways: int) -> None:
    """Run the stack in its data folder, alone."""
    data = Path(os.environ.get("XQUEUE_DATA_DIR") or ".local").resolve()
    cache = Path(os.environ.get("XQUEUE_CACHE_DIR") or data / "cache").resolve()
    # Secrets, students' work, logs: for whoever runs it alone, in a folder, too, that is there already.
    os.umask(0o077)
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    try:
        with lock.held(data / "lock"):
            secrets = secrets_of(data)
            settings, warnings = load_settings()
            ours = defaults(settings.model_fields_set, data, secrets)
            os.environ.update(ours)  # for every process that we start, and for load_settings to see it as they will
            settings, _ = load_settings()
            for warning in warnings:
                note(warning)
            stack = Stack(Options(data, cache, gateways, settings, dict(os.environ)))
            with stack.running(), operator_environment(data, stack.env) as file:
                _announce(stack, secrets if "XQUEUE_USERS" in ours else None, next(iter(settings.xqueues), QUEUE))
                _announce_console(stack, secrets if "XQUEUE_CONSOLE_ACCOUNTS" in ours else None)
                _announce_operator(file)
                stack.look_after()
    except BlockingIOError:
        raise BusyError(
            f"another `make up` runs on {data}: stop it, or set XQUEUE_DATA_DIR to another folder."
        ) from None


def _announce(stack: Stack, secrets: Secrets | None, queue: str) -> None:
    say(f"ready: {stack.urls[0]}")
    for url in stack.urls[1:]:
        say(f"also:    {url}")
    login = f"{USER}:{secrets.password}" if secrets else None
    said = f"{USER}, password {secrets.password}" if secrets else "as in your settings"
    say(f"account: {said}")
    query = shlex.quote(f"{stack.urls[0]}/xqueue/get_queuelen/?queue_name={queue}")
    say(f"try:     curl -u {login or 'USER'} {query}")
    urls = dict(stack.metrics_urls)
    relay = urls.pop("relay")
    say(", ".join([f"metrics: {relay} (relay)", *(f"{urlsplit(url).port} ({name})" for name, url in urls.items())]))
    if stack.management_url:
        at = urlsplit(stack.management_url)
        say(f"broker:  http://{at.hostname}:{at.port}, user {at.username}, password {at.password}")


def _announce_console(stack: Stack, secrets: Secrets | None) -> None:
    if stack.console_url:
        said = f"{OPERATOR}, password {secrets.password}" if secrets else "accounts as in your settings"
        say(f"console: {stack.console_url} ({said})")


def _announce_operator(file: Path) -> None:
    near = os.path.relpath(file)
    sourced = shlex.quote(str(file) if near.startswith("..") else near)
    say(f"operate: . {sourced}; .venv/bin/xqueue-broker count")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    for number in STOPPING:  # once is enough: what follows is the orderly stop, which a second Ctrl-C must not break
        signal.signal(number, _ignore)
    raise StopRequestedError


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing; not SIG_IGN, over which Python complains where a second signal has arrived already."""


if __name__ == "__main__":
    main()
