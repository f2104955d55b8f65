"""The compose file, read rather than run: no Docker engine runs where these tests do."""

import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from broker_setup.link.connection import HEARTBEAT_SECONDS
from broker_setup.queue_arguments import CONSUMER_TIMEOUT_MS
from broker_setup.settings import ENV_PREFIX, Settings, load_settings
from deploy.local.node_files import ADVANCED
from deploy.local.runtime import Container
from tests.support.compose import (
    COMPOSE,
    EXAMPLE,
    FILLED,
    FOLDER,
    LOGINS,
    MIB,
    OURS,
    PASSWORDS,
    SERVICES,
    VARIABLE,
    bytes_of,
    filled,
    variables,
)
from tests.support.dockerfile import environment, instructions
from tests.support.project import ROOT, pyproject, text


def test_the_services_run_the_projects_commands() -> None:
    scripts = set(pyproject()["project"]["scripts"])
    assert {service["command"][0] for service in OURS.values()} == scripts
    assert OURS["setup"]["command"] == ["xqueue-broker", "setup"]
    # So that they do not run with the others.
    profiles = {name: service["profiles"] for name, service in OURS.items() if "profiles" in service}
    own = {name: [name] for name in ("passive", "upstream", "commands")}
    assert profiles == own | {"console": ["console", "monitoring"]}


