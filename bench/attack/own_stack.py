"""A stack to attack: all services as they run in production, each with a broker user of its own."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from bench.attack.bystander import Work
from bench.attack.target import Target, Victim
from deploy.local.ports import pick
from deploy.local.ready import http_answers, wait_until
from tests.support.broker import VHost
from tests.support.broker_users import broker_users
from tests.support.service_process import ServiceProcess, service_process

GRADER = "attacker"
ACCOUNTS = {name: secrets.token_urlsafe() for name in ("lms", "grader", "producer", "hostile")}
# Who may submit and who may grade: an account for each attacker, and two for good work.
QUEUES = {"good": ("lms", "grader"), "called": ("lms", "lms"), "exam": ("lms", "lms")}
QUEUES |= {"hostile": ("producer", "hostile")}
QUEUES |= {"amqp": ("producer", "producer"), "called-hostile": ("producer", "producer")}
START_SECONDS = 120.0


class StackError(Exception):
    """A service did not come up; the text shows the end of its log."""


@contextlib.asynccontextmanager
async def own_stack(
    vhost: VHost, folder: Path, *, good_grader: str, hostile_grader: str, bare: str
) -> AsyncIterator[tuple[Target, Work]]:
    """Run one for as long as the block runs; yield it, and what a bystander is to do with it."""
    port = pick()
    metrics_port = pick([port])
    url, metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}"
    queues = dict.fromkeys(QUEUES) | {"amqp": "amqp", "called": good_grader, "called-hostile": hostile_grader}
    with broker_users(vhost, {GRADER: ["amqp"]}, queues) as users:
        # No student is told while we count what is posted.
        alike = {"SECRET_KEY": secrets.token_urlsafe(32), "NOTICE_GRACE": "3600", "RETRY_DELAYS": "[1, 5, 30]"}
        urls = await asyncio.to_thread(users.set_up, **alike)
        common = users.settings | alike
        gateway = common | {
            "AMQP_URL": urls["gateway"],
            "PORT": str(port),
            "USERS": json.dumps(ACCOUNTS),
            "QUEUE_ACCESS": json.dumps({queue: _access(*who) for queue, who in QUEUES.items()}),
            "UPLOAD_PATH": str(folder / "uploads"),
            # Some requests end before they said they would, and that should not take our time.
            "STALL_TIMEOUT": "10",
            "HEAD_TIMEOUT": "10",
        }
        # A password that goes to listed origins alone, and none is.
        secret = json.dumps(["gate", secrets.token_urlsafe()])
        relay = common | {"AMQP_URL": urls["relay"], "METRICS_PORT": str(metrics_port), "REQUESTS_BASIC_AUTH": secret}
        # Known to the relay, so that it makes no callback there.
        relay |= {"HOST": "127.0.0.1", "PORT": str(port), "PUBLIC_URL": url}
        passive = common | {"AMQP_URL": urls["passive"]}
        async with contextlib.AsyncExitStack() as started:
            services: dict[str, ServiceProcess] = {}
            for name, module, settings in (
                ("gateway", "gateway", gateway),
                ("relay", "callback_relay", relay),
                ("passive", "gateway.passive", passive),
            ):
                services[name] = await started.enter_async_context(
                    service_process(module, settings, folder / f"{name}.log", cold=True)
                )
            await _until_ready(f"{url}/readyz", services["gateway"])
            await _until_ready(f"{metrics_url}/healthz", services["relay"])
            target = Target(
                url=url,
                broker_url=vhost.amqp_url,
                grader_url=urls[GRADER],
                producer=_account("producer"),
                grader=_account("hostile"),
                hostile_queue="hostile",
                amqp_queue="amqp",
                processes={name: service.pid for name, service in services.items()},
                passive_queue="called-hostile",
                metrics_url=metrics_url,
                management_url=vhost.management_url,
                victim=Victim(_account("lms"), "exam"),
                folder=folder,
            )
            yield target, Work(url, bare, _account("lms"), _account("grader"), "good", "called")


async def _until_ready(url: str, service: ServiceProcess) -> None:
    def is_ready() -> bool:
        return http_answers(url) or not service.is_alive

    if not await asyncio.to_thread(wait_until, is_ready, START_SECONDS) or not service.is_alive:
        raise StackError(f"{url} does not answer:\n{service.log[-3000:]}")


def _account(name: str) -> tuple[str, str]:
    return name, ACCOUNTS[name]


def _access(producer: str, consumer: str) -> dict[str, list[str]]:
    return {"producers": [producer], "consumers": [consumer]}
