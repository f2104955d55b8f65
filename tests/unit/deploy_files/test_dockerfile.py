"""The Dockerfile, read rather than run: no Docker engine runs where these tests do."""

import re

import pytest
from packaging.specifiers import SpecifierSet

from broker_setup.settings import ENV_PREFIX, Settings
from deploy.image import healthcheck
from tests.support.dockerfile import Instruction, environment, instructions
from tests.support.project import ROOT, pyproject, text

DOCKERFILE = instructions("deploy/image/Dockerfile")
FINAL = [each for each in DOCKERFILE if each.stage == max(each.stage for each in DOCKERFILE)]
ENVIRONMENT = environment(FINAL)


def named(name: str, among: list[Instruction] = DOCKERFILE) -> list[Instruction]:
    return [each for each in among if each.name == name]


def copied_from_the_checkout() -> list[str]:
    return [source for each in named("COPY") if "--from=" not in each.value for source in each.words[:-1]]


def test_both_stages_start_from_one_named_version_of_python() -> None:
    images = [each.words[0] for each in named("FROM")]
    assert len(images) == 2
    assert set(images) == {"${PYTHON_IMAGE}"}


def test_its_python_is_one_that_the_project_supports() -> None:
    version = named("ARG")[0].value.removeprefix("PYTHON_IMAGE=python:").removesuffix("-slim-bookworm")
    assert f"{version}.0" in SpecifierSet(pyproject()["project"]["requires-python"])
    assert pyproject()["tool"]["ruff"]["target-version"] == f"py{version.replace('.', '')}"


def test_it_ends_as_a_user_that_is_not_root() -> None:
    user, group = named("USER", FINAL)[-1].value.split(":")
    assert int(user) > 0
    assert int(group) > 0
    made = " ".join(each.value for each in named("RUN", FINAL))
    assert f"--uid {user}" in made
    assert f"--gid {group}" in made


def test_everything_is_installed_from_lock_files_with_hashes_or_from_what_was_built() -> None:
    steps = [
        step
        for each in named("RUN")
        for step in each.value.split("&&")
        if re.search(r" pip (--python \S+ )?install ", step)
    ]
    assert len(steps) == 3
    for step in steps:
        assert ("--require-hashes --requirement deploy/requirements/" in step) != ("--no-deps --no-index" in step)
        if "--require-hashes" in step:
            assert "--only-binary :all:" in step


def test_what_runs_has_no_installer() -> None:
    made = " ".join(each.value for each in named("RUN"))
    assert "venv --without-pip /opt/xqueue" in made
    assert {each.words[1] for each in named("COPY", FINAL) if "--from=build" in each.value} == {
        "/opt/xqueue",
        "/opt/own",
    }


def test_its_lock_file_is_the_services_and_brings_no_tools_for_developers() -> None:
    assert "deploy/requirements/run.txt" in copied_from_the_checkout()
    assert "dev.txt" not in text("deploy/image/Dockerfile")


def test_every_package_of_the_project_is_copied() -> None:
    assert set(pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied_from_the_checkout())


def test_what_the_wheel_is_built_from_is_copied() -> None:
    project = pyproject()["project"]
    assert {"pyproject.toml", project["readme"], *project["license-files"]} <= set(copied_from_the_checkout())


@pytest.mark.parametrize("source", copied_from_the_checkout())
def test_what_is_copied_exists_and_is_let_through(source: str) -> None:
    assert (ROOT / source).exists()
    assert f"!{source}" in text(".dockerignore").split("\n")


def test_only_what_is_copied_reaches_the_build() -> None:
    lines = [line for line in text(".dockerignore").split("\n") if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied_from_the_checkout())


def test_its_commands_are_those_of_the_project() -> None:
    assert named("CMD", FINAL)[-1].words == ["xqueue-gateway"]
    scripts = {"xqueue-gateway", "xqueue-relay", "xqueue-passive", "xqueue-upstream", "xqueue-console"}
    assert set(pyproject()["project"]["scripts"]) == scripts | {"xqueue-broker"}


def test_its_settings_exist_and_none_is_a_secret() -> None:
    ours = {name.removeprefix(ENV_PREFIX).lower() for name in ENVIRONMENT if name.startswith(ENV_PREFIX)}
    assert ours <= set(Settings.model_fields)
    assert [name for name in ours if "SecretStr" in str(Settings.model_fields[name].annotation)] == []


def test_its_ports_are_those_that_are_exposed_and_asked_for_health_and_the_gateways_is_the_settings() -> None:
    assert ENVIRONMENT["XQUEUE_PORT"] == str(Settings.model_fields["port"].default)
    assert named("EXPOSE", FINAL)[0].words == [ENVIRONMENT[key] for key in healthcheck.PORTS.values()]
    assert set(healthcheck.PORTS) == set(pyproject()["project"]["scripts"]) - {"xqueue-broker"}


def test_the_uploads_folder_belongs_to_the_user() -> None:
    made = " ".join(each.value for each in named("RUN", FINAL))
    assert re.search(rf"install --directory --owner xqueue .*{ENVIRONMENT['XQUEUE_UPLOAD_PATH']}\b", made)


def test_its_health_is_asked_for_without_a_tool_that_it_lacks() -> None:
    check = named("HEALTHCHECK", FINAL)[-1].value
    assert check.endswith('CMD ["python", "/opt/xqueue/healthcheck.py"]')
    assert any(each.value == "deploy/image/healthcheck.py /opt/xqueue/healthcheck.py" for each in named("COPY", FINAL))
