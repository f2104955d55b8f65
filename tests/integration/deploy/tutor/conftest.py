"""A site that had tutor-xqueue, as it was saved there, moved to our plugin."""

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.tutor import NotInstalledError, Said, Tutor, installed

# What the site has in a plugin of its own.
PATCH = '''from tutor import hooks
hooks.Filters.ENV_PATCHES.add_items([("xqueue-settings", """
XQUEUES = {"python-201": None, "matlab": "http://matlab:1234/"}
USERS = {"lms": "{{ XQUEUE_AUTH_PASSWORD }}", "grader": "s3cr$et"}
SUBMISSION_PROCESSING_DELAY = 5
REQUESTS_BASIC_AUTH = ("gate", "pa$$")
CONSUMER_DELAY = 10
"""), ("xqueue-rabbitmq-settings", "MAX_ATTEMPTS: 7")])
'''
# Where our plugin has to leave a site's as it is.
OTHERS = {
    "XQUEUE_RUN_PASSIVE": "true",
    "XQUEUE_RUN_MONITORING": "true",
    "XQUEUE_RUN_CONSOLE": "true",
    "XQUEUE_MAX_GATEWAYS": "4",
    "XQUEUE_AMQP_URL": "amqps://admin:a$b@one.example/x",
    "XQUEUE_MANAGEMENT_URL": "https://admin:a$b@one.example",
    "XQUEUE_DOCKER_IMAGE": "registry.example:5000/xqueue@sha256:" + 64 * "0",
    "XQUEUE_REPOSITORY": "https://git.example/xqueue",
    "ENABLE_HTTPS": "true",
}
FAKE = '#!/bin/sh\necho "{name} $*" >> "$FAKES_LOG"\ncase "$*" in *" ls "*) echo "[]" ;; esac\n'


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this run's virtual environments, which xdist's workers share."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tutors"


@pytest.fixture(scope="session")
def ours(environments: Path) -> Path:
    return installed(environments, ours=True)


@pytest.fixture(scope="session")
def theirs(environments: Path) -> Path:
    try:
        return installed(environments, ours=False)
    except NotInstalledError as error:
        pytest.skip(f"tutor-xqueue can't be installed: {error}")


def rsa_key() -> str:
    """Make one: Tutor takes seconds for each, and makes one by each command until it is saved."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(pem, form, serialization.NoEncryption()).decode()


@pytest.fixture(scope="session")
def saved(ours: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tutor, list[Said]]:
    """A site's root with the environment that our plugin makes, what was said on the way, and a second site's."""
    root = tmp_path_factory.mktemp("site")
    (root / "plugins").mkdir()
    (root / "plugins/mysite.py").write_text(PATCH)
    (root / "config.yml").write_text(
        "XQUEUE_AUTH_PASSWORD: xFHWp4RZ\nXQUEUE_MYSQL_PASSWORD: 5SsJxHcD\nXQUEUE_SECRET_KEY: e98QGdCHmWHhxiYF18vI2NDL\n"
        f"PLUGINS: [mysite]\nJWT_RSA_PRIVATE_KEY: {json.dumps(rsa_key())}\n"
    )
    (root / "other").mkdir()
    (root / "other/config.yml").write_text((root / "config.yml").read_text().replace("mysite", "mysite, xqueue"))
    fakes = root / "fakes"
    fakes.mkdir()
    for name in ("docker", "kubectl"):
        (fakes / name).write_text(FAKE.format(name=name))
        (fakes / name).chmod(0o755)
    tutor = Tutor(ours, root, {"PATH": f"{fakes}:{os.environ['PATH']}", "FAKES_LOG": str(root / "calls")})
    enabled, _ = tutor.run(["plugins", "enable", "xqueue"], ["config", "save"])
    jobs = [
        ["xqueue", "submissions", "list"],
        ["xqueue", "submissions", "trace", "--mode", "dev", "--queue", "it's", "--json"],
        ["xqueue", "submissions", "parked", "-m", "k8s", "list", "--help"],
    ]
    sets = [argument for key, value in OTHERS.items() for argument in ("--set", f"{key}={value}")]
    return tutor, [
        enabled,
        *tutor.run(
            *jobs,
            ["images", "build", "xqueue"],
            ["local", "do", "init", "--limit", "xqueue"],
            ["-r", str(root / "other"), "config", "save", *sets],
        ),
    ]
