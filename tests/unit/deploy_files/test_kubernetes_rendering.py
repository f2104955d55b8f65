"""kubectl renders all that a site can choose, and Kubernetes' own schemas and ours have nothing to say of it."""

import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from kubernetes_validate import utils as validate_utils

from tests.support.custom_resources import SCHEMAS, complaints
from tests.support.kustomize import (
    BROKERS,
    EXTRAS,
    FOLDER,
    STORES,
    Thing,
    choose,
    kustomize,
    lay_site,
    plain_name,
    rendered,
    templates,
)

# The oldest that has all of what is used, and the newest that the schemas know.
VERSIONS = ("1.27", "1.37")
# What nobody here makes: the cluster operator does.
MADE_ELSEWHERE = {("Secret", "xqueue-rabbitmq-default-user")}
# The two others only add to what there is, so they come together.
CHOICES = list(itertools.product(BROKERS, STORES)) + [
    (broker, store, *EXTRAS) for broker, store in itertools.product(BROKERS, STORES)
]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], list[Thing]]:
    """Render every choice, of one copy."""
    overlay = lay_site(tmp_path_factory.mktemp("sites") / "kubernetes", ())
    text = (FOLDER / "overlays/example/kustomization.yaml").read_text()

    def render(components: tuple[str, ...]) -> list[Thing]:
        (overlay / "kustomization.yaml").write_text(choose(text, components))
        return rendered(overlay)

    return {components: render(components) for components in CHOICES}


def test_all_that_can_be_chosen_is_tried() -> None:
    assert {each.name for each in (FOLDER / "components").iterdir()} == {*BROKERS, *STORES, *EXTRAS}
    assert {each.name for each in (FOLDER / "overlays").iterdir() if each.is_dir()} == {"example"}


def test_every_choice_is_what_kubernetes_knows(
    sites: dict[tuple[str, ...], list[Thing]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # By itself it reads a megabyte and a half of schemas for each object.
    monkeypatch.setattr(validate_utils, "schema_contents", functools.cache(validate_utils.schema_contents))
    things = {json.dumps(thing): thing for site in sites.values() for thing in site}
    for thing, version in itertools.product(things.values(), VERSIONS):
        if thing["kind"] in SCHEMAS:
            assert complaints(thing) == []
        else:
            kubernetes_validate.validate(thing, version, strict=True)


def test_a_components_parts_come_with_it_and_only_with_it(sites: dict[tuple[str, ...], list[Thing]]) -> None:
    parts = {
        "rabbitmq-operator": ("RabbitmqCluster", "xqueue-rabbitmq"),
        "uploads-volume": ("PersistentVolumeClaim", "xqueue-uploads"),
        "uploads-s3": ("Secret", "xqueue-uploads"),
        "passive": ("Deployment", "xqueue-passive"),
        "upstream": ("Deployment", "xqueue-upstream"),
        "console": ("Deployment", "xqueue-console"),
        "monitoring": ("PrometheusRule", "xqueue"),
    }
    for components, site in sites.items():
        there = {(thing["kind"], plain_name(thing)) for thing in site}
        assert {component for component, part in parts.items() if part in there} == set(components) & set(parts)


def test_whatever_is_referred_to_is_there(sites: dict[tuple[str, ...], list[Thing]]) -> None:
    for components, site in sites.items():
        there = {(thing["kind"], thing["metadata"]["name"]) for thing in site} | MADE_ELSEWHERE
        missing = set(references(site)) - there
        assert missing == set(), components


def test_alone_the_base_lacks_just_what_a_site_has_to_give() -> None:
    base = rendered(FOLDER / "base")
    there = {(thing["kind"], thing["metadata"]["name"]) for thing in base}
    assert set(references(base)) - there == {
        ("Secret", "xqueue-gateway"),
        ("Secret", "xqueue-relay"),
        ("Secret", "xqueue-commands"),
        ("Secret", "xqueue-setup"),
        ("PersistentVolumeClaim", "xqueue-uploads"),
    }


def test_names_are_those_that_sites_with_tutor_know(sites: dict[tuple[str, ...], list[Thing]]) -> None:
    for site in sites.values():
        there = {(thing["kind"], plain_name(thing)) for thing in site}
        assert {("Service", "xqueue"), ("Deployment", "xqueue"), ("ConfigMap", "xqueue-settings")} <= there


def test_a_site_without_its_secrets_does_not_render(tmp_path: Path) -> None:
    overlay = lay_site(tmp_path / "kubernetes", CHOICES[0])
    (overlay / "secrets/secret-key").unlink()
    ran = kustomize(overlay)
    assert ran.returncode != 0
    assert "secrets/secret-key" in ran.stderr


def references(things: list[Thing]) -> Iterator[tuple[str, str]]:
    """Say what pods, scaling and ingress refer to, by kind and name."""
    for _, template in templates(things):
        pod = template["spec"]
        yield "ServiceAccount", pod["serviceAccountName"]
        for volume in pod["volumes"]:
            yield from of_volume(volume)
        for each in pod["containers"][0]["env"]:
            if "valueFrom" in each:
                yield "Secret", each["valueFrom"]["secretKeyRef"]["name"]
    for thing in things:
        if thing["kind"] == "HorizontalPodAutoscaler":
            yield thing["spec"]["scaleTargetRef"]["kind"], thing["spec"]["scaleTargetRef"]["name"]
        if thing["kind"] == "Ingress":
            yield "Service", thing["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]


def of_volume(volume: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "configMap" in volume:
        yield "ConfigMap", volume["configMap"]["name"]
    if "secret" in volume:
        yield "Secret", volume["secret"]["secretName"]
    if "persistentVolumeClaim" in volume:
        yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
