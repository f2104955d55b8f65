"""What the real Tutor makes of the plugin's templates, held against our settings, compose file and image."""

import functools
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils as validate_utils

from broker_setup.settings import Settings, load_settings
from tests.support.compose import SERVICES
from tests.support.custom_resources import SCHEMAS, complaints
from tests.support.dockerfile import instructions
from tests.support.kustomize import files_of, mounted, named, plain_name, rendered
from tests.support.project import ROOT
from tests.support.tutor import Said, Tutor

Saved = tuple[Tutor, list[Said]]
# Ours here, and the compose file's that it is.
SAME = {"xqueue": "gateway", "xqueue-consumer": "relay", "xqueue-rabbitmq": "broker", "xqueue-passive": "passive"}
ACCOUNTS = {"xqueue": "xqueue-gateway", "xqueue-consumer": "xqueue-relay", "xqueue-job": "xqueue-broker"}


def compose(saved: Saved, *files: str) -> dict[str, Any]:
    services: dict[str, Any] = {}
    for file in files:
        read = yaml.safe_load((saved[0].root / "env" / file).read_text())
        services |= {name: services.get(name, {}) | service for name, service in read["services"].items()}
    return services


@pytest.fixture(scope="session")
def services(saved: Saved) -> dict[str, Any]:
    other = compose((Tutor(saved[0].environment, saved[0].root / "other"), []), "local/docker-compose.yml")
    return compose(saved, "local/docker-compose.yml", "local/docker-compose.jobs.yml") | {
        "xqueue-passive": other["xqueue-passive"]
    }


@pytest.fixture(scope="session")
def sites(saved: Saved) -> dict[str, list[dict[str, Any]]]:
    """What kubectl makes of both sites."""
    roots = {"own broker": saved[0].root, "all other": saved[0].root / "other"}
    return {name: rendered(root / "env") for name, root in roots.items()}


