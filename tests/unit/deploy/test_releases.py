"""RABBITMQ names another release of Debian, of which the broker's packages are taken."""

import pytest

from deploy.local import releases
from deploy.local.errors import LocalError
from deploy.local.find import Facts, Given, Packages, of_our_own, sources
from deploy.local.releases import foreign, sources_list

URIS = """
'http://mirror.example/debian/dists/bookworm/InRelease' mirror.example_debian_dists_bookworm_InRelease 0
'http://mirror.example/security/dists/bookworm-security/InRelease' mirror.example_security_InRelease 0
"""


@pytest.fixture(autouse=True)
def debian_12(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "own", lambda: "debian-12")


def test_only_a_release_that_this_system_is_not_of_is_another_one() -> None:
    assert foreign(None) is None
    assert foreign("") is None
    assert foreign("debian-12") is None
    assert foreign("debian-13") == "debian-13"


def test_a_release_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(LocalError, match="one of debian-12, debian-13, not 'debian-7'"):
        foreign("debian-7")


def test_its_packages_come_from_where_the_system_has_its_own() -> None:
    line = f"deb [signed-by={releases.KEYRING}] http://mirror.example/debian trixie main\n"
    assert sources_list("debian-13", URIS) == line


def test_what_is_no_debian_has_no_packages_of_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "own", lambda: "ubuntu-24.04")
    with pytest.raises(LocalError, match="Only a Debian"):
        sources_list("debian-13", URIS)


def test_a_release_that_is_wanted_is_taken_and_nothing_in_its_place() -> None:
    assert sources(Facts(release="debian-13", apt=True, docker=True)) == [Packages("debian-13")]
    assert sources(Facts(release="debian-13", amqp_url="amqp://elsewhere/")) == [Given("amqp://elsewhere/")]


def test_a_node_of_our_own_heeds_the_release_and_no_given_broker() -> None:
    given = {"RABBITMQ": "debian-13", "XQUEUE_AMQP_URL": "amqp://elsewhere/"}
    assert of_our_own(given) == [Packages("debian-13")]
