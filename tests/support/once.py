"""What takes long is made once in a run of the tests, by whichever of its processes needs it first."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import lock


def made_once(factory: pytest.TempPathFactory, testrun_uid: str, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder that `make` fills; `testrun_uid` is xdist's fixture, the same in all processes of a run."""
    place = factory.getbasetemp().parent / f"{name}-{testrun_uid}"
    with lock.held(place.with_suffix(".lock"), wait=True):
        done = place.with_suffix(".done")
        if not done.exists():
            make(place)
            done.touch()
    return place
