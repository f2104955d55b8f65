"""Whom the relay trusts, and what it shows to whom: certificates, Basic auth, signatures."""

import asyncio
import os
import sys
from base64 import b64decode
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from yarl import URL

from broker_setup.errors import SettingsError
from broker_setup.settings import Settings
from broker_setup.wire.messages import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from callback_relay.callback import Callback
from callback_relay.guarded_connections import tls_context
from callback_relay.poster import poster_for
from callback_relay.reason import Reason, Slug
from callback_relay.verdict import Answered, NoAnswer
from tests.support.broker import VHost
from tests.support.certificates import https_lms, make_certificate
from tests.support.lms import Callback as Received
from tests.support.lms import FakeLMS, running_lms
from tests.support.relay import REPLY, Results, running_relay, settings_for

KEYS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")


async def outcome_at(url: str, settings: Settings) -> object:
    async with poster_for(settings) as poster:
        return await poster.post(Callback(URL(url), b"{}", b""))


async def test_only_the_bundles_authorities_are_trusted_and_only_for_their_hosts(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    trusting = Settings(callback_ca_bundle=certificate)
    async with https_lms(certificate) as port:
        assert await outcome_at(f"https://127.0.0.1:{port}/score_update", trusting) == Answered(200)
        untrusted = NoAnswer(Reason(Slug.CERTIFICATE, "the certificate is not trusted"))
        assert await outcome_at(f"https://localhost:{port}/score_update", trusting) == untrusted
        assert await outcome_at(f"https://127.0.0.1:{port}/score_update", Settings()) == untrusted
        stranger = Settings(callback_ca_bundle=make_certificate(other))
        assert await outcome_at(f"https://127.0.0.1:{port}/score_update", stranger) == untrusted


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't read .*: No such file or directory"),
        (b"", "holds no certificates in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificates in PEM form"),
        (b"\x00\xff" * 100, "holds no certificates in PEM form"),
    ],
    ids=["missing", "empty", "broken", "binary"],
)
def test_a_bundle_that_can_not_be_used_is_named_with_the_reason(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(SettingsError, match=f"CALLBACK_CA_BUNDLE: .*{why}"):
        tls_context(bundle)


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CALLBACK_CA_BUNDLE: "):
        tls_context(tmp_path)


async def test_a_relay_without_its_bundle_does_not_start(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")},
        "XQUEUE_SECRET_KEY": 32 * "x",
        "XQUEUE_CALLBACK_CA_BUNDLE": str(tmp_path / "missing.pem"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callback_relay", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    missing = tmp_path / "missing.pem"
    assert stderr.decode() == f"xqueue-relay: CALLBACK_CA_BUNDLE: can't read {missing}: No such file or directory\n"


async def test_each_origin_gets_its_own_credentials_and_all_others_the_general_ones(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    async with running_lms() as other:
        settings = settings_for(
            vhost.amqp_url,
            requests_basic_auth=("general", SecretStr("password")),
            callback_credentials={lms.origin: ("its", SecretStr("own"))},
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
