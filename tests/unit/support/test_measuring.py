"""Coverage is measured where it is asked for, within tests, and of a property in the first examples."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.measuring import MEASURED_EXAMPLES, import_measured, measured_test, stop_measuring


class Controller:
    """What measures, with the names of what was done while it did."""

    def __init__(self) -> None:
        self.runs = True
        self.seen: list[str] = []

    def pause(self) -> None:
        assert self.runs
        self.runs = False

    def resume(self) -> None:
        assert not self.runs
        self.runs = True

    def see(self, what: str) -> None:
        if self.runs:
            self.seen.append(what)


def config(controller: Controller | None) -> Any:
    return SimpleNamespace(
        pluginmanager=SimpleNamespace(get_plugin=lambda _: SimpleNamespace(cov_controller=controller))
    )


def item(test: object, controller: Controller | None) -> Any:
    return SimpleNamespace(obj=test, config=config(controller))


@pytest.fixture
def controller() -> Controller:
    made = Controller()
    stop_measuring(config(made))
    return made


def test_a_test_is_measured_and_nothing_around_it(controller: Controller) -> None:
    controller.see("before")
    with measured_test(item(len, controller)):
        controller.see("the test")
    controller.see("after")
    assert controller.seen == ["the test"]


def test_after_a_test_that_fails_nothing_is_measured_either(controller: Controller) -> None:
    with pytest.raises(ZeroDivisionError), measured_test(item(len, controller)):
        raise ZeroDivisionError
    assert not controller.runs


def test_of_a_property_the_first_examples_are_measured_each_time(controller: Controller) -> None:
    ran = 0

    @settings(max_examples=2 * MEASURED_EXAMPLES, database=None)
    @given(st.integers())
    def property_(_number: int) -> None:
        nonlocal ran
        ran += 1
        controller.see("an example")

    for run in (1, 2):
        with measured_test(item(property_, controller)):
            controller.see("how examples are made")
            property_()
        assert controller.seen == ["an example"] * MEASURED_EXAMPLES * run
    property_()
    assert len(controller.seen) == 2 * MEASURED_EXAMPLES < ran


def test_where_it_is_not_asked_for_nothing_is_done() -> None:
    stop_measuring(config(None))
    import_measured(config(None), ("broker_setup",))
    with measured_test(item(len, None)):
        pass


def test_imports_are_measured(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    def importing(name: str) -> SimpleNamespace:
        controller.see(name)
        return SimpleNamespace(__path__=[])

    monkeypatch.setattr("tests.support.measuring.importlib.import_module", importing)
    import_measured(config(controller), ("a_package",))
    assert controller.seen == ["a_package"]
