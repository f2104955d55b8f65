"""The image as `make image` builds it, and all of its commands at work: a round from submit to callback."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.image.build import our_version
from tests.support.broker import VHost
from tests.support.broker_users import broker_users
from tests.support.built_image import BuiltImage, built_image, can_be_built
from tests.support.gateway import SECRET_KEY, USERS, Client
from tests.support.in_image import Container, container, run_once
from tests.support.lms import running_lms
from tests.support.passive import REPLY, running_grader
from tests.support.ports import free_port
from tests.support.waiting import eventually

USER = "10001:10001"
# What a start would have to compile anew each time, as it can't be kept.
NOT_COMPILED = """
import pathlib, sys, gateway.starting
modules = [each for each in sys.modules.values() if getattr(each, "__cached__", None) and each.__name__ != "__main__"]
print([each.__name__ for each in modules if not pathlib.Path(each.__cached__).exists()])
"""
COMMANDS = ("xqueue-broker", "xqueue-console", "xqueue-gateway", "xqueue-passive", "xqueue-relay")
# It may have to be built first, and CI may be at that still.
pytestmark = [
    pytest.mark.skipif(not can_be_built(), reason="only root can build and run an image without an engine"),
    pytest.mark.timeout(1200),
]


@pytest.fixture(scope="module")
def built() -> BuiltImage:
    return built_image()


def test_it_says_what_it_is_and_runs_as_its_own_user(built: BuiltImage) -> None:
    labels = {name.rpartition("image.")[2]: value for name, value in built.config["Labels"].items() if "image." in name}
    assert labels["title"] == "xqueue-rabbitmq"
    assert labels["version"] == our_version()
    assert labels["base.name"]
    assert built.config["User"] == USER
    assert built.config["Healthcheck"]["Test"] == ["CMD", "python", "/opt/xqueue/healthcheck.py"]
    assert set(built.config["ExposedPorts"]) == {"18038/tcp", "18039/tcp", "18040/tcp", "18050/tcp", "18052/tcp"}
    # What is not there can't be used by who breaks in.
    assert not [*built.root.glob("opt/*/lib/python*/site-packages/pip*")]
    assert not (built.root / "opt/build").exists()
    writable = [path for path in built.root.rglob("*") if not path.is_symlink() and path.stat().st_uid == 10001]
    assert {str(path.relative_to(built.root)) for path in writable} == {"var/lib/xqueue", "var/lib/xqueue/uploads"}


async def test_all_its_commands_do_their_work_and_a_submission_goes_round(
    built: BuiltImage, vhost: VHost, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        lms = await stack.enter_async_context(running_lms())
        called = await stack.enter_async_context(running_grader())
        users = stack.enter_context(broker_users(vhost, {}, {"openedx": None, "called": called.url}))

        administrator = users.settings | {"AMQP_URL": vhost.amqp_url}
        told = json.loads(await run_once(built, tmp_path, "xqueue-broker", "setup", "--json", settings=administrator))
        urls = {user["name"].rpartition("-")[2]: user["amqp_url"] for user in told["users"]}
        ports = {"PORT": free_port(), "METRICS_PORT": free_port(), "PASSIVE_METRICS_PORT": free_port()}
        common = {name: value for name, value in users.settings.items() if name != "MANAGEMENT_URL"} | {
            "SECRET_KEY": SECRET_KEY,
            "USERS": json.dumps(USERS),
            "HOST": "127.0.0.1",
            **{name: str(port) for name, port in ports.items()},
        }

        async def started(role: str, *command: str) -> Container:
            settings = common | {"AMQP_URL": urls[role]}
            return await stack.enter_async_context(container(built, tmp_path, *command, settings=settings))

        # The gateway is what the image runs by itself.
        gateway, relay, bridge = (
            await started("gateway"),
            await started("relay", "xqueue-relay"),
            await started("passive", "xqueue-passive"),
        )
        for service in (gateway, relay, bridge):

            async def is_well(service: Container = service) -> bool:
                code, said = await service.run("python", "/opt/xqueue/healthcheck.py")
                assert said == "" or "Connection" in said, service.log
                return code == 0

            await eventually(is_well, 120)
        await stays_what_it_is(relay)

        url = f"http://127.0.0.1:{ports['PORT']}"
        with Client(url) as client:

            async def is_ready() -> bool:
                return (await asyncio.to_thread(client.session.get, f"{url}/readyz")).status_code == 200

            await eventually(is_ready, 120)
            files = {"essay.txt": ("essay.txt", b"an essay")}
            assert (await asyncio.to_thread(client.submit, lms.header("pulled"), "work", files=files))[0] == 0
            header = lms.header("called", path="/called", queue="called")
            assert (await asyncio.to_thread(client.submit, header, "work"))[0] == 0
            leased = await asyncio.to_thread(client.get_one)
            [link] = leased["xqueue_files"].values()
            assert (await asyncio.to_thread(client.session.get, link)).content == b"an essay"
            assert (await asyncio.to_thread(client.put, leased["xqueue_header"], REPLY.decode()))[0] == 0
        accepted = await lms.wait_accepted(2)
        assert {callback.lms_key: callback.xqueue_body for callback in accepted} == {"pulled": REPLY, "called": REPLY}

        operator = common | {"AMQP_URL": urls["broker"]}
        counted = json.loads(await run_once(built, tmp_path, "xqueue-broker", "count", "--json", settings=operator))
        assert counted["results"]["waiting"] == 0
        for service in (gateway, relay, bridge):
            assert await service.stop() == 0, service.log
            assert "Traceback" not in service.log


async def stays_what_it_is(service: Container) -> None:
    """Every command says the version; who runs here is nobody of note, and can't write but where it should."""
    for command in COMMANDS:
        assert await service.run(command, "--version") == (0, f"{command} {our_version()}\n")
    assert await service.run("id", "-u") == (0, f"{USER.partition(':')[0]}\n")
    for path in ("/opt/xqueue/x", "/etc/x", "/var/lib/xqueue/x"):
        code, said = await service.run("touch", path)
        assert (code, "Read-only file system" in said) == (1, True), said
    for path in ("/tmp/x", "/var/lib/xqueue/uploads/x"):
        assert await service.run("touch", path) == (0, "")
    assert await service.run("python", "-c", NOT_COMPILED) == (0, "[]\n")
    code, status = await service.run("cat", "/proc/1/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapEff:\t0000000000000000" in status
