"""The examples for KEDA: they ask what there is to be asked, as who may ask it."""

from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import pytest

from broker_setup.settings import Settings
from broker_setup.topology import submissions_queue
from deploy.kubernetes.make_secrets import BROKER, OPERATOR
from tests.support.custom_resources import SCHEMAS, complaints
from tests.support.kustomize import FOLDER, Thing, named, site, things_in
from tests.support.project import text

EXAMPLES = {file.stem: things_in(file.read_text()) for file in (FOLDER / "examples/keda").iterdir()}


def trigger(example: str) -> Thing:
    [scaled] = [thing for thing in EXAMPLES[example] if thing["kind"] == "ScaledObject"]
    [only] = scaled["spec"]["triggers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_what_keda_and_kubernetes_know(example: str) -> None:
    for thing in EXAMPLES[example]:
        if thing["kind"] in SCHEMAS:
            assert complaints(thing) == []
        else:
            kubernetes_validate.validate(thing, "1.27", strict=True)
    login = named(EXAMPLES[example], "TriggerAuthentication", trigger(example)["authenticationRef"]["name"])
    assert (
        f"generic {login['spec']['secretTargetRef'][0]['name']}"
        in (FOLDER / f"examples/keda/{example}.yaml").read_text()
    )


def test_pull_graders_go_by_what_a_gateway_says_waits() -> None:
    asked = urlsplit(trigger("pull-graders")["metadata"]["url"])
    service = named(site("rabbitmq-operator", "uploads-volume"), "Service", "xqueue")
    assert (
        asked.netloc
        == f"{service['metadata']['name']}.{service['metadata']['namespace']}:{service['spec']['ports'][0]['port']}"
    )
    assert f"\n  {asked.path}:\n" in text("gateway/http/openapi.yaml")
    assert list(parse_qs(asked.query)) == ["queue_name"]
    assert trigger("pull-graders")["metadata"]["valueLocation"] == "content"


def test_amqp_graders_go_by_what_is_in_their_queue_and_in_hand() -> None:
    asked = trigger("amqp-graders")["metadata"]
    assert asked["queueName"] == submissions_queue("matlab")
    assert asked["protocol"] == "http"
    example = (FOLDER / "examples/keda/amqp-graders.yaml").read_text()
    assert f"http://{OPERATOR}:PASSWORD@{BROKER}.xqueue:15672" in example
    assert OPERATOR in Settings().broker_users.values()
