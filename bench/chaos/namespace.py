"""A network of our own for the cluster, where packets can be dropped and nothing else is touched: it ends with us."""

import ctypes
import os
import shutil
import subprocess

from bench.stack import BenchError

NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def enter_namespace() -> bool:
    """Move this process, before it has threads or children, to a network that is a loopback; say whether it could."""
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("ip") and shutil.which("iptables")):
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK):
        return False
    _run("ip", "link", "set", "lo", "up")
    return True


def drop(chooses: tuple[str, ...]) -> None:
    """Drop the TCP packets that iptables chooses so; only in a namespace of our own."""
    _run("iptables", "-w", "-A", "INPUT", "-p", "tcp", *chooses, "-j", "DROP")


def drop_nothing() -> None:
    """Let all packets through again."""
    _run("iptables", "-w", "-F", "INPUT")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: {done.stderr.strip()}")
