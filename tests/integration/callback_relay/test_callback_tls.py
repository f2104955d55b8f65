"""Whom the relay trusts, and what it says of whom it does not trust."""

from pathlib import Path

import pytest
from yarl import URL

from broker_setup.settings import Settings
from callback_relay.callback import Callback
from callback_relay.outcome import Answered, NoAnswer
from callback_relay.poster import poster_for
from callback_relay.reason import Reason, Slug
from tests.support.certificates import https_lms, make_certificate
from tests.support.lms import FakeLMS


async def outcome_at(url: str, bundle: Path | None) -> object:
    async with poster_for(Settings(callback_ca_bundle=bundle)) as poster:
        return await poster.post(Callback(URL(url), b"{}", b""))


async def test_only_the_bundles_authorities_are_trusted(tmp_path: Path) -> None:
    certificate, other = make_certificate(tmp_path), make_certificate(tmp_path / "other")
    async with https_lms(certificate) as port:
        url = f"https://127.0.0.1:{port}/score_update"
        assert await outcome_at(url, certificate) == Answered(200)
        for bundle in (None, other):
            outcome = await outcome_at(url, bundle)
            assert isinstance(outcome, NoAnswer)
            assert outcome.reason.slug is Slug.CERTIFICATE
            assert outcome.reason.text.startswith("its certificate is ")
            assert outcome.reason.text.endswith("not trusted here")


@pytest.mark.parametrize(
    ("host", "expired", "why"),
    [
        ("localhost", False, "its certificate is for another host name"),
        ("127.0.0.1", True, "its certificate has expired"),
    ],
)
async def test_a_certificate_that_will_not_do_is_named_with_the_reason(
    host: str,
    expired: bool,  # noqa: FBT001
    why: str,
    tmp_path: Path,
) -> None:
    certificate = make_certificate(tmp_path, expired=expired)
    async with https_lms(certificate) as port:
        outcome = await outcome_at(f"https://{host}:{port}/score_update", certificate)
    assert outcome == NoAnswer(Reason(Slug.CERTIFICATE, why))


async def test_https_at_a_port_of_http_is_named(lms: FakeLMS) -> None:
    outcome = await outcome_at(lms.callback_url("/").replace("http://", "https://"), None)
    assert outcome == NoAnswer(Reason(Slug.NO_CONNECTION, "no connection: it does not answer in TLS at this port"))