def test_the_image_is_built_from_our_dockerfile_and_tagged_with_our_version() -> None:
    for service in OURS.values():
        assert (FOLDER / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert filled(service["image"]) == f"xqueue-rabbitmq:{pyproject()['project']['version']}"


def test_every_setting_that_is_set_exists() -> None:
    fields = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    for service in OURS.values():
        assert set(service["environment"]) <= fields | {"XQUEUE_CFG"}
    assert {name for name in EXAMPLE if name.startswith(ENV_PREFIX)} <= fields


@pytest.mark.parametrize("name", OURS)
def test_a_service_starts_with_the_settings_that_it_gets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in variables(OURS[name]).items():
        monkeypatch.setenv(key, value)
    mounted = next(volume for volume in OURS[name]["volumes"] if ":/etc/xqueue/" in volume).split(":")
    assert mounted[1:] == [variables(OURS[name])["XQUEUE_CFG"], "ro"]
    monkeypatch.setenv("XQUEUE_CFG", str(FOLDER / mounted[0]))
    needed = ["MANAGEMENT_URL"] if name == "setup" else ["SECRET_KEY"]
    settings, warnings = load_settings(require=[*needed, "XQUEUES"])
    assert warnings == []
    user = LOGINS[name]
    assert settings.amqp_url.get_secret_value() == f"amqp://{user}:of-{user}@broker:5672/"


def test_every_user_of_ours_gets_its_own_password_and_only_setup_knows_the_administrators() -> None:
    given = json.loads(variables(OURS["setup"])["XQUEUE_BROKER_PASSWORDS"])
    assert given == {user: f"of-{user}" for user in PASSWORDS if user != "xqueue"}
    assert set(given) == set(Settings().broker_users.values())
    for name, service in OURS.items():
        assert ("BROKER_PASSWORD" in str(service["environment"])) == (name == "setup")
        assert ("XQUEUE_SECRET_KEY" in service["environment"]) == (name != "setup")


def test_setup_reaches_the_management_api_as_the_administrator() -> None:
    assert variables(OURS["setup"])["XQUEUE_MANAGEMENT_URL"] == "http://xqueue:of-xqueue@broker:15672"


def test_every_variable_of_the_compose_file_is_in_the_example_and_the_other_way_round() -> None:
    used = {match[0] for match in VARIABLE.findall(text("deploy/compose/compose.yaml"))}
    images = {"IMAGE_TAG", "BROKER_IMAGE", "PYTHON_IMAGE", "PROMETHEUS_IMAGE", "GRAFANA_IMAGE"}
    assert used - images == set(EXAMPLE)


def test_the_example_holds_no_secret_and_what_is_missing_stops_the_start() -> None:
    secrets = {*PASSWORDS.values(), "XQUEUE_SECRET_KEY", "XQUEUE_USERS", "XQUEUE_CONSOLE_ACCOUNTS", "GRAFANA_PASSWORD"}
    assert {name for name, value in EXAMPLE.items() if not value} == secrets
    for match in re.finditer(r"\$\{(\w+)(.{2})", text("deploy/compose/compose.yaml")):
        assert (match[2] == ":?") == (match[1] in secrets), match[1]


def test_defaults_are_those_of_the_example() -> None:
    for name, default in VARIABLE.findall(text("deploy/compose/compose.yaml")):
        if EXAMPLE.get(name):
            assert default == EXAMPLE[name]


def test_the_filled_in_example_stays_out_of_version_control() -> None:
    assert ".env" in text("deploy/compose/.gitignore").split("\n")


def test_the_broker_has_the_account_that_the_services_use() -> None:
    assert variables(SERVICES["broker"])["RABBITMQ_DEFAULT_USER"] == "xqueue"
    assert variables(SERVICES["broker"])["RABBITMQ_DEFAULT_PASS"] == FILLED["BROKER_PASSWORD"]


def test_every_published_port_is_published_on_the_loopback_address_only() -> None:
    ports = [filled(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert sorted(ports) == [f"127.0.0.1:{port}:{port}" for port in (15672, 18040, 18050, 3000, 5672, 9090)]


def test_the_gateways_port_is_the_one_that_it_is_told_to_use() -> None:
    image = environment(instructions("deploy/image/Dockerfile"))
    gateway = variables(OURS["gateway"])
    assert gateway["XQUEUE_PORT"] == image["XQUEUE_PORT"] == "18040"
    assert gateway["XQUEUE_PUBLIC_URL"] == "http://127.0.0.1:18040"
    assert gateway["XQUEUE_HOST"] == image["XQUEUE_HOST"] == "0.0.0.0"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gateway", "GATEWAY_METRICS"),
        ("relay", "METRICS"),
        ("passive", "PASSIVE_METRICS"),
        ("upstream", "UPSTREAM_METRICS"),
        ("console", "CONSOLE_METRICS"),
    ],
)
def test_metrics_are_reached_from_the_network_and_from_nowhere_else(name: str, key: str) -> None:
    values, image = variables(OURS[name]), environment(instructions("deploy/image/Dockerfile"))
    port = values[f"XQUEUE_{key}_PORT"]
    assert values[f"XQUEUE_{key}_HOST"] == "0.0.0.0"
    assert [port] == OURS[name]["expose"]
    # The image has one where a health check needs it.
    assert image.get(f"XQUEUE_{key}_PORT", port) == port
    assert not [each for each in OURS[name].get("ports", []) if each.endswith(f":{port}")]
    assert [other for other, service in OURS.items() if f"XQUEUE_{key}_" in str(service)] == [name]


def test_prometheus_looks_for_each_where_it_is_and_grafana_for_prometheus() -> None:
    jobs = yaml.safe_load(text("deploy/monitoring/prometheus.yml"))["scrape_configs"]
    targets = [target for job in jobs for static in job["static_configs"] for target in static["targets"]]
    ours = [f"{name}:{service['expose'][0]}" for name, service in OURS.items() if "expose" in service]
    # The broker's image has rabbitmq_prometheus on, at its usual port.
    assert sorted(set(targets)) == sorted([*ours, "broker:15692"])
    [source] = yaml.safe_load(text("deploy/compose/grafana.yaml"))["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    [provider] = yaml.safe_load(text("deploy/compose/grafana-dashboards.yaml"))["providers"]
    shown = f"../monitoring/dashboard.json:{provider['options']['path']}/xqueue.json:ro"
    assert shown in SERVICES["grafana"]["volumes"]
    assert {SERVICES[name]["profiles"][-1] for name in ("prometheus", "grafana", "console")} == {"monitoring"}


def test_the_page_about_metrics_names_the_relay_in_the_compose_network() -> None:
    relay = variables(OURS["relay"])
    assert f"relay:{relay['XQUEUE_METRICS_PORT']}" in text("docs/reference/metrics.md")


def test_uploads_and_queues_are_kept_in_volumes() -> None:
    for name in ("gateway", "commands"):  # of which one, prune-files, removes what the gateway has stored
        assert f"uploads:{variables(OURS[name])['XQUEUE_UPLOAD_PATH']}" in OURS[name]["volumes"]
    assert "broker-data:/var/lib/rabbitmq" in SERVICES["broker"]["volumes"]
    assert SERVICES["broker"]["hostname"]  # part of the place of the data in that volume
    assert set(COMPOSE["volumes"]) == {"uploads", "broker-data", "prometheus-data", "grafana-data"}


def test_mounted_files_exist() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service["volumes"] if volume.startswith(".")]
    assert mounts
    assert [mount for mount in mounts if not (FOLDER / Path(mount.split(":")[0])).is_file()] == []


def test_services_wait_for_the_broker_and_for_its_queues() -> None:
    healthy = {"condition": "service_healthy"}
    assert SERVICES["broker"]["healthcheck"]["test"][:2] == ["CMD", "rabbitmq-diagnostics"]
    assert OURS["setup"]["depends_on"] == {"broker": healthy}
    for name in ("gateway", "relay", "passive", "upstream", "console", "commands"):
        done = {"condition": "service_completed_successfully"}
        assert OURS[name]["depends_on"] == {"broker": healthy, "setup": done}


def test_what_serves_is_asked_for_its_health() -> None:
    for name in ("gateway", "relay", "passive", "upstream", "console"):
        assert OURS[name]["healthcheck"]["test"] == ["CMD", "python", "/opt/xqueue/healthcheck.py"]
    for name in ("setup", "commands"):
        assert OURS[name]["healthcheck"] == {"disable": True}


def test_what_serves_comes_back_and_what_runs_once_does_not() -> None:
    restarts = {name: service["restart"] for name, service in SERVICES.items()}
    assert restarts == {
        "broker": "unless-stopped",
        "setup": "no",
        "commands": "no",
        "gateway": "unless-stopped",
        "relay": "unless-stopped",
        "passive": "unless-stopped",
        "upstream": "unless-stopped",
        "console": "unless-stopped",
        "prometheus": "unless-stopped",
        "grafana": "unless-stopped",
    }


def test_the_services_can_gain_no_rights() -> None:
    for service in OURS.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service  # the image's own
        assert "privileged" not in service


def test_ours_write_to_volumes_and_to_memory_alone() -> None:
    for service in OURS.values():
        assert service["read_only"] is True
        assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
        assert all(volume.endswith(":ro") for volume in service["volumes"] if volume.startswith("./"))


def test_no_service_takes_all_of_the_machines_memory_or_disk() -> None:
    for service in SERVICES.values():
        assert service["mem_limit"]
        assert service["logging"]["options"] == {"max-size": "20m", "max-file": "3"}
    assert all(service["pids_limit"] for service in OURS.values())


def test_the_gateways_temporary_files_fit_into_its_memory_beside_what_is_promised_of_it() -> None:
    gateway = OURS["gateway"]
    room, memory = (
        bytes_of(gateway["tmpfs"][0].partition("size=")[2].partition(",")[0]),
        bytes_of(filled(gateway["mem_limit"])),
    )
    settings = Settings(max_uploads_size=int(variables(gateway)["XQUEUE_MAX_UPLOADS_SIZE"]))
    assert settings.max_upload_size <= settings.max_uploads_size <= room
    strangers = 800 * 1024 * settings.max_connections
    assert room + strangers + settings.max_forms_size + settings.max_answers_size + 150 * MIB <= memory


def test_the_relays_results_fit_into_its_memory_however_large() -> None:
    relay = OURS["relay"]
    assert int(variables(relay)["XQUEUE_CALLBACK_CONCURRENCY"]) * 15 * MIB + 300 * MIB <= bytes_of(relay["mem_limit"])


def test_images_can_be_named_by_their_digest() -> None:
    images = [SERVICES["broker"]["image"], OURS["gateway"]["build"]["args"]["PYTHON_IMAGE"]]
    assert [VARIABLE.fullmatch(image) is not None for image in images] == [True, True]
    named = next(each for each in instructions("deploy/image/Dockerfile") if each.name == "ARG").value
    assert named == f"PYTHON_IMAGE={filled(images[1])}"


def test_the_broker_is_as_patient_as_the_queues_and_notices_the_dead_as_soon_as_its_clients() -> None:
    config = dict(re.findall(r"^([\w.]+) = (\S+)$", text("deploy/compose/rabbitmq.conf"), re.MULTILINE))
    assert int(config["consumer_timeout"]) == CONSUMER_TIMEOUT_MS
    assert int(config["heartbeat"]) == HEARTBEAT_SECONDS
    assert config["max_message_size"] == "16777216"
    assert config["net_ticktime"] == "10"


def test_the_broker_sends_dead_letters_again_as_soon_as_the_private_node_does() -> None:
    compose = SERVICES["broker"]["volumes"]
    assert "./advanced.config:/etc/rabbitmq/advanced.config:ro" in compose
    pattern = r"dead_letter_worker_publisher_confirm_timeout, (\d+)"
    assert re.findall(pattern, text("deploy/compose/advanced.config")) == re.findall(pattern, ADVANCED) == ["15000"]


def test_the_broker_is_one_version_without_the_faults_that_our_users_and_queues_meet() -> None:
    tag = re.fullmatch(r"rabbitmq:(\d+)\.(\d+)\.(\d+)-management", filled(SERVICES["broker"]["image"]))
    assert tag
    assert tuple(map(int, tag.groups())) >= (4, 3, 3)  # docs/howto/cluster.md
    assert tag[0] == Container().image
    for page in ("compose", "local"):
        assert tag[0] in text(f"docs/howto/{page}.md")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("make-env", "xqueue.env.example"):
        shutil.copy(FOLDER / name, tmp_path / name)
    return tmp_path


def test_one_command_makes_every_secret_another_for_its_owner_alone(folder: Path) -> None:
    ran = subprocess.run([folder / "make-env"], capture_output=True, text=True, check=True, cwd="/")
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    made = dict(re.findall(r"^(\w+)=(.*)$", (folder / ".env").read_text(), re.MULTILINE))
    assert {name for name, value in made.items() if not value} == set()
    assert {name: made[name] for name, value in EXAMPLE.items() if value} == {k: v for k, v in EXAMPLE.items() if v}
    users = json.loads(made["XQUEUE_USERS"].strip("'"))
    people = json.loads(made["XQUEUE_CONSOLE_ACCOUNTS"].strip("'"))
    accounts = users | people
    others = [made["XQUEUE_SECRET_KEY"], made["GRAFANA_PASSWORD"], *(made[each] for each in PASSWORDS.values())]
    secrets = [*others, *accounts.values()]
    assert len(set(secrets)) == len(secrets) == 11
    assert all(re.fullmatch("[0-9a-f]{40}", secret) for secret in secrets)
    Settings(secret_key=made["XQUEUE_SECRET_KEY"], users=users)
    assert all(f"{name}, password {password}\n" in ran.stdout for name, password in accounts.items())


def test_secrets_that_are_there_are_not_made_anew(folder: Path) -> None:
    (folder / ".env").write_text("mine")
    ran = subprocess.run([folder / "make-env"], capture_output=True, text=True, check=False)
    assert (ran.returncode, (folder / ".env").read_text()) == (1, "mine")
    assert "is there already" in ran.stderr
    assert sorted(path.name for path in folder.iterdir()) == [".env", "make-env", "xqueue.env.example"]
