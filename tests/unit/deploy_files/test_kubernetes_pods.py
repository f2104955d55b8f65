"""Kubernetes' pods, compared with the code, the image and the compose file."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from broker_setup.errors import SettingsError
from broker_setup.settings import ENV_PREFIX, Settings, load_settings
from broker_setup.settings.secret_files import FILE_SUFFIX, is_secret
from deploy.kubernetes.make_secrets import OPERATOR, USERS
from gateway.http.polls import LONGEST_WAIT_SECONDS
from gateway.http.server_config import KEEP_ALIVE_SECONDS
from gateway.workers.crew import STOP_SECONDS
from tests.support.compose import LOGINS, MIB, OURS, bytes_of
from tests.support.compose import variables as of_compose
from tests.support.dockerfile import environment as of_image
from tests.support.dockerfile import instructions
from tests.support.kustomize import FOLDER, Thing, environment, mounted, named, site, templates
from tests.support.project import pyproject, text

# What a site says in xqueue.yml in place of each CHANGE-ME.
SAID = {
    "PUBLIC_URL": "https://xqueue.example",
    "TRUSTED_PROXIES": "[10.0.0.0/8]",
    "CALLBACK_ALLOWED_ORIGINS": "[https://lms.example]",
}
OPERATORS = ("rabbitmq-operator", "uploads-volume", "passive", "upstream", "console", "monitoring")
EXISTING = ("rabbitmq-existing", "uploads-s3", "passive", "upstream", "console")
COMPONENTS = ("gateway", "relay", "passive", "upstream", "console", "setup", "commands", "prune-files")
# What serves, and so runs on and on.
SERVING = ("gateway", "relay", "passive", "upstream", "console")
# As in compose, where prune-files is one of the commands.
AS_IN_COMPOSE = {name: name for name in COMPONENTS} | {"prune-files": "commands"}
NEEDED = {
    "gateway": ["SECRET_KEY", "USERS", "XQUEUES"],
    "relay": ["SECRET_KEY"],
    "passive": ["SECRET_KEY", "XQUEUES"],
    "upstream": ["SECRET_KEY", "XQUEUES"],
    "console": ["SECRET_KEY", "CONSOLE_ACCOUNTS", "XQUEUES"],
    "setup": ["MANAGEMENT_URL", "BROKER_PASSWORDS", "XQUEUES"],
    "commands": ["SECRET_KEY", "MANAGEMENT_URL", "XQUEUES"],
    "prune-files": ["XQUEUES"],
}


def pod(component: str, components: tuple[str, ...] = OPERATORS) -> Thing:
    spec: Thing = dict(templates(site(*components)))[component]["spec"]
    return spec


def container(component: str, components: tuple[str, ...] = OPERATORS) -> Thing:
    [only] = pod(component, components)["containers"]
    assert isinstance(only, dict)
    return only


def deployment(name: str) -> Thing:
    spec: Thing = named(site(*OPERATORS), "Deployment", name)["spec"]
    return spec


def mebibytes(quantity: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([MG]i)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


def test_there_is_a_pod_for_each_service_of_compose_but_the_broker() -> None:
    assert {component for component, _ in templates(site(*OPERATORS))} == set(COMPONENTS)
    assert {AS_IN_COMPOSE[component] for component in COMPONENTS} == set(OURS)


def test_pods_run_the_commands_that_compose_runs() -> None:
    for component in (*SERVING, "setup"):
        assert container(component, EXISTING)["command"] == OURS[component]["command"]
    nodes = named(site(*OPERATORS), "RabbitmqCluster", "xqueue-rabbitmq")["spec"]["replicas"]
    assert container("setup")["command"] == [*OURS["setup"]["command"], "--nodes", str(nodes)]
    assert container("prune-files")["command"] == ["xqueue-broker", "prune-files", "--yes"]
    # Somebody who has come in by `kubectl exec` gives the commands.
    assert container("commands")["command"] == ["sleep", "infinity"]


def test_the_image_is_ours_of_this_version() -> None:
    ours = f"xqueue-rabbitmq:{pyproject()['project']['version']}"
    for file in [*FOLDER.glob("base/*.yaml"), *FOLDER.glob("components/passive/*.yaml")]:
        assert set(re.findall(r"image: (\S+)", file.read_text())) <= {ours}, file
    assert {each["spec"]["containers"][0]["image"] for _, each in templates(site(*OPERATORS))} == {f"CHANGE-ME/{ours}"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_pod_is_the_images_user_and_can_gain_no_rights(component: str) -> None:
    user, group = next(each for each in instructions("deploy/image/Dockerfile") if each.name == "USER").value.split(":")
    of_pod, of_container = pod(component)["securityContext"], container(component)["securityContext"]
    assert (of_pod["runAsUser"], of_pod["runAsGroup"], of_pod["fsGroup"]) == (int(user), int(group), int(group))
    assert of_pod["runAsNonRoot"] is True
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_pod_gets_nothing_from_kubernetes_that_it_did_not_ask_for(component: str) -> None:
    spec = pod(component)
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == "xqueue"
    # The Service xqueue would otherwise be a variable XQUEUE_PORT, which is a setting.
    assert spec["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_a_pod_writes_is_memory_or_a_volume_and_has_a_bound(component: str) -> None:
    places = {mount["mountPath"]: mount for mount in container(component)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(component)["volumes"]}
    tmp = volumes[places.pop("/tmp")["name"]]["emptyDir"]
    assert tmp["medium"] == "Memory"
    compose = OURS[AS_IN_COMPOSE[component]]["tmpfs"][0].partition("size=")[2].partition(",")[0]
    assert mebibytes(tmp["sizeLimit"]) * MIB == bytes_of(compose)
    places.pop("/var/lib/xqueue/uploads", None)
    assert places
    assert all(mount["readOnly"] for mount in places.values())


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_pod_says_what_it_needs_and_has_composes_memory_at_most(component: str) -> None:
    resources = container(component)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory", "ephemeral-storage"}
    compose = OURS[AS_IN_COMPOSE[component]]["mem_limit"].replace("${GATEWAY_MEMORY:-2g}", "2g")
    assert mebibytes(resources["limits"]["memory"]) * MIB == bytes_of(compose)


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("components", [OPERATORS, EXISTING], ids=["operator", "existing"])
def test_every_setting_that_is_set_exists(component: str, components: tuple[str, ...]) -> None:
    fields = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    files = {f"{ENV_PREFIX}{name.upper()}{FILE_SUFFIX}" for name in Settings.model_fields if is_secret(Settings, name)}
    names = {name for name in environment(container(component, components)) if name.startswith(ENV_PREFIX)}
    assert names <= fields | files | {"XQUEUE_CFG"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_settings_are_those_of_compose_and_secrets_stand_in_files(component: str) -> None:
    compose = of_compose(OURS[AS_IN_COMPOSE[component]])
    here = environment(container(component))
    same = {"XQUEUE_CFG", *(name for name in compose if not is_secret(Settings, name.removeprefix(ENV_PREFIX).lower()))}
    # These are a site's: they stand in its xqueue.yml, and a pod is one process.
    for name in same - {"XQUEUE_PUBLIC_URL", "XQUEUE_WORKERS"}:
        assert here[name] == compose[name]
    secret = {name.removesuffix(FILE_SUFFIX) for name in here if name.endswith(FILE_SUFFIX)}
    of_operator = {"XQUEUE_AMQP_URL", "XQUEUE_MANAGEMENT_URL"} & set(here)
    assert of_operator == ({"XQUEUE_AMQP_URL", "XQUEUE_MANAGEMENT_URL"} if component == "setup" else set())
    assert secret | of_operator >= set(compose) - same


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("components", [OPERATORS, EXISTING], ids=["operator", "existing"])
def test_a_pod_starts_with_what_it_gets(
    component: str, components: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = mounted(site(*components), pod(component, components), tmp_path)
    settings = tmp_path / "etc/xqueue/xqueue.yml"
    settings.write_text(
        re.sub(
            r"^(\w+): \[?CHANGE-ME\]?$",
            lambda line: f"{line[1]}: {SAID[line[1]]}",
            settings.read_text(),
            flags=re.MULTILINE,
        )
    )
    given = {
        "ADMINISTRATOR": "admin",
        "ADMINISTRATORS_PASSWORD": "of-admin",
        "XQUEUE_UPLOAD_STORE": "s3://bucket/xqueue",
    }
    for name, value in (seen | {name: given[name] for name in seen.keys() & given.keys()}).items():
        monkeypatch.setenv(name, re.sub(r"\$\((\w+)\)", lambda each: given[each[1]], value))
    read, warnings = load_settings(require=NEEDED[component])
    assert warnings == []
    user = "admin" if component == "setup" else LOGINS[AS_IN_COMPOSE[component]]
    [url] = re.findall(r"amqp://([^:]+):([^@]+)@([\w.-]+):5672/", read.amqp_url.get_secret_value())
    assert (url[0], bool(url[1])) == (user, True)
    if component in {"gateway", "commands", "prune-files"}:
        assert bool(read.upload_store) == ("uploads-s3" in components)
    if component == "setup":
        assert set(read.broker_passwords) == {*USERS.values(), OPERATOR} == set(Settings().broker_users.values())


def test_variables_that_others_are_made_of_stand_before_them() -> None:
    order = [each["name"] for each in container("setup")["env"]]
    for each in container("setup")["env"]:
        for made_of in re.findall(r"\$\((\w+)\)", each.get("value", "")):
            assert order.index(made_of) < order.index(each["name"])


def test_what_a_site_has_not_changed_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in mounted(site(*EXISTING), pod("gateway", EXISTING), tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XQUEUE_UPLOAD_STORE", "CHANGE-ME")  # as the Secret has it
    with pytest.raises(SettingsError) as stopped:
        load_settings(require=NEEDED["gateway"])
    for name in (*SAID, "UPLOAD_STORE"):
        assert name in str(stopped.value)


def test_the_bases_own_settings_start_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in mounted(site(*OPERATORS), pod("gateway"), tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XQUEUE_CFG", str(FOLDER / "base/xqueue.yml"))
    with pytest.raises(SettingsError, match="XQUEUES is not set"):
        load_settings(require=NEEDED["gateway"])


def test_gateways_are_reached_at_the_port_that_they_are_told() -> None:
    port = environment(container("gateway"))["XQUEUE_PORT"]
    assert container("gateway")["ports"][0] == {"name": "http", "containerPort": int(port)}
    assert port == of_image(instructions("deploy/image/Dockerfile"))["XQUEUE_PORT"]
    service = named(site(*OPERATORS), "Service", "xqueue")["spec"]
    assert [(each["port"], each["targetPort"]) for each in service["ports"]] == [(8000, "http")]


@pytest.mark.parametrize(
    ("component", "settings"),
    [
        ("gateway", {"metrics": "GATEWAY_METRICS_PORT"}),
        ("relay", {"metrics": "METRICS_PORT"}),
        ("passive", {"metrics": "PASSIVE_METRICS_PORT"}),
        ("upstream", {"metrics": "UPSTREAM_METRICS_PORT"}),
        ("console", {"http": "CONSOLE_PORT", "metrics": "CONSOLE_METRICS_PORT"}),
    ],
)
def test_processes_are_asked_at_the_ports_that_they_are_told(component: str, settings: dict[str, str]) -> None:
    told = environment(container(component))
    ports = {name: int(told[f"{ENV_PREFIX}{setting}"]) for name, setting in settings.items()}
    opened = {each["name"]: each["containerPort"] for each in container(component)["ports"]}
    assert {name: opened[name] for name in ports} == ports
    service = named(site(*OPERATORS), "Service", f"xqueue-{component}")["spec"]
    assert {each["targetPort"]: each["port"] for each in service["ports"]} == ports


def test_services_and_budgets_find_the_pods_that_they_are_for() -> None:
    things = site(*OPERATORS)
    labels = {component: template["metadata"]["labels"] for component, template in templates(things)}
    for thing in things:
        if thing["metadata"]["name"].startswith("xqueue-rabbitmq"):
            continue
        wanted: Any = (
            thing.get("spec", {}).get("selector") if thing["kind"] in {"Service", "PodDisruptionBudget"} else None
        )
        if wanted:
            wanted = wanted.get("matchLabels", wanted)
            found = [name for name, each in labels.items() if wanted.items() <= each.items()]
            assert found == [thing["metadata"]["labels"]["app.kubernetes.io/component"]]


PATHS = {
    "gateway": {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"},
    "relay": {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"},
    "passive": {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"},
    "upstream": {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"},
    "console": {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"},
}
# Where each answers; else the metrics' server does.
ROUTES = {"gateway": "gateway/http/routes.py", "console": "gateway/console/pages/app.py"}


@pytest.mark.parametrize("component", PATHS)
def test_probes_ask_what_is_there_to_be_asked(component: str) -> None:
    port = container(component)["ports"][0]["name"]
    for probe, path in PATHS[component].items():
        assert container(component)[probe]["httpGet"] == {"path": path, "port": port}
    # The broker is no reason to start a process again: only /readyz may speak of it.
    served = text(ROUTES.get(component, "broker_setup/metrics_port/endpoint.py"))
    assert all(path in served for path in PATHS[component].values())


def test_a_gateway_that_goes_serves_on_for_longer_than_a_poll_and_a_kept_connection_last() -> None:
    said = environment(container("gateway"))
    delay, stop_time = float(said["XQUEUE_STOP_DELAY"]), float(said["XQUEUE_STOP_TIME"])
    assert delay > 0
    assert stop_time > max(LONGEST_WAIT_SECONDS, KEEP_ALIVE_SECONDS)
    assert pod("gateway")["terminationGracePeriodSeconds"] >= delay + stop_time + STOP_SECONDS


@pytest.mark.parametrize("component", ["relay", "passive", "upstream", "console"])
def test_others_get_the_time_that_they_stop_in(component: str) -> None:
    compose = int(OURS[component]["stop_grace_period"].removesuffix("s"))
    assert pod(component)["terminationGracePeriodSeconds"] >= compose


def test_a_new_pod_comes_before_an_old_one_goes() -> None:
    for name in ("xqueue", "xqueue-relay", "xqueue-passive"):
        assert deployment(name)["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        budget = named(site(*OPERATORS), "PodDisruptionBudget", name)["spec"]
        assert budget["maxUnavailable"] == 1
    assert "replicas" not in deployment("xqueue")  # the autoscaler's to say
    assert named(site(*OPERATORS), "HorizontalPodAutoscaler", "xqueue")["spec"]["minReplicas"] >= 2
    assert deployment("xqueue-relay")["replicas"] == 2


def test_files_lie_where_gateways_and_prune_files_both_look() -> None:
    for component in ("gateway", "commands", "prune-files"):
        here = environment(container(component))["XQUEUE_UPLOAD_PATH"]
        mount = next(each for each in container(component)["volumeMounts"] if each["mountPath"] == here)
        volume = next(each for each in pod(component)["volumes"] if each["name"] == mount["name"])
        assert volume["persistentVolumeClaim"] == {"claimName": "xqueue-uploads"}
        assert "XQUEUE_UPLOAD_PATH" not in environment(container(component, EXISTING))
        assert "persistentVolumeClaim" not in json.dumps(pod(component, EXISTING))
    claim = named(site(*OPERATORS), "PersistentVolumeClaim", "xqueue-uploads")["spec"]
    assert claim["accessModes"] == ["ReadWriteMany"]


def test_only_setup_knows_an_administrator_and_each_process_knows_itself_alone() -> None:
    secrets = {
        component: {volume["secret"]["secretName"] for volume in pod(component)["volumes"] if "secret" in volume}
        for component in COMPONENTS
    }
    of = {component: {re.sub(r"-[a-z0-9]{10}$", "", name) for name in names} for component, names in secrets.items()}
    alone = {component: {f"xqueue-{component}"} for component in COMPONENTS} | {"prune-files": {"xqueue-commands"}}
    # Both log in where work is taken out, and results are put back.
    shared = {component: alone[component] | {"xqueue-upstream-passwords"} for component in ("relay", "upstream")}
    assert of == alone | shared
    assert [name for name in COMPONENTS if "default-user" in json.dumps(pod(name))] == ["setup"]
