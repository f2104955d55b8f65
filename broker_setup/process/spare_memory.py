"""Sees to it that memory which a few large messages took goes back to the system."""

import ctypes
import sys
from contextlib import suppress

# malloc.h of glibc.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# glibc's own at first. Left alone it grows up to 32 MiB with what is freed, and then blocks of megabytes come from a
# heap that one small object at its end keeps whole.
_OWN_MAPPING_BYTES = 128 * 1024


def give_spare_memory_back() -> None:
    """Tell the C library, where it is glibc, to map large blocks by themselves and to have one heap for all threads.

    Eight forms of 16 MiB left a gateway 150 MiB larger for good; so it is 25. Each thread has a heap otherwise, and
    ours run one at a time anyway.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # musl has no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING_BYTES)
        mallopt(_M_ARENA_MAX, 1)
