"""What the relay shows to whom: Basic auth and signatures."""

import asyncio
import os
import sys
from base64 import b64decode
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from broker_setup.settings import Settings
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from tests.support.broker import VHost
from tests.support.gateway import SECRET_KEY
from tests.support.lms import Callback as Received
from tests.support.lms import FakeLMS, running_lms
from tests.support.relay import REPLY, Results, running_relay, settings_for

KEYS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")


async def test_a_relay_without_its_bundle_does_not_start(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")},
        "XQUEUE_SECRET_KEY": SECRET_KEY,
        "XQUEUE_CALLBACK_CA_BUNDLE": str(tmp_path / "missing.pem"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callback_relay", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    missing = tmp_path / "missing.pem"
    assert stderr.decode() == (
        "xqueue-relay: CALLBACK_CA_BUNDLE: must be a file of certificates in PEM form, "
        f"but can't read {missing}: No such file or directory\n"
    )


async def test_each_origin_gets_its_own_credentials_and_listed_ones_the_general_ones(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    async with running_lms() as other:
        settings = settings_for(
            vhost.amqp_url,
            requests_basic_auth=("general", SecretStr("password")),
            callback_credentials={lms.origin: ("its", SecretStr("own"))},
            callback_allowed_origins=(lms.origin, other.origin),
        )
        async with running_relay(settings):
            await results.put(lms.header())
            await results.put(other.header())
            [own], [general] = await lms.wait_accepted(1), await other.wait_accepted(1)
            await results.put(lms.header().replace("http://", "http://urls:own@"))
            _, of_url = await lms.wait_accepted(2)
    assert [basic_auth(callback) for callback in (own, general, of_url)] == [
        b"its:own",
        b"general:password",
        b"urls:own",
    ]


async def test_the_general_credentials_go_to_nobody_whom_no_operator_named(
    vhost: VHost, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    lms.next_answers(401, 401, 200)
    settings = settings_for(vhost.amqp_url, requests_basic_auth=("general", SecretStr("password")))
    async with running_relay(settings):
        await results.put(lms.header())
        callbacks = [*await lms.wait_received(3)]
    assert not [callback for callback in callbacks if "Authorization" in callback.headers]
    said = [record.message for record in caplog.records if "CALLBACK_ALLOWED_ORIGINS" in record.message]
    [warning] = said
    assert warning == (
        f"{lms.origin} wants credentials, and REQUESTS_BASIC_AUTH was not sent, as no setting says that it is for that "
        "origin: if that is your LMS, name it in CALLBACK_ALLOWED_ORIGINS"
    )


async def test_two_empty_strings_are_no_credentials(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    settings = settings_for(
        vhost.amqp_url, requests_basic_auth=("", SecretStr("")), callback_allowed_origins=(lms.origin,)
    )
    async with running_relay(settings):
        await results.put(lms.header())
        [callback] = await lms.wait_accepted(1)
    assert "Authorization" not in callback.headers


def basic_auth(callback: Received) -> bytes:
    return b64decode(callback.headers["Authorization"].removeprefix("Basic "))


async def test_a_signed_callback_is_taken_by_the_standards_own_verifier(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(500, 200, 200)
    uuid = uuid4().hex
    # Any bytes: a reply that is no JSON would be replaced by a notice.
    async with running_relay(settings_for(vhost.amqp_url, callback_signing_key=KEYS, validate_results=False)):
        await results.put(lms.header(), b"\x00\xff +&=", submission=uuid)
        await lms.wait_accepted(1)
        sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
        await results.put_message(encode_result(Result(uuid, REPLY, sealed, amendment=1)))
        await lms.wait_accepted(2)
    assert lms.received[0].xqueue_body == b"\x00\xff +&="
    for callback in lms.received:
        for key in KEYS:
            Webhook(key).verify(callback.body, dict(callback.headers), json_parse=False)
    assert [callback.headers["webhook-id"] for callback in lms.received] == [f"{uuid}-0", f"{uuid}-0", f"{uuid}-1"]


async def test_without_a_key_nothing_is_signed(settings: Settings, results: Results, lms: FakeLMS) -> None:
    async with running_relay(settings):
        await results.put(lms.header())
        [callback] = await lms.wait_accepted(1)
    assert not [name for name in callback.headers if name.lower().startswith("webhook")]