def load(service: dict[str, Any], saved: Saved, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in service["environment"].items():
        monkeypatch.setenv(name, value.replace("$$", "$"))
    monkeypatch.setenv("XQUEUE_CFG", str(saved[0].root / "env/plugins/xqueue/apps/settings/xqueue.yml"))
    settings, warnings = load_settings(require=["SECRET_KEY", "XQUEUES"])
    assert warnings == []
    return settings


def test_it_is_enabled_and_a_site_keeps_what_it_has_saved(saved: Saved) -> None:
    assert [said.code for said in saved[1]] == [0] * len(saved[1]), saved[1]
    config = yaml.safe_load((saved[0].root / "config.yml").read_text())
    assert "xqueue" in config["PLUGINS"]
    assert (config["XQUEUE_AUTH_PASSWORD"], config["XQUEUE_SECRET_KEY"], config["XQUEUE_MYSQL_PASSWORD"]) == (
        "xFHWp4RZ",
        "e98QGdCHmWHhxiYF18vI2NDL",
        "5SsJxHcD",
    )
    assert len(config["XQUEUE_SEALING_KEY"]) == 48


def test_two_queues_and_two_users_of_its_patch_come_out_as_they_were(
    saved: Saved, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = yaml.safe_load((saved[0].root / "env/plugins/xqueue/apps/settings/xqueue.yml").read_text())
    assert file["XQUEUES"] == {"python-201": None, "matlab": "http://matlab:1234/"}
    gateway = load(services["xqueue"], saved, monkeypatch)
    assert {name: word.get_secret_value() for name, word in gateway.users.items()} == {
        "lms": "xFHWp4RZ",
        "grader": "s3cr$et",
    }
    assert (gateway.submission_processing_delay, gateway.max_attempts, gateway.port) == (5, 7, 8000)
    assert gateway.public_url == "http://xqueue.local.openedx.io"


def test_what_was_not_carried_over_is_named_once(saved: Saved) -> None:
    err = saved[1][0].err
    assert err.count("mean nothing here: CONSUMER_DELAY") == 1
    assert err.count("nobody calls the grader of matlab: switch the bridge on") == 1
    assert saved[1][-1].err.count("XQUEUE_REPOSITORY mean nothing") == 1


@pytest.mark.parametrize("name", ACCOUNTS)
def test_a_service_starts_with_the_settings_that_it_gets(
    name: str, saved: Saved, services: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(services[name], saved, monkeypatch)
    url = settings.amqp_url.get_secret_value()
    assert url.startswith(f"amqp://{ACCOUNTS[name]}:")
    assert url.endswith("@xqueue-rabbitmq:5672/")
    assert ("REQUESTS_BASIC_AUTH" in str(services[name]["environment"])) == (name == "xqueue-consumer")
    assert ("XQUEUE_USERS" in services[name]["environment"]) == (name == "xqueue")


@pytest.mark.parametrize("name", SAME)
def test_a_service_is_held_as_that_of_our_compose_file(name: str, services: dict[str, Any]) -> None:
    ours, theirs = services[name], SERVICES[SAME[name]]
    changed = {"XQUEUE_PORT", "XQUEUE_PUBLIC_URL", "XQUEUE_WORKERS"}
    told = {key: value for key, value in theirs["environment"].items() if "$" not in value and key not in changed}
    assert told.items() <= ours["environment"].items()
    keys = {"cap_drop", "security_opt", "read_only", "tmpfs", "pids_limit", "stop_grace_period", "restart", "command"}
    for key in keys | {"healthcheck"}:
        assert ours.get(key) == theirs.get(key), key
    memory = theirs["mem_limit"].replace("${GATEWAY_MEMORY:-2g}", "2g")
    assert ours["mem_limit"] == memory


def test_the_broker_is_ours_with_its_settings_and_data(saved: Saved, services: dict[str, Any]) -> None:
    broker = services["xqueue-rabbitmq"]
    assert broker["image"].removeprefix("docker.io/") in SERVICES["broker"]["image"]
    for name in ("rabbitmq.conf", "advanced.config"):
        made = (saved[0].root / "env/plugins/xqueue/apps/rabbitmq" / name).read_text()
        assert made.strip() == (ROOT / "deploy/compose" / name).read_text().strip()
    setup = services["xqueue-job"]["environment"]
    assert broker["environment"]["RABBITMQ_DEFAULT_PASS"] in setup["SETUP_AMQP_URL"]
    assert setup["SETUP_MANAGEMENT_URL"].endswith("@xqueue-rabbitmq:15672")


def test_uploads_belong_to_the_user_that_the_image_runs_as(saved: Saved, services: dict[str, Any]) -> None:
    user = next(each.value for each in instructions("deploy/image/Dockerfile") if each.name == "USER").partition(":")[0]
    assert (
        f"setowner {user} /mounts/xqueue-uploads" in (saved[0].root / "env/apps/permissions/setowners.sh").read_text()
    )
    uploads = "../../data/xqueue/uploads"
    for name, place in (("xqueue", "/var/lib/xqueue/uploads"), ("permissions", "/mounts/xqueue-uploads")):
        assert f"{uploads}:{place}:z" in services[name]["volumes"]
    assert services["xqueue"]["environment"]["XQUEUE_UPLOAD_PATH"] == "/var/lib/xqueue/uploads"


def test_dev_has_the_gateway_on_a_port_of_this_machine(saved: Saved) -> None:
    assert compose(saved, "dev/docker-compose.yml")["xqueue"]["ports"] == ["127.0.0.1:18040:8000"]


def test_the_lms_and_the_proxy_know_where_it_is(saved: Saved) -> None:
    lms = (saved[0].root / "env/apps/openedx/settings/lms/production.py").read_text()
    assert '"url": "http://xqueue:8000"' in lms
    assert '{"username": "lms", "password": "xFHWp4RZ"}' in lms
    caddy = (saved[0].root / "env/apps/caddy/Caddyfile").read_text()
    assert re.search(r'xqueue\.local\.openedx\.io\{\$default_site_port\} \{\s+import proxy "xqueue:8000"', caddy)


def test_a_site_with_a_broker_of_its_own_runs_none_and_gives_its_secrets_as_they_are(saved: Saved) -> None:
    text = (saved[0].root / "other/env/local/docker-compose.yml").read_text()
    there = yaml.safe_load(text)["services"]
    assert "xqueue-rabbitmq" not in there
    assert there["xqueue"]["image"].startswith("registry.example:5000/xqueue@sha256:")
    assert there["xqueue-passive"]["command"] == ["xqueue-passive"]
    assert there["xqueue"]["ports"] == ["127.0.0.1:18037:18037"]
    assert there["xqueue-consumer"]["ports"] == ["127.0.0.1:18039:18039"]
    jobs = yaml.safe_load((saved[0].root / "other/env/local/docker-compose.jobs.yml").read_text())["services"]
    assert jobs["xqueue-job"]["environment"]["SETUP_AMQP_URL"] == "amqps://admin:a$$b@one.example/x"


def test_the_image_is_built_of_all_that_our_dockerfile_asks_for_as_it_stands_here(saved: Saved) -> None:
    built = saved[0].root / "env/plugins/xqueue/build/xqueue"
    copied = [each for each in instructions("deploy/image/Dockerfile") if each.name == "COPY"]
    sources = {source for each in copied if "--from=" not in each.value for source in each.words[:-1]}
    files = [file for source in sources for file in ([ROOT / source] if (ROOT / source).is_file() else walk(source))]
    assert len(files) > 100
    for file in [ROOT / "deploy/image/Dockerfile", *files]:
        place = "Dockerfile" if file.name == "Dockerfile" else file.relative_to(ROOT)
        assert (built / place).read_bytes() == file.read_bytes()
    calls = (saved[0].root / "calls").read_text().splitlines()
    [build] = [call for call in calls if " build " in f" {call} "]
    assert "--build-arg=PYTHON_IMAGE=docker.io/python:3.11-slim-bookworm" in build
    assert build.endswith("env/plugins/xqueue/build/xqueue")


def walk(folder: str) -> list[Path]:
    return [file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts]


def test_all_that_is_for_kubernetes_is_what_kubernetes_knows(
    sites: dict[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate_utils, "schema_contents", functools.cache(validate_utils.schema_contents))
    for things in sites.values():
        for thing in things:
            if "xqueue" not in thing["metadata"]["name"]:
                continue
            if thing["kind"] in SCHEMAS:
                assert complaints(thing) == []
            else:
                kubernetes_validate.validate(thing, "1.37", strict=True)


def test_a_pod_starts_with_the_settings_and_secrets_that_are_mounted(
    sites: dict[str, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = {"xqueue": "xqueue-gateway", "xqueue-relay": "xqueue-relay", "xqueue-commands": "xqueue-broker"}
    for site, things in sites.items():
        passive = {"xqueue-passive": "xqueue-passive"} if site == "all other" else {}
        for name, user in (users | passive).items():
            pod = named(things, "Deployment", name)["spec"]["template"]["spec"]
            with monkeypatch.context() as patch:
                for variable, value in mounted(things, pod, tmp_path / site / name).items():
                    patch.setenv(variable, value)
                settings, warnings = load_settings(require=["SECRET_KEY", "XQUEUES"])
            assert warnings == []
            assert f"//{user}:" in settings.amqp_url.get_secret_value()
            assert (settings.requests_basic_auth is not None) == (name in {"xqueue-relay", "xqueue-passive"})


def test_the_job_that_sets_up_refers_to_what_is_there(sites: dict[str, list[dict[str, Any]]]) -> None:
    for things in sites.values():
        [container] = named(things, "Job", "xqueue-job")["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]:
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                volume = {"secret": {"secretName": reference["name"]}}
                assert reference["key"] in files_of(things, volume)
        assert {"SETUP_AMQP_URL", "SETUP_BROKER_PASSWORDS"} <= {variable["name"] for variable in container["env"]}
        assert ("Job", "xqueue-setup") not in {(thing["kind"], plain_name(thing)) for thing in things}


def test_the_broker_of_a_cluster_keeps_its_data_and_is_probed(sites: dict[str, list[dict[str, Any]]]) -> None:
    broker = named(sites["own broker"], "StatefulSet", "xqueue-rabbitmq")["spec"]["template"]["spec"]
    assert {"persistentVolumeClaim": {"claimName": "xqueue-rabbitmq"}, "name": "data"} in broker["volumes"]
    assert {"startupProbe", "readinessProbe", "livenessProbe", "resources"} <= broker["containers"][0].keys()
    assert not [thing for thing in sites["all other"] if thing["kind"] == "StatefulSet"]
    claim = named(sites["own broker"], "PersistentVolumeClaim", "xqueue-uploads")["spec"]
    assert claim["accessModes"] == ["ReadWriteOnce"]
    scaling = named(sites["all other"], "HorizontalPodAutoscaler", "xqueue")["spec"]
    assert (scaling["minReplicas"], scaling["maxReplicas"]) == (2, 4)


def test_operators_commands_run_where_the_broker_is_reached(saved: Saved) -> None:
    calls = (saved[0].root / "calls").read_text().splitlines()
    ran = [call for call in calls if "xqueue-broker" in call]
    assert ran[0].endswith("xqueue-job sh -e -c xqueue-broker count")
    assert "--project-name tutor_dev" in ran[1]
    command = shlex.join(["xqueue-broker", "trace", "--queue", "it's", "--json"])
    assert ran[1].endswith(f"xqueue-job sh -e -c {command}")
    assert (
        ran[2]
        == "kubectl exec --namespace openedx deployment/xqueue-commands -- sh -e -c xqueue-broker parked list --help"
    )


def test_init_sets_the_broker_up_as_soon_as_it_can_be(saved: Saved, services: dict[str, Any], tmp_path: Path) -> None:
    log = (saved[0].root / "calls").read_text()
    script = log.rpartition("xqueue-job sh -e -c ")[2].partition("\ndocker ")[0]
    fake = (
        "#!/bin/sh\n"
        '[ "$0" != "${0%sleep}" ] && exit 0\n'
        'echo "$*;$XQUEUE_AMQP_URL;$XQUEUE_MANAGEMENT_URL;$XQUEUE_BROKER_PASSWORDS" >> calls\n'
        "[ $(wc -l < calls) -ge 3 ]\n"
    )
    for name in ("xqueue-broker", "sleep"):
        (tmp_path / name).write_text(fake)
        (tmp_path / name).chmod(0o755)
    variables = {name: str(value) for name, value in services["xqueue-job"]["environment"].items()}
    ran = subprocess.run(
        ["sh", "-e", "-c", script],
        env=variables | {"PATH": f"{tmp_path}:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    tries = (tmp_path / "calls").read_text().splitlines()
    assert len(tries) == 3
    command, amqp, management, passwords = tries[0].split(";")
    assert command == "setup"
    assert amqp.startswith("amqp://xqueue:")
    assert management.startswith("http://xqueue:")
    assert set(json.loads(passwords)) == set(Settings().broker_users.values())
