"""A private node as its operator treats it, badly: out of memory, frozen, or with a queue that does not answer."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import psutil

from deploy.local.container import container_name
from deploy.local.node import PrivateNode
from deploy.local.runtime import Container
from tests.support.gateway import wait_until

# The process of a quorum queue, or of a stream's writer, on a node that has it.
_PROCESS = """
{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)),
Process = case amqqueue:get_pid(Queue) of
    {{Name, _}} -> whereis(Name);
    Pid -> Pid
end,
sys:{what}(Process).
"""


def rabbitmqctl(node: PrivateNode, *arguments: str) -> str:
    """Run it on the node, and return what it says."""
    assert node._runtime
    if isinstance(node._runtime, Container):
        command, env = ["docker", "exec", container_name(node._made.marker), "rabbitmqctl"], dict(os.environ)
    else:
        command, env = [str(node._runtime.server.with_name("rabbitmqctl"))], node._made.env(node._ports)
        env |= node._runtime.env
    done = subprocess.run([*command, *arguments], env=env, capture_output=True, check=True, timeout=60, text=True)
    return done.stdout


@contextlib.contextmanager
def memory_alarm(node: PrivateNode) -> Iterator[None]:
    rabbitmqctl(node, "set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        rabbitmqctl(node, "set_vm_memory_high_watermark", "0.4")


@contextlib.contextmanager
def message_limit(node: PrivateNode, largest: int) -> Iterator[None]:
    """Have the node take no message of more bytes, on connections that are made from now on; all others are closed."""
    set_it = "application:set_env(rabbit, max_message_size, {})."
    rabbitmqctl(node, "eval", set_it.format(largest))
    rabbitmqctl(node, "close_all_connections", "the limit has changed")
    try:
        yield
    finally:
        rabbitmqctl(node, "eval", set_it.format(16 * 1024 * 1024))
        rabbitmqctl(node, "close_all_connections", "the limit has changed")


@contextlib.contextmanager
def silent_queue(node: PrivateNode, queue: str) -> Iterator[None]:
    """Have one queue of the default virtual host answer nothing, as one without a leader."""
    rabbitmqctl(node, "eval", _PROCESS.format(queue=queue, what="suspend"))
    try:
        yield
    finally:
        rabbitmqctl(node, "eval", _PROCESS.format(queue=queue, what="resume"))


@contextlib.contextmanager
def frozen(node: PrivateNode) -> Iterator[None]:
    pid = node._server.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, 60, "the broker did not stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
