"""Whether processes got the processor when they wanted it: on a busy machine others' work is no fault of theirs."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


class Turns:
    """Compares how long the main threads of processes ran with how long they waited for that; Linux alone says so."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        """Look at these, by name."""
        self._files = {name: Path(f"/proc/{pid}/task/{pid}/schedstat") for name, pid in processes.items()}
        self._before = self._now()

    def begin(self) -> None:
        """Forget what was."""
        self._before = self._now()

    def share(self) -> float:
        """Return which share of what they wanted all together were granted since then: 1 where none had to wait."""
        granted = wanted = 0
        for name, (ran, waited) in self._now().items():
            ran_before, waited_before = self._before.get(name, (0, 0))
            granted += ran - ran_before
            wanted += ran + waited - ran_before - waited_before
        return granted / wanted if wanted else 1.0

    def _now(self) -> dict[str, tuple[int, int]]:
        found = {}
        for name, file in self._files.items():
            with suppress(OSError, ValueError):
                ran, waited, _ = map(int, file.read_text(encoding="ascii").split())
                found[name] = (ran, waited)
        return found
