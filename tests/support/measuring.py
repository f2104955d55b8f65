"""Where coverage is measured: in what unit tests call, and as modules are imported, and nowhere else.

Tracing makes whatever runs two to five times as slow, also what is not measured. So it is left out of what pytest and
hypothesis do around tests.
"""

import contextlib
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Protocol

import pytest

# What the later examples of a property go through, the first ones mostly went through before.
MEASURED_EXAMPLES = 20


class _Controller(Protocol):
    def pause(self) -> None: ...
    def resume(self) -> None: ...


def _controller(config: pytest.Config) -> _Controller | None:
    """Return what measures; none where it isn't asked for."""
    return getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)


def stop_measuring(config: pytest.Config) -> None:
    """Leave out what comes from now on but for `measured`."""
    if controller := _controller(config):
        controller.pause()


@contextlib.contextmanager
def measured(config: pytest.Config) -> Iterator[None]:
    """Measure what is done meanwhile, where it is asked for."""
    controller = _controller(config)
    if controller is None:
        yield
        return
    controller.resume()
    try:
        yield
    finally:
        controller.pause()


def import_measured(config: pytest.Config, packages: tuple[str, ...]) -> None:
    """Import all modules of these packages; whoever imports them later needs not be measured."""
    if _controller(config) is None:
        return
    with measured(config):
        for package in packages:
            for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
                importlib.import_module(module.name)


@contextlib.contextmanager
def measured_test(item: pytest.Item) -> Iterator[None]:
    """Measure a test that is run meanwhile; of a property its first examples, and not how they are made."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None or _controller(item.config) is None:
        with measured(item.config):
            yield
        return
    inner = handle.inner_test
    handle.inner_test = _first_measured(inner, item.config)
    try:
        yield
    finally:
        handle.inner_test = inner


def _first_measured(test: Callable[..., Any], config: pytest.Config) -> Callable[..., Any]:
    examples = count()

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        with measured(config) if next(examples) < MEASURED_EXAMPLES else contextlib.nullcontext():
            return test(*args, **kwargs)

    return run
