"""Who waits for a frame to be read back: each has a future of its own, also where several wait for one frame."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Markers:
    """The frames that are waited for, by their ids."""

    def __init__(self) -> None:
        self._awaited: defaultdict[bytes, list[asyncio.Future[None]]] = defaultdict(list)

    @contextmanager
    def awaited(self, frame: bytes) -> Iterator[asyncio.Future[None]]:
        """Yield a future that is done when the frame is read, as long as the block runs.

        Whoever gives up takes nobody else's away.
        """
        seen = asyncio.get_running_loop().create_future()
        self._awaited[frame].append(seen)
        try:
            yield seen
        finally:
            self._awaited[frame].remove(seen)
            if not self._awaited[frame]:
                del self._awaited[frame]

    def saw(self, frame: bytes) -> None:
        """Tell all who wait for this frame."""
        for seen in self._awaited.get(frame, ()):
            if not seen.done():
                seen.set_result(None)
