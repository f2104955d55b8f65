"""A private node as its operator treats it, badly: out of memory, frozen, or with a queue that does not answer."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator

import psutil

from deploy.local.container import container_name
from deploy.local.node import PrivateNode
from deploy.local.node_files import NODE_NAME
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


def evaluated(node: PrivateNode, expressions: str) -> str:
    """Have the node evaluate Erlang's expressions, and return the value of the last.

    Not by `rabbitmqctl`, which starts an Erlang of its own for it: that takes a hundred times as long.
    """
    assert node._runtime
    if isinstance(node._runtime, Container):
        command = ["docker", "exec", container_name(node._made.marker), "rabbitmqctl", "--quiet", "eval", expressions]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True)
        return done.stdout.strip()
    caller = node._runtime.epmd.resolve().with_name("erl_call")
    done = subprocess.run(
        [str(caller), "-sname", NODE_NAME, "-e"],
        input=f"{expressions}\n",
        env=node._made.env(node._ports) | node._runtime.env,
        capture_output=True,
        check=True,
        timeout=60,
        text=True,
    )
    assert done.stdout.startswith("{ok, "), done.stdout
    return done.stdout.removeprefix("{ok, ").removesuffix("}")


@contextlib.contextmanager
def memory_alarm(node: PrivateNode) -> Iterator[None]:
    set_it = "vm_memory_monitor:set_vm_memory_high_watermark({})."
    evaluated(node, set_it.format("{absolute, 1}"))
    try:
        yield
    finally:
        evaluated(node, set_it.format(0.4))


@contextlib.contextmanager
def message_limit(node: PrivateNode, largest: int) -> Iterator[None]:
    """Have the node take no message of more bytes, on connections that are made from now on; all others are closed."""
    # RabbitMQ 4 reads it from a term that it keeps from its start on.
    set_it = """
        application:set_env(rabbit, max_message_size, {0}),
        persistent_term:put(max_message_size, {0}),
        rabbit_networking:close_connections(rabbit_networking:connections(), "the limit has changed").
    """
    evaluated(node, set_it.format(largest))
    try:
        yield
    finally:
        evaluated(node, set_it.format(16 * 1024 * 1024))


@contextlib.contextmanager
def silent_queue(node: PrivateNode, queue: str) -> Iterator[None]:
    """Have one queue of the default virtual host answer nothing, as one without a leader."""
    evaluated(node, _PROCESS.format(queue=queue, what="suspend"))
    try:
        yield
    finally:
        evaluated(node, _PROCESS.format(queue=queue, what="resume"))


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
