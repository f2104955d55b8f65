"""Tells what failed for want of something on this machine from what others did: that is nobody else's fault."""

import errno
import os
import socket

_WANTS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.EAGAIN,  # no further process or thread; what waits for others' bytes never shows it
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,  # this process's limit for a file
    }
)
# All that CPython says of it: no class of its own, and no number.
_NO_THREAD = "can't start new thread"


def shortage(error: BaseException) -> str | None:
    """Say in words what this machine has too little of, if that is why something failed; None if it is not."""
    match error:
        case OSError(errno=int(number)) if number in _WANTS:
            return os.strerror(number).lower()
        case MemoryError():
            return os.strerror(errno.ENOMEM).lower()
        case RuntimeError() if str(error).startswith(_NO_THREAD):
            return "no thread could be started"
        case _:
            return None


def shortage_now() -> str | None:
    """Say the same of this moment: libraries that look names up say "unknown" where they had no socket to ask with."""
    try:
        socket.socket().close()
    except OSError as error:
        return shortage(error)
    return None
