"""Tells a function's author what an LMS would not take of a reply: where a reply goes, a grader does not know."""

import asyncio
import logging

from xqueue_grader.common.wire.replies import check_strictly

log = logging.getLogger(__name__)

# What is larger is checked beside the event loop: this much takes 6 ms at worst, 100 KiB of `[],` took 70.
BESIDE_BYTES = 8 * 1024


async def warn_of(name: str | None, reply: bytes) -> None:
    """Log what is wrong with the reply to the submission `name`, if anything is; it goes out all the same."""
    large = len(reply) > BESIDE_BYTES
    found = await asyncio.to_thread(check_strictly, reply) if large else check_strictly(reply)
    if found.wrong:
        log.warning(
            "submission %s: Open edX takes no such reply, and its student reads a notice in its place: %s",
            name,
            found.wrong,
        )
    elif found.odd:
        log.warning("submission %s: Open edX takes its reply, but %s", name, found.odd)
