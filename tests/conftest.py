"""The broker fixtures: one broker a run, shared by xdist's workers, and a virtual host for each test."""

import contextlib
import gc
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.strategies import characters

from deploy.local.node import PrivateNode
from tests.support import warm_start
from tests.support.broker import Broker, VHost, own_node, running_broker, temporary_vhost
from tests.support.measuring import import_measured, measured_test, stop_measuring
from tests.support.quick_disk import keep_files_in_memory

_UNIT_TESTS = Path(__file__).parent / "unit"
_PRODUCTS = ("broker_setup", "gateway", "callback_relay", "xqueue_grader")
_MEASURED = tuple(f"tests/unit/{folder}/" for folder in (*_PRODUCTS, "fuzzing"))
# On a busy machine any example may take its time, and any drawing of examples: neither is a fault of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
keep_files_in_memory()
# jsonschema would compile its 38 grammars, which is seconds in each process, to check what no schema of ours has: IRIs.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

_shared = contextlib.ExitStack()
_SHARED_BROKER = pytest.StashKey[Broker]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under xdist the controller runs the broker, before the first worker starts and until the last has ended."""
    config: pytest.Config = node.config
    if all(Path(arg.partition("::")[0]).resolve().is_relative_to(_UNIT_TESTS) for arg in config.args):
        return
    if _SHARED_BROKER not in config.stash:
        warm_start.start()  # it imports while the broker boots
        config.stash[_SHARED_BROKER] = _shared.enter_context(running_broker(light=True))
    node.workerinput["broker"] = config.stash[_SHARED_BROKER].as_dict()
    node.workerinput["programs"] = str(warm_start.start())


def pytest_configure(config: pytest.Config) -> None:
    """Under xdist all workers' programs are forks of the one process that the controller started."""
    if programs := getattr(config, "workerinput", {}).get("programs"):
        warm_start.use(Path(programs))


def pytest_unconfigure() -> None:
    _shared.close()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without looking for garbage, a third of its time in each worker: what is made there stays to the end."""
    stop_measuring(session.config)
    if not hasattr(session.config, "workerinput"):
        # What is run by imports is the same in each worker.
        import_measured(session.config, _PRODUCTS)
        # Has hypothesis make its table of all characters, which is seconds: workers of a fresh clone find it made.
        characters(categories=["Nd"]).validate()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what needs the image come last: CI builds that beside the other tests."""
    items.sort(key=lambda item: "built" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Measure coverage in the products' unit tests alone: traced, services that run within other tests are too slow."""
    is_measured = item.nodeid.startswith(_MEASURED) and not item.get_closest_marker("unmeasured")
    with measured_test(item) if is_measured else contextlib.nullcontext():
        return (yield)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The run's broker. Only use it where a test needs more than a virtual host."""
    given = getattr(request.config, "workerinput", {}).get("broker")
    if given:
        yield Broker.from_dict(given)
    else:
        with running_broker(light=True) as mine:
            yield mine


@pytest.fixture
def vhost(broker: Broker) -> Iterator[VHost]:
    """A virtual host for this test alone."""
    with temporary_vhost(broker) as made:
        yield made


@pytest.fixture
def private_node(tmp_path: Path) -> Iterator[PrivateNode]:
    """A node for this test alone, to kill and start again; 5 s to boot, so for few tests."""
    with own_node(tmp_path, light=True) as node:
        yield node
