"""XQueue knows its own services under every name that the settings give away, and an LMS beside them is none."""

import pytest

from broker_setup.outbound.callback_urls import CallbackOrigins, callback_url, origin_of
from broker_setup.outbound.own_services import BRIDGE, BROKER, GATEWAY, GATEWAY_METRICS, RELAY
from broker_setup.settings import Settings

SETTINGS = Settings(
    amqp_url="amqps://user:hunter2@Rabbit.example/",
    management_url="https://admin:hunter2@admin.example",
    metrics_host="0.0.0.0",
    metrics_port=9100,
    passive_metrics_host="bridge.example",
    passive_metrics_port=9200,
    gateway_metrics_host="::",
    gateway_metrics_port=9300,
    host="127.0.0.1",
    port=18040,
    public_url="https://courses.example/queue",
)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://rabbit.example:15672/api/users", BROKER),
        ("http://RABBIT.example.:5671/", BROKER),
        ("http://rabbit.example:15692/metrics", BROKER),
        ("https://admin.example/api/", BROKER),
        ("http://localhost:9100/metrics", RELAY),
        ("http://[::ffff:127.0.0.1]:9100/", RELAY),
        ("http://bridge.example:9200/metrics", BRIDGE),
        ("http://127.0.0.1:9300/metrics", GATEWAY_METRICS),
        ("http://127.8.9.10:18040/xqueue/submit/", GATEWAY),
        ("http://[::1]:18040/", GATEWAY),
        ("https://courses.example/queue/xqueue/submit/", GATEWAY),
        ("https://user:word@courses.example:443/queue//xqueue/put_result/", GATEWAY),
        ("https://courses.example/queue/%78queue/submit/", GATEWAY),
    ],
)
def test_no_callback_goes_to_them_listed_or_not(url: str, what: str) -> None:
    target = callback_url(url)
    own = SETTINGS.own_services
    for origins in (CallbackOrigins(None, own.behind), CallbackOrigins([origin_of(target)], own.behind)):
        assert (origins.refusal(target) or "").endswith(f"are not allowed: {what} is there")


@pytest.mark.parametrize(
    "url",
    [
        "https://courses.example/courses/x/xqueue/7/block/score_update",
        "https://courses.example/queued/xqueue/",
        "http://rabbit.example/score_update",
        "http://rabbit.example:8000/score_update",
        "http://localhost:8000/score_update",
        "http://lms:18040/score_update",
    ],
)
def test_an_lms_beside_them_gets_its_results(url: str) -> None:
    assert CallbackOrigins(None, SETTINGS.own_services.behind).refusal(callback_url(url)) is None


def test_a_gateway_that_listens_everywhere_may_be_elsewhere() -> None:
    everywhere = SETTINGS.model_copy(update={"host": "0.0.0.0"}).own_services
    assert everywhere.behind(callback_url("http://localhost:18040/")) is None
